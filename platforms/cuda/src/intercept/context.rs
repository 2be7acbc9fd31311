//! Contexts: waited for, and ended. Streams and events go with their context, so everything of ours lets go of it before.

use crate::driver::{CUDA_SUCCESS, Driver, Handle, driver};
use crate::{context, stream};
use std::ffi::c_int;
use xsched_runtime::nested;

xsched_runtime::handlers! {
    synchronize() -> c_int, SYNCHRONIZE => |call| {
        let current = driver().and_then(|driver| driver.current_context());
        complete(call, current)
    };
    synchronize_v2(context: Handle) -> c_int, SYNCHRONIZE_V2 => |call, context| {
        let meant = if context.is_null() { driver().and_then(|driver| driver.current_context()) } else { Some(context) };
        complete(call, meant)
    };
    destroy(context: Handle) -> c_int, DESTROY => |call, context| ended(call, context);
    destroy_v2(context: Handle) -> c_int, DESTROY_V2 => |call, context| ended(call, context);
    detach(context: Handle) -> c_int, DETACH => |call, context| ended(call, context);

    destroy_green(context: Handle) -> c_int, DESTROY_GREEN => |call, context| {
        if let Some(context) = driver().and_then(|driver| of_green(driver, context)) {
            forget(context);
        }
        nested(call)
    };

    reset_primary(device: c_int) -> c_int, RESET_PRIMARY => |call, device| reset(call, device);
    reset_primary_v2(device: c_int) -> c_int, RESET_PRIMARY_V2 => |call, device| reset(call, device);
    release_primary(device: c_int) -> c_int, RELEASE_PRIMARY => |call, device| released(call, device);
    release_primary_v2(device: c_int) -> c_int, RELEASE_PRIMARY_V2 => |call, device| released(call, device);
}

/// A call after which all streams of the context are complete.
fn complete(call: &dyn Fn() -> c_int, context: Option<Handle>) -> c_int {
    let queues = context.map(|context| stream::of_context(context as usize)).unwrap_or_default();
    queues.iter().for_each(|queue| queue.wait_for_turn());
    let queues: Vec<_> = queues.into_iter().map(|queue| (queue, queue.snapshot())).collect();
    let result = nested(call);
    if result == CUDA_SUCCESS {
        for (queue, then) in queues {
            queue.synced(then);
        }
    }
    result
}

fn ended(call: &dyn Fn() -> c_int, context: Handle) -> c_int {
    forget(context as usize);
    nested(call)
}

fn forget(context: usize) {
    stream::forget_context(context);
    context::forget(context);
}

/// Which of a device's contexts is the primary one is not known: all let go, and those that are still there are met again at their next use.
fn reset(call: &dyn Fn() -> c_int, device: c_int) -> c_int {
    contexts_of(device).into_iter().for_each(forget);
    nested(call)
}

/// The last release ends the context. Until it is known whether this was the last, nobody touches its streams.
fn released(call: &dyn Fn() -> c_int, device: c_int) -> c_int {
    let contexts = contexts_of(device);
    contexts.iter().for_each(|context| stream::forget_context(*context));
    let result = nested(call);
    if !driver().is_some_and(|driver| is_primary_active(driver, device)) {
        contexts.into_iter().for_each(context::forget);
    }
    result
}

/// The context that the streams of a green context belong to.
fn of_green(driver: &Driver, green: Handle) -> Option<usize> {
    let mut context: Handle = std::ptr::null_mut();
    // SAFETY: a place for the answer, and the program's green context.
    let result = unsafe { driver.cuCtxFromGreenCtx?(&raw mut context, green) };
    (result == CUDA_SUCCESS && !context.is_null()).then_some(context as usize)
}

fn contexts_of(device: c_int) -> Vec<usize> {
    driver().map(|driver| context::on_device(driver, device)).unwrap_or_default()
}

fn is_primary_active(driver: &Driver, device: c_int) -> bool {
    let (mut flags, mut active) = (0, 0);
    // SAFETY: places for the answers.
    let result =
        driver.cuDevicePrimaryCtxGetState.map(|get| unsafe { get(device, &raw mut flags, &raw mut active) });
    result == Some(CUDA_SUCCESS) && active != 0
}
