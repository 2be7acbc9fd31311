//! Streams: waited for, asked about, and destroyed.

use crate::capture;
use crate::driver::{CUDA_ERROR_NOT_READY, CUDA_SUCCESS, Handle};
use crate::stream::{Named, known, retire};
use std::ffi::c_int;
use xsched_runtime::{Queue, nested};

xsched_runtime::handlers! {
    synchronize(stream: Handle) -> c_int, SYNCHRONIZE =>
        |call, stream| wait(call, Named::plain(stream as usize));
    synchronize_ptsz(stream: Handle) -> c_int, SYNCHRONIZE_PTSZ =>
        |call, stream| wait(call, Named::per_thread(stream as usize));
    query(stream: Handle) -> c_int, QUERY => |call, stream| ask(call, Named::plain(stream as usize));
    query_ptsz(stream: Handle) -> c_int, QUERY_PTSZ =>
        |call, stream| ask(call, Named::per_thread(stream as usize));
    destroy(stream: Handle) -> c_int, DESTROY => |call, stream| destroyed(call, stream);
    destroy_v2(stream: Handle) -> c_int, DESTROY_V2 => |call, stream| destroyed(call, stream);
}

/// What was submitted through the API comes before.
fn wait(call: &dyn Fn() -> c_int, stream: Named) -> c_int {
    known(stream).inspect(|queue| queue.wait_for_turn());
    learn(call, stream)
}

/// A stream for which something was submitted that is not launched yet is not done, whatever the driver says.
fn ask(call: &dyn Fn() -> c_int, stream: Named) -> c_int {
    if known(stream).is_some_and(Queue::has_unlaunched) { CUDA_ERROR_NOT_READY } else { learn(call, stream) }
}

/// A call that succeeds when all of the stream is complete.
fn learn(call: &dyn Fn() -> c_int, stream: Named) -> c_int {
    let Some(queue) = known(stream) else { return nested(call) };
    let then = queue.snapshot();
    let result = nested(call);
    if result == CUDA_SUCCESS {
        queue.synced(then);
    }
    result
}

/// The driver takes the handle back, and may give it to the next stream. The default streams cannot be destroyed.
fn destroyed(call: &dyn Fn() -> c_int, stream: Handle) -> c_int {
    if let Named::Made(handle) = Named::plain(stream as usize) {
        retire(handle);
        let result = nested(call);
        if result == CUDA_SUCCESS && capture::is_any() {
            capture::end(handle);
        }
        return result;
    }
    nested(call)
}
