//! The few OpenCL calls of this program, found by `dlopen`, as some programs do.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

pub(crate) type Handle = *mut c_void;

const SOURCE: &CStr = c"
kernel void spin(global uint *out, uint rounds) {
    uint x = get_global_id(0) + 1;
    for (uint i = 0; i < rounds; i++) x = x * 1664525u + 1013904223u;
    out[get_global_id(0)] = x;
}
kernel void triple(global uint *data) { data[get_global_id(0)] = data[get_global_id(0)] * 3 + 1; }";

/// Rounds of one step: about a millisecond.
static ROUNDS: u32 = 700_000;
/// Values of a job.
const COUNT: usize = 1024;

macro_rules! functions {
    ($($name:ident($($arg:ty),*) -> $ret:ty;)*) => {
        /// The library.
        #[allow(non_snake_case)]
        pub(crate) struct Cl {
            library: Handle,
            $(pub(crate) $name: unsafe extern "C" fn($($arg),*) -> $ret,)*
        }

        impl Cl {
            fn load(file: &CStr) -> Result<Cl, String> {
                // SAFETY: a C string; the library's constructors run.
                let library = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
                if library.is_null() {
                    return Err(format!("cannot load {file:?}"));
                }
                Ok(Cl { library, $($name: {
                    let name = concat!(stringify!($name), "\0");
                    // SAFETY: an open library and a C string.
                    let address = unsafe { libc::dlsym(library, name.as_ptr().cast()) };
                    if address.is_null() {
                        return Err(format!("there is no {}", stringify!($name)));
                    }
                    // SAFETY: the function of that name has this signature (Khronos OpenCL headers, CL/cl.h).
                    unsafe { std::mem::transmute::<Handle, unsafe extern "C" fn($($arg),*) -> $ret>(address) }
                },)* })
            }
        }
    };
}

functions! {
    clGetPlatformIDs(u32, *mut Handle, *mut u32) -> i32;
    clGetDeviceIDs(Handle, u64, u32, *mut Handle, *mut u32) -> i32;
    clCreateContext(*const isize, u32, *const Handle, *const c_void, *mut c_void, *mut i32) -> Handle;
    clCreateCommandQueue(Handle, Handle, u64, *mut i32) -> Handle;
    clCreateBuffer(Handle, u64, usize, *mut c_void, *mut i32) -> Handle;
    clCreateProgramWithSource(Handle, u32, *const *const c_char, *const usize, *mut i32) -> Handle;
    clBuildProgram(Handle, u32, *const Handle, *const c_char, *const c_void, *mut c_void) -> i32;
    clCreateKernel(Handle, *const c_char, *mut i32) -> Handle;
    clSetKernelArg(Handle, u32, usize, *const c_void) -> i32;
    clEnqueueNDRangeKernel(Handle, Handle, u32, *const usize, *const usize, *const usize, u32, *const Handle, *mut Handle) -> i32;
    clEnqueueWriteBuffer(Handle, Handle, u32, usize, usize, *const c_void, u32, *const Handle, *mut Handle) -> i32;
    clEnqueueReadBuffer(Handle, Handle, u32, usize, usize, *mut c_void, u32, *const Handle, *mut Handle) -> i32;
    clSetUserEventStatus(Handle, i32) -> i32;
    clEnqueueMarkerWithWaitList(Handle, u32, *const Handle, *mut Handle) -> i32;
    clEnqueueBarrierWithWaitList(Handle, u32, *const Handle, *mut Handle) -> i32;
    clGetEventInfo(Handle, u32, usize, *mut c_void, *mut usize) -> i32;
    clWaitForEvents(u32, *const Handle) -> i32;
    clReleaseEvent(Handle) -> i32;
    clCreateUserEvent(Handle, *mut i32) -> Handle;
    clRetainCommandQueue(Handle) -> i32;
    clReleaseCommandQueue(Handle) -> i32;
    clFlush(Handle) -> i32;
    clFinish(Handle) -> i32;
}

static CL: AtomicPtr<Cl> = AtomicPtr::new(null_mut());

