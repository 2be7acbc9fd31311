//! Where a capture begins and ends. What happens in between is the program's alone.

use crate::capture;
use crate::driver::{Driver, Handle, driver};
use crate::stream::Named;
use std::ffi::c_int;
use xsched_runtime::nested;

type Pointer = *const std::ffi::c_void;

xsched_runtime::handlers! {
    begin(stream: Handle) -> c_int, BEGIN => |call, stream| begun(call, Named::plain(stream as usize));
    begin_ptsz(stream: Handle) -> c_int, BEGIN_PTSZ =>
        |call, stream| begun(call, Named::per_thread(stream as usize));
    begin_v2(stream: Handle, mode: c_int) -> c_int, BEGIN_V2 =>
        |call, stream, _| begun(call, Named::plain(stream as usize));
    begin_v2_ptsz(stream: Handle, mode: c_int) -> c_int, BEGIN_V2_PTSZ =>
        |call, stream, _| begun(call, Named::per_thread(stream as usize));
    begin_to_graph(stream: Handle, graph: Handle, nodes: Pointer, edges: Pointer, count: usize, mode: c_int) -> c_int, BEGIN_TO_GRAPH =>
        |call, stream, _, _, _, _, _| begun(call, Named::plain(stream as usize));
    begin_to_graph_ptsz(stream: Handle, graph: Handle, nodes: Pointer, edges: Pointer, count: usize, mode: c_int) -> c_int, BEGIN_TO_GRAPH_PTSZ =>
        |call, stream, _, _, _, _, _| begun(call, Named::per_thread(stream as usize));
    end(stream: Handle, graph: *mut Handle) -> c_int, END =>
        |call, stream, _| ended(call, Named::plain(stream as usize));
    end_ptsz(stream: Handle, graph: *mut Handle) -> c_int, END_PTSZ =>
        |call, stream, _| ended(call, Named::per_thread(stream as usize));
}

fn key(stream: Named) -> Option<(&'static Driver, usize)> {
    let driver = driver()?;
    Some((driver, stream.key(driver)?))
}

fn begun(call: &dyn Fn() -> c_int, stream: Named) -> c_int {
    match key(stream) {
        Some((_, key)) => capture::begin(key, || nested(call)),
        None => nested(call),
    }
}

/// An end that the driver refuses (in the wrong thread, say) ends nothing; one that reports a broken capture does.
fn ended(call: &dyn Fn() -> c_int, stream: Named) -> c_int {
    let known = key(stream);
    let result = nested(call);
    if let Some((driver, key)) = known
        && !stream.is_capturing(driver)
    {
        capture::end(key);
    }
    result
}
