//! Streams: waited for, asked about, and destroyed.

use crate::capture;
use crate::driver::{CUDA_SUCCESS, Handle};
use crate::stream::{Named, known, retire};
use std::ffi::c_int;
use xsched_runtime::nested;

xsched_runtime::handlers! {
    synchronize(stream: Handle) -> c_int, SYNCHRONIZE =>
        |call, stream| learn(call, Named::plain(stream as usize));
    synchronize_ptsz(stream: Handle) -> c_int, SYNCHRONIZE_PTSZ =>
        |call, stream| learn(call, Named::per_thread(stream as usize));
    query(stream: Handle) -> c_int, QUERY => |call, stream| learn(call, Named::plain(stream as usize));
    query_ptsz(stream: Handle) -> c_int, QUERY_PTSZ =>
        |call, stream| learn(call, Named::per_thread(stream as usize));
    destroy(stream: Handle) -> c_int, DESTROY => |call, stream| destroyed(call, stream);
    destroy_v2(stream: Handle) -> c_int, DESTROY_V2 => |call, stream| destroyed(call, stream);
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