impl Cl {
    /// The library, loaded at the first call.
    pub(crate) fn get() -> Result<&'static Cl, String> {
        // SAFETY: null or a leaked box.
        if let Some(cl) = unsafe { CL.load(Ordering::Acquire).as_ref() } {
            return Ok(cl);
        }
        Cl::take(c"libOpenCL.so.1")
    }

    /// Loads the library from this file instead of by its name.
    pub(crate) fn load_from(file: &str) -> Result<(), String> {
        let file = CString::new(file).map_err(|e| e.to_string())?;
        Cl::take(&file).map(|_| ())
    }

    fn take(file: &CStr) -> Result<&'static Cl, String> {
        let cl = Box::leak(Box::new(Cl::load(file)?));
        CL.store(cl, Ordering::Release);
        Ok(cl)
    }

    /// Gives the library back, whoever still uses it.
    pub(crate) fn close() {
        // SAFETY: null or a leaked box.
        if let Some(cl) = unsafe { CL.load(Ordering::Acquire).as_ref() } {
            // SAFETY: opened once. That calls of other threads survive it is what the test is about.
            unsafe { libc::dlclose(cl.library) };
        }
    }

    /// The first platform, or what `clGetPlatformIDs` answers.
    pub(crate) fn platforms(&self) -> Result<Handle, String> {
        let (mut platform, mut count) = (null_mut(), 0);
        // SAFETY: room for one.
        match unsafe { (self.clGetPlatformIDs)(1, &raw mut platform, &raw mut count) } {
            0 if count > 0 => Ok(platform),
            code => Err(code.to_string()),
        }
    }

    /// Makes so many queues on the first device, with nothing to do, and keeps them.
    pub(crate) fn make_queues(&'static self, count: u32) -> Result<(), String> {
        let work = Work::new(self)?;
        for _ in 0..count {
            work.another_queue()?;
        }
        Ok(())
    }
}

/// A queue of this thread's with all that its launches need. Never released.
pub(crate) struct Work {
    pub(crate) cl: &'static Cl,
    context: Handle,
    device: Handle,
    pub(crate) queue: Handle,
    pub(crate) spin: Handle,
    pub(crate) buffer: Handle,
    triple: Handle,
}

pub(crate) fn check(call: &str, code: i32) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(format!("{call} {code}")) }
}

impl Work {
    /// On the first device of the first platform.
    pub(crate) fn new(cl: &'static Cl) -> Result<Work, String> {
        let platform = cl.platforms().map_err(|code| format!("clGetPlatformIDs {code}"))?;
        let (mut device, mut error) = (null_mut(), 0);
        let source = SOURCE.as_ptr();
        // SAFETY: each call gets what the one before it made, and places of ours.
        unsafe {
            check(
                "clGetDeviceIDs",
                (cl.clGetDeviceIDs)(platform, u64::from(u32::MAX), 1, &raw mut device, null_mut()),
            )?;
            let context =
                (cl.clCreateContext)(null(), 1, &raw const device, null(), null_mut(), &raw mut error);
            check("clCreateContext", error)?;
            let queue = (cl.clCreateCommandQueue)(context, device, 0, &raw mut error);
            check("clCreateCommandQueue", error)?;
            let buffer = (cl.clCreateBuffer)(context, 1, COUNT * 4, null_mut(), &raw mut error);
            check("clCreateBuffer", error)?;
            let program =
                (cl.clCreateProgramWithSource)(context, 1, &raw const source, null(), &raw mut error);
            check("clCreateProgramWithSource", error)?;
            let built = (cl.clBuildProgram)(program, 1, &raw const device, c"".as_ptr(), null(), null_mut());
            check("clBuildProgram", built)?;
            let [spin, triple] =
                [c"spin", c"triple"].map(|name| (cl.clCreateKernel)(program, name.as_ptr(), &raw mut error));
            check("clCreateKernel", error)?;
            for kernel in [spin, triple] {
                check("clSetKernelArg", (cl.clSetKernelArg)(kernel, 0, 8, (&raw const buffer).cast()))?;
            }
            check("clSetKernelArg", (cl.clSetKernelArg)(spin, 1, 4, (&raw const ROUNDS).cast()))?;
            Ok(Work { cl, context, device, queue, spin, buffer, triple })
        }
    }

