//! Queues, lists, and what is put into them.

use super::module::Named;
use super::{timeout, waited};
use crate::device;
use crate::engine::{Command, Place, Queue, Work};
use crate::ffi::{
    CopyRegion, DEVICE_LOST, Handle, INVALID_ARGUMENT, INVALID_SIZE, INVALID_SYNCHRONIZATION_OBJECT,
    MODE_SYNCHRONOUS, OUT_OF_HOST_MEMORY, QueueDesc, SUCCESS, ZeResult,
};
use crate::objects::{List, Recording, Signal, destroy, handle, object};
use std::ffi::c_void;
use std::sync::{MutexGuard, PoisonError};

unsafe fn new_queue(desc: *const QueueDesc) -> Option<Queue> {
    // SAFETY: the program's description, as Level Zero demands.
    Queue::new(unsafe { (*desc).mode } == MODE_SYNCHRONOUS)
}

pub(crate) unsafe extern "C" fn create_queue(
    _context: Handle,
    _device: Handle,
    desc: *const QueueDesc,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: the program's places; so everywhere below.
    let Some(queue) = (unsafe { new_queue(desc) }) else { return OUT_OF_HOST_MEMORY };
    // SAFETY: as above.
    unsafe { to.write(handle(queue)) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_queue(queue: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy::<Queue>(queue) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn execute(
    queue: Handle,
    count: u32,
    lists: *const Handle,
    fence: Handle,
) -> ZeResult {
    if count == 0 {
        return INVALID_SIZE;
    }
    if device::is_lost() {
        return DEVICE_LOST;
    }
    let mut commands = Vec::new();
    for i in 0..count as usize {
        // SAFETY: as above: so many lists.
        let List::Regular(recording) = (unsafe { object::<List>(*lists.add(i)) }) else {
            return INVALID_ARGUMENT;
        };
        let recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
        if !recording.is_closed {
            return INVALID_ARGUMENT;
        }
        commands.extend(recording.commands.iter().cloned());
    }
    // SAFETY: as above; the fence may be null.
    let fence = (!fence.is_null()).then(|| unsafe { object::<Signal>(fence) }.clone());
    if fence.as_ref().is_some_and(|fence| fence.is_set()) {
        return INVALID_SYNCHRONIZATION_OBJECT;
    }
    // SAFETY: as above.
    if unsafe { object::<Queue>(queue) }.give(commands, fence) { SUCCESS } else { DEVICE_LOST }
}

pub(crate) unsafe extern "C" fn synchronize_queue(queue: Handle, nanoseconds: u64) -> ZeResult {
    // SAFETY: as above.
    waited(unsafe { object::<Queue>(queue) }.wait(timeout(nanoseconds)))
}

pub(crate) unsafe extern "C" fn create_list(
    _context: Handle,
    _device: Handle,
    _desc: *const c_void,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: as above.
    unsafe { to.write(handle(List::Regular(Recording::default().into()))) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn create_immediate(
    _context: Handle,
    _device: Handle,
    desc: *const QueueDesc,
    to: *mut Handle,
) -> ZeResult {
    // SAFETY: as above.
    let Some(queue) = (unsafe { new_queue(desc) }) else { return OUT_OF_HOST_MEMORY };
    // SAFETY: as above.
    unsafe { to.write(handle(List::Immediate(queue))) };
    SUCCESS
}

pub(crate) unsafe extern "C" fn destroy_list(list: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { destroy::<List>(list) };
    SUCCESS
}

unsafe fn recording<'a>(list: Handle) -> Option<MutexGuard<'a, Recording>> {
    // SAFETY: as above.
    match unsafe { object::<List>(list) } {
        List::Regular(recording) => Some(recording.lock().unwrap_or_else(PoisonError::into_inner)),
        List::Immediate(_) => None,
    }
}

pub(crate) unsafe extern "C" fn close(list: Handle) -> ZeResult {
    // SAFETY: as above.
    let Some(mut recording) = (unsafe { recording(list) }) else { return INVALID_ARGUMENT };
    recording.is_closed = true;
    SUCCESS
}

pub(crate) unsafe extern "C" fn reset(list: Handle) -> ZeResult {
    // SAFETY: as above.
    let Some(mut recording) = (unsafe { recording(list) }) else { return INVALID_ARGUMENT };
    *recording = Recording::default();
    SUCCESS
}

/// Records or executes, as the list is.
unsafe fn append(list: Handle, work: Work, signal: Handle, waits: u32, wait_list: *const Handle) -> ZeResult {
    if waits > 0 && wait_list.is_null() {
        return INVALID_SIZE;
    }
    // SAFETY: as above: so many events.
    let waits = (0..waits as usize).map(|i| unsafe { object::<Signal>(*wait_list.add(i)) }.clone()).collect();
    // SAFETY: as above; the event may be null.
    let signal = (!signal.is_null()).then(|| unsafe { object::<Signal>(signal) }.clone());
    let command = Command { waits, work, signal };
    // SAFETY: as above.
    match unsafe { object::<List>(list) } {
        List::Immediate(_) if device::is_lost() => DEVICE_LOST,
        List::Immediate(queue) => {
            if queue.give(vec![command], None) {
                SUCCESS
            } else {
                DEVICE_LOST
            }
        }
        List::Regular(recording) => {
            let mut recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
            if recording.is_closed {
                return INVALID_ARGUMENT;
            }
            recording.commands.push(command);
            SUCCESS
        }
    }
}

/// Functions that append, each with its arguments before the event and the work that they make.
macro_rules! appends {
    ($($name:ident($($arg:ident: $ty:ty),*) => $work:expr;)*) => { $(
        pub(crate) unsafe extern "C" fn $name(
            list: Handle, $($arg: $ty,)* signal: Handle, waits: u32, wait_list: *const Handle,
        ) -> ZeResult {
            // SAFETY: as above.
            unsafe { append(list, $work, signal, waits, wait_list) }
        }
    )* };
}

appends! {
    append_timestamp(to: usize) => Work::Timestamp(to);
    append_barrier() => Work::Nothing;
    append_ranges_barrier(_count: u32, _sizes: *const usize, _ranges: *const usize) => Work::Nothing;
    append_copy(to: usize, from: usize, size: usize) => Work::Copy { to, from, size };
    append_copy_from_context(to: usize, _context: Handle, from: usize, size: usize) => Work::Copy { to, from, size };
    append_fill(to: usize, pattern: *const u8, pattern_size: usize, size: usize) =>
        Work::Fill { to, pattern: std::slice::from_raw_parts(pattern, pattern_size).to_vec(), size };
    append_copy_region(
        to: usize, to_region: *const CopyRegion, to_pitch: u32, to_slice: u32,
        from: usize, from_region: *const CopyRegion, from_pitch: u32, from_slice: u32
    ) => Work::CopyRegion {
        to: Place::new(to, *to_region, to_pitch, to_slice),
        from: Place::new(from, *from_region, from_pitch, from_slice),
    };
}

/// `zeCommandListAppendLaunchKernel` and those that only differ in how groups are counted.
pub(crate) unsafe extern "C" fn append_launch(
    list: Handle,
    kernel: Handle,
    _groups: *const c_void,
    signal: Handle,
    waits: u32,
    wait_list: *const Handle,
) -> ZeResult {
    // SAFETY: as above. Arguments are those of this moment.
    let kernel = unsafe { object::<Named>(kernel) }.snapshot();
    if !kernel.has_all_arguments() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as above.
    unsafe { append(list, Work::Launch(kernel), signal, waits, wait_list) }
}

pub(crate) unsafe extern "C" fn append_launches(
    list: Handle,
    count: u32,
    kernels: *const Handle,
    _counts: *const u32,
    groups: *const c_void,
    signal: Handle,
    waits: u32,
    wait_list: *const Handle,
) -> ZeResult {
    for i in 0..count as usize {
        let signal = if i + 1 == count as usize { signal } else { std::ptr::null_mut() };
        // SAFETY: as above: so many kernels.
        let result = unsafe { append_launch(list, *kernels.add(i), groups, signal, waits, wait_list) };
        if result != SUCCESS {
            return result;
        }
    }
    SUCCESS
}

/// Nothing behind it to signal.
unsafe fn append_alone(list: Handle, work: Work) -> ZeResult {
    // SAFETY: as above.
    unsafe { append(list, work, std::ptr::null_mut(), 0, std::ptr::null()) }
}

pub(crate) unsafe extern "C" fn append_prefetch(list: Handle, _: *const c_void, _: usize) -> ZeResult {
    // SAFETY: as above; so below.
    unsafe { append_alone(list, Work::Nothing) }
}

pub(crate) unsafe extern "C" fn append_advise(
    list: Handle,
    _device: Handle,
    _: *const c_void,
    _: usize,
    _: i32,
) -> ZeResult {
    // SAFETY: as above.
    unsafe { append_alone(list, Work::Nothing) }
}

pub(crate) unsafe extern "C" fn append_signal(list: Handle, event: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { append(list, Work::Nothing, event, 0, std::ptr::null()) }
}

pub(crate) unsafe extern "C" fn append_wait(list: Handle, count: u32, events: *const Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { append(list, Work::Nothing, std::ptr::null_mut(), count, events) }
}

pub(crate) unsafe extern "C" fn append_reset(list: Handle, event: Handle) -> ZeResult {
    // SAFETY: as above.
    unsafe { append_alone(list, Work::Reset(object::<Signal>(event).clone())) }
}
