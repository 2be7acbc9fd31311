//! Which calls change errno, which a call that succeeds has no reason to do.

use crate::cl::Work;
use crate::text::say;
use std::ptr::null_mut;

const MARK: i32 = 4242;

/// Makes each kind of call many times and says which of them changed errno.
pub(crate) fn report(work: &Work) {
    let cl = work.cl;
    let mut changed = Vec::new();
    let mut watch = |name: &'static str, call: &dyn Fn() -> i32| {
        // SAFETY: the address of this thread's errno.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        unsafe { errno.write(MARK) };
        let code = call();
        // SAFETY: as above.
        if unsafe { errno.read() } != MARK && !changed.contains(&name) {
            changed.push(name);
        }
        assert_eq!(code, 0, "{name}");
    };
    // The first calls of a process load libraries and start threads.
    let _ = work.job();
    for _ in 0..200 {
        let mut event = null_mut();
        let place = &raw mut event;
        let size = 1;
        // SAFETY: our own queue, kernel and buffer; places of ours.
        unsafe {
            watch("clEnqueueNDRangeKernel", &|| {
                (cl.clEnqueueNDRangeKernel)(
                    work.queue,
                    work.spin,
                    1,
                    null_mut(),
                    &raw const size,
                    null_mut(),
                    0,
                    null_mut(),
                    place,
                )
            });
            watch("clFlush", &|| (cl.clFlush)(work.queue));
            watch("clGetEventInfo", &|| {
                let mut status = 0i32;
                (cl.clGetEventInfo)(event, 0x11D3, 4, (&raw mut status).cast(), null_mut())
            });
            watch("clWaitForEvents", &|| (cl.clWaitForEvents)(1, place));
            watch("clReleaseEvent", &|| (cl.clReleaseEvent)(event));
            let mut word = 7u32;
            let host = &raw mut word;
            watch("clEnqueueWriteBuffer", &|| {
                (cl.clEnqueueWriteBuffer)(
                    work.queue,
                    work.buffer,
                    1,
                    0,
                    4,
                    host.cast(),
                    0,
                    null_mut(),
                    null_mut(),
                )
            });
            watch("clEnqueueReadBuffer", &|| {
                (cl.clEnqueueReadBuffer)(
                    work.queue,
                    work.buffer,
                    1,
                    0,
                    4,
                    host.cast(),
                    0,
                    null_mut(),
                    null_mut(),
                )
            });
            watch("clFinish", &|| (cl.clFinish)(work.queue));
            watch("clRetainCommandQueue", &|| (cl.clRetainCommandQueue)(work.queue));
            watch("clReleaseCommandQueue", &|| (cl.clReleaseCommandQueue)(work.queue));
        }
    }
    say(&format!("errno changed by [{}]", changed.join(" ")));
}