    /// Launches so many kernels of a millisecond and waits for them.
    pub(crate) fn steps(&self, depth: u32) -> Result<(), String> {
        for _ in 0..depth {
            check("clEnqueueNDRangeKernel", self.launch(self.spin, 1, null_mut()))?;
        }
        // SAFETY: our own queue.
        check("clFinish", unsafe { (self.cl.clFinish)(self.queue) })
    }

    /// The code of one launch.
    pub(crate) fn launch_code(&self) -> i32 {
        self.launch(self.spin, 1, null_mut())
    }

    /// Writes, computes and reads; whether the result is right.
    pub(crate) fn job(&self) -> Result<bool, String> {
        let data: Vec<u32> = (0..COUNT as u32).collect();
        self.put(&data)?;
        check("clEnqueueNDRangeKernel", self.launch(self.triple, COUNT, null_mut()))?;
        Ok(self.values()?.iter().zip(&data).all(|(got, sent)| *got == sent * 3 + 1))
    }

    /// Launches behind an event that nobody sets, and waits for that on another thread.
    pub(crate) fn hang(self) -> Result<(), String> {
        let never = self.user_event()?;
        check("clEnqueueNDRangeKernel", self.launch(self.spin, 1, never))?;
        let (queue, finish) = (self.queue as usize, self.cl.clFinish);
        // SAFETY: our own queue, never released.
        std::thread::spawn(move || unsafe { finish(queue as Handle) });
        Ok(())
    }

    /// An event that happens when somebody says so.
    pub(crate) fn user_event(&self) -> Result<Handle, String> {
        let mut error = 0;
        // SAFETY: our own context, and a place of ours.
        let event = unsafe { (self.cl.clCreateUserEvent)(self.context, &raw mut error) };
        check("clCreateUserEvent", error).map(|()| event)
    }

    /// All values become zero.
    pub(crate) fn put_zeros(&self) -> Result<(), String> {
        self.put(&vec![0; COUNT])
    }

    /// Launches a kernel that makes `3 x + 1` of each value `x`, behind an event, or null.
    pub(crate) fn triple_behind(&self, event: Handle) -> Result<(), String> {
        check("clEnqueueNDRangeKernel", self.launch(self.triple, COUNT, event))
    }

    /// A second queue on the same device.
    pub(crate) fn another_queue(&self) -> Result<Handle, String> {
        let mut error = 0;
        // SAFETY: the context and its device; a place of ours.
        let queue = unsafe { (self.cl.clCreateCommandQueue)(self.context, self.device, 0, &raw mut error) };
        check("clCreateCommandQueue", error).map(|()| queue)
    }

    fn put(&self, data: &[u32]) -> Result<(), String> {
        let (write, from) = (self.cl.clEnqueueWriteBuffer, data.as_ptr().cast());
        // SAFETY: the call waits, and the data are as long as said.
        let code =
            unsafe { write(self.queue, self.buffer, 1, 0, size_of_val(data), from, 0, null(), null_mut()) };
        check("clEnqueueWriteBuffer", code)
    }

    /// Waits for what was launched, and reads all values.
    pub(crate) fn values(&self) -> Result<Vec<u32>, String> {
        let mut values = vec![0u32; COUNT];
        let (read, to) = (self.cl.clEnqueueReadBuffer, values.as_mut_ptr().cast());
        // SAFETY: the call waits, and there is room for what is said.
        let code = unsafe { read(self.queue, self.buffer, 1, 0, COUNT * 4, to, 0, null(), null_mut()) };
        check("clEnqueueReadBuffer", code).map(|()| values)
    }

    /// Behind an event, or null.
    fn launch(&self, kernel: Handle, items: usize, event: Handle) -> i32 {
        let (count, events) = if event.is_null() { (0, null()) } else { (1, &raw const event) };
        // SAFETY: our own queue and kernel; one dimension; so many events.
        unsafe {
            let launch = self.cl.clEnqueueNDRangeKernel;
            launch(self.queue, kernel, 1, null(), &raw const items, null(), count, events, null_mut())
        }
    }
}
