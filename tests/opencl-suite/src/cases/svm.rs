//! Shared virtual memory, coarse-grained.

use super::{BLOCKING, NON_BLOCKING};
use crate::cl::{Bytes, Queue, Svm, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, set_step, stepped};
use opencl_sys::{
    CL_DEVICE_SVM_CAPABILITIES, CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, CL_KERNEL_EXEC_INFO_SVM_PTRS, CL_MAP_READ,
    CL_MAP_WRITE, CL_MEM_READ_WRITE, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, CL_MIGRATE_MEM_OBJECT_HOST,
};
use std::sync::mpsc::channel;

const SIZE: usize = COUNT * 4;

fn need_svm(env: &Env) -> Result<(), Stop> {
    env.need_version(200)?;
    let capabilities: u64 = env.device.info(CL_DEVICE_SVM_CAPABILITIES).unwrap_or(0);
    env.need(capabilities & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER != 0)
}

/// One allocation; a driver that says it has shared memory must give some.
fn shared<'a>(work: &'a Work<'_>) -> Result<Svm<'a>, Stop> {
    Svm::new(&work.context, CL_MEM_READ_WRITE, SIZE).ok_or_else(|| Stop::System("no memory".to_owned()))
}

/// Fills shared memory through a blocking map.
fn set(queue: &Queue, memory: Bytes, data: &[u8]) -> crate::cl::Result<()> {
    queue.svm_map(BLOCKING, CL_MAP_WRITE, memory, now().quiet())?;
    memory.set(0, data);
    queue.svm_unmap(memory, now().quiet()).map(drop)
}

/// Puts the hash of shared memory and whether it is right.
fn put(line: &mut Line, queue: &Queue, memory: Bytes, expected: &[u8]) -> crate::cl::Result<()> {
    queue.svm_map(BLOCKING, CL_MAP_READ, memory, now().quiet())?;
    line.data("data", memory, expected);
    let unmapped = queue.svm_unmap(memory, now())?;
    unmapped.wait().ok()
}

pub(super) fn kernel(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    let work = Work::new(env)?;
    let memory = shared(&work)?;
    let mut expected = pattern(SIZE, 60);
    set(&work.queue, memory.bytes, &expected)?;
    let mut kernel = work.kernel("affine")?;
    line.put("argument", kernel.set_svm(0, memory.bytes));
    line.put("list", kernel.set_svm_list(CL_KERNEL_EXEC_INFO_SVM_PTRS, &[memory.bytes]));
    for step in 0..10 {
        set_step(&mut kernel, 3, step)?;
        work.queue.launch(&kernel, range(), now().quiet())?;
        expected = stepped(&expected, 3, step);
    }
    put(line, &work.queue, memory.bytes, &expected)?;
    Ok(())
}

pub(super) fn map(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    let work = Work::new(env)?;
    let memory = shared(&work)?;
    let data = pattern(SIZE, 61);
    let queue = &work.queue;
    let flags = CL_MAP_READ | CL_MAP_WRITE;
    let mapped = line.code("map", queue.svm_map(NON_BLOCKING, flags, memory.bytes, now()))?;
    line.put("wait", mapped.wait());
    memory.bytes.set(0, &data);
    let unmapped = line.code("unmap", queue.svm_unmap(memory.bytes, now()))?;
    let again = line.code("again", queue.svm_map(BLOCKING, flags, memory.bytes, after(&[&unmapped])))?;
    line.status("again-status", again.status());
    line.data("data", memory.bytes, &data);
    line.code("unmap", queue.svm_unmap(memory.bytes, now()))?;
    line.put("finish", queue.finish());
    Ok(())
}

pub(super) fn copy_and_fill(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    let work = Work::new(env)?;
    let (a, b) = (shared(&work)?, shared(&work)?);
    let data = pattern(SIZE, 62);
    let queue = &work.queue;
    let from = Bytes::from(&data);
    let first = line.code("from-host", queue.svm_copy(NON_BLOCKING, a.bytes, from, now()))?;
    let second = line.code("copy", queue.svm_copy(NON_BLOCKING, b.bytes, a.bytes, after(&[&first])))?;
    let filled = line.code("fill", queue.svm_fill(a.bytes, &[1, 2, 3, 4], after(&[&second])))?;
    line.put("wait", filled.wait());
    let to = Bytes::new(SIZE);
    let back = line.code("to-host", queue.svm_copy(BLOCKING, to, b.bytes, now()))?;
    line.status("to-host-status", back.status());
    line.data("data", to, &data);
    let filled: Vec<u8> = [1, 2, 3, 4].into_iter().cycle().take(SIZE).collect();
    put(line, queue, a.bytes, &filled)?;
    Ok(())
}

pub(super) fn free(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    let work = Work::new(env)?;
    let queue = &work.queue;
    let memory = shared(&work)?;
    let mut kernel = work.kernel("affine")?;
    kernel.set_svm(0, memory.bytes).ok()?;
    set_step(&mut kernel, 3, 1)?;
    let launched = line.code("launch", queue.launch(&kernel, range(), now()))?;
    let (send, receive) = channel();
    let list = [memory.bytes];
    let called = queue.svm_free_with(
        &list,
        move |count| {
            let _ = send.send(count);
        },
        after(&[&launched]),
    );
    let called = line.code("free-with", called)?;
    line.put("wait", called.wait());
    line.put("pointers", receive.recv().map_err(|_| Stop::System("callback dropped".to_owned()))?);
    line.status("launch-status", launched.status());
    let bytes = memory.give_away();
    let freed = line.code("free", queue.svm_free(&[bytes], now()))?;
    line.put("wait", freed.wait());
    Ok(())
}

pub(super) fn migrate(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    env.need_version(210)?;
    let work = Work::new(env)?;
    let memory = shared(&work)?;
    let data = pattern(SIZE, 63);
    set(&work.queue, memory.bytes, &data)?;
    for (key, flags) in [("to-device", 0), ("to-host", CL_MIGRATE_MEM_OBJECT_HOST)] {
        let moved = line.code(key, work.queue.migrate_svm(&[memory.bytes], flags, now()))?;
        line.put("wait", moved.wait());
    }
    put(line, &work.queue, memory.bytes, &data)?;
    let undefined = CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED;
    line.code("undefined", work.queue.migrate_svm(&[memory.bytes], undefined, now()))?;
    line.put("finish", work.queue.finish());
    let _ = line.code("nothing", work.queue.migrate_svm(&[], 0, now()));
    Ok(())
}

pub(super) fn bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    need_svm(env)?;
    let work = Work::new(env)?;
    let queue = &work.queue;
    let memory = shared(&work)?;
    let null = Bytes::view(std::ptr::null_mut(), SIZE);
    let nothing = Bytes::view(memory.bytes.at(), 0);
    let _ = line.code("map-null", queue.svm_map(BLOCKING, CL_MAP_READ, null, now()));
    let _ = line.code("map-nothing", queue.svm_map(BLOCKING, CL_MAP_READ, nothing, now()));
    let _ = line.code("map-flags", queue.svm_map(BLOCKING, 1 << 20, memory.bytes, now()));
    let _ = line.code("unmap-null", queue.svm_unmap(null, now()));
    let _ = line.code("copy-null", queue.svm_copy(BLOCKING, null, memory.bytes, now()));
    let _ = line.code("copy-overlap", queue.svm_copy(BLOCKING, memory.bytes, memory.bytes.skip(1), now()));
    let _ = line.code("fill-null", queue.svm_fill(null, &[1], now()));
    let _ = line.code("fill-pattern", queue.svm_fill(memory.bytes, &[1, 2, 3], now()));
    let _ = line.code("free-nothing", queue.svm_free(&[], now()));
    let _ = line.code("null-queue", Queue::null().svm_map(BLOCKING, CL_MAP_READ, memory.bytes, now()));
    line.check("alloc-0", Svm::new(&work.context, CL_MEM_READ_WRITE, 0).is_none());
    Ok(())
}
