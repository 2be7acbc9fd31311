//! Launches: ranges, groups, local memory, arguments, tasks, native kernels, migration.

use super::BLOCKING;
use crate::cl::{Bytes, Context, Mem, Nd, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, bytes_of, numbers_of, pattern, range, set_step, stepped};
use opencl_sys::{
    CL_DEVICE_EXECUTION_CAPABILITIES, CL_EXEC_NATIVE_KERNEL, CL_KERNEL_ARG_ADDRESS_QUALIFIER,
    CL_KERNEL_COMPILE_WORK_GROUP_SIZE, CL_KERNEL_NUM_ARGS, CL_KERNEL_WORK_GROUP_SIZE,
    CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, CL_MIGRATE_MEM_OBJECT_HOST,
};
use std::sync::mpsc::channel;

pub(super) fn ranges(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer(16 * 8 * 4 * 4)?;
    let mut kernel = work.kernel("where")?;
    kernel.set_mem(0, &buffer).ok()?;
    for (key, nd, size, offset) in [
        ("one", Nd::one(100), [100, 1, 1], [0, 0, 0]),
        ("one-local", Nd::one(96).local([8, 1, 1]), [96, 1, 1], [0, 0, 0]),
        ("one-offset", Nd::one(64).offset([5, 0, 0]), [64, 1, 1], [5, 0, 0]),
        ("two", Nd::two(16, 8), [16, 8, 1], [0, 0, 0]),
        ("two-local", Nd::two(16, 8).local([4, 2, 1]), [16, 8, 1], [0, 0, 0]),
        ("three", Nd::three(16, 8, 4).offset([1, 2, 3]).local([4, 4, 2]), [16, 8, 4], [1, 2, 3]),
    ] {
        line.code(key, work.queue.launch(&kernel, nd, now()))?;
        let all = (0..size[2]).flat_map(|z| (0..size[1]).map(move |y| (y, z)));
        let all = all.flat_map(|(y, z)| (0..size[0]).map(move |x| (x, y, z)));
        let expected =
            all.map(|(x, y, z)| ((x + offset[0]) | ((y + offset[1]) << 8) | ((z + offset[2]) << 16)) as u32);
        work.put_buffer(line, "data", &buffer, &bytes_of(expected))?;
    }
    Ok(())
}

pub(super) fn local_memory(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 70);
    let buffer = work.buffer_of(&data)?;
    let mut kernel = work.kernel("reverse")?;
    kernel.set_mem(0, &buffer).ok()?;
    line.put("local", kernel.set_local(1, 64 * 4));
    line.code("launch", work.queue.launch(&kernel, range().local([64, 1, 1]), now()))?;
    let numbers: Vec<u32> = numbers_of(&data).collect();
    let expected = numbers.chunks(64).flat_map(|group| group.iter().rev().copied());
    work.put_buffer(line, "data", &buffer, &bytes_of(expected))?;
    Ok(())
}

pub(super) fn arguments_are_taken_at_launch(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 71);
    let (a, b) = (work.buffer_of(&data)?, work.buffer_of(&data)?);
    let mut kernel = work.step(&a, 3, 1)?;
    let gate = crate::cl::Event::user(&work.context)?;
    let first = work.queue.launch(&kernel, range(), after(&[&gate]))?;
    line.put("change-number", kernel.set_u32(2, 1000));
    line.put("change-memory", kernel.set_mem(0, &b));
    let second = work.queue.launch(&kernel, range(), now())?;
    line.put("release-kernel", kernel.release());
    line.put("open", gate.set_status(0));
    line.put("wait", crate::cl::wait_all(&[&first, &second]));
    work.put_buffer(line, "first", &a, &stepped(&data, 3, 1))?;
    work.put_buffer(line, "second", &b, &stepped(&data, 3, 1000))?;
    Ok(())
}

pub(super) fn kinds_of_arguments(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer(9 * 4)?;
    let mut kernel = work.kernel("kinds")?;
    kernel.set_mem(0, &buffer).ok()?;
    line.put("struct", kernel.set_bytes(1, &bytes_of([11, 12])));
    line.put("byte", kernel.set_bytes(2, &[200]));
    line.put("long", kernel.set_bytes(3, &0x1_0000_0002_u64.to_le_bytes()));
    line.put("vector", kernel.set_bytes(4, &bytes_of([1, 2, 3, 4])));
    line.code("launch", work.queue.launch(&kernel, Nd::one(1), now()))?;
    work.put_buffer(line, "data", &buffer, &bytes_of([11, 12, 200, 2, 1, 1, 2, 3, 4]))?;
    Ok(())
}

pub(super) fn information(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let kernel = work.kernel("sixteen")?;
    line.value("arguments", kernel.info::<u32>(CL_KERNEL_NUM_ARGS));
    line.value("references", kernel.references());
    let again = line.code("retain", kernel.retain())?;
    line.value("references", kernel.references());
    line.put("release", again.release());
    line.value("references", kernel.references());
    let compiled = kernel.group_info::<[usize; 3]>(work.device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE);
    line.value("compiled-for", compiled.map(|size| format!("{}x{}x{}", size[0], size[1], size[2])));
    let largest = kernel.group_info::<usize>(work.device, CL_KERNEL_WORK_GROUP_SIZE);
    line.check("largest-group", largest? >= 16);
    line.value("address-space", kernel.argument_info::<u32>(0, CL_KERNEL_ARG_ADDRESS_QUALIFIER));
    Ok(())
}

pub(super) fn copy_of_kernel(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(210)?;
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 72);
    let buffer = work.buffer_of(&data)?;
    let mut kernel = work.step(&buffer, 3, 1)?;
    let copy = line.code("copy", kernel.copy())?;
    set_step(&mut kernel, 5, 2)?;
    line.code("launch-copy", work.queue.launch(&copy, range(), now()))?;
    line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    work.put_buffer(line, "data", &buffer, &stepped(&stepped(&data, 3, 1), 5, 2))?;
    Ok(())
}

pub(super) fn task(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&[0; 4])?;
    let mut kernel = work.kernel("count")?;
    kernel.set_mem(0, &buffer).ok()?;
    let mut last = None;
    for _task in 0..20 {
        let waits = last.iter().collect::<Vec<_>>();
        let order = after(&waits);
        last = Some(work.queue.task(&kernel, order)?);
    }
    line.put("wait", last.as_ref().map_or(crate::cl::Code::SUCCESS, crate::cl::Event::wait));
    line.code("quiet", work.queue.task(&kernel, now().quiet()))?;
    work.put_buffer(line, "data", &buffer, &bytes_of([21]))?;
    let unset = work.kernel("count")?;
    let _ = line.code("no-arguments", work.queue.task(&unset, now()));
    Ok(())
}

pub(super) fn long_chain(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(64 * 4, 73);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..1000 {
        set_step(&mut kernel, 2 * step + 1, step ^ 0x55)?;
        work.queue.launch(&kernel, Nd::one(64), now().quiet())?;
        expected = stepped(&expected, 2 * step + 1, step ^ 0x55);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn atomics(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&[0; 4])?;
    let mut kernel = work.kernel("count")?;
    kernel.set_mem(0, &buffer).ok()?;
    for _launch in 0..50 {
        work.queue.launch(&kernel, range(), now().quiet())?;
    }
    line.put("finish", work.queue.finish());
    work.put_buffer(line, "data", &buffer, &bytes_of([50 * COUNT as u32]))?;
    Ok(())
}

fn need_native(env: &Env) -> Result<(), Stop> {
    let can: u64 = env.device.info(CL_DEVICE_EXECUTION_CAPABILITIES).unwrap_or(0);
    env.need(can & CL_EXEC_NATIVE_KERNEL != 0)
}

pub(super) fn native(env: &Env, line: &mut Line) -> Verdict {
    need_native(env)?;
    let work = Work::new(env)?;
    let (send, receive) = channel();
    let send_back = move |memory: &[*mut u8]| {
        let _ = send.send(memory.len());
    };
    let ran = line.code("native", work.queue.native(&[], Box::new(send_back), now()))?;
    line.put("wait", ran.wait());
    line.status("status", ran.status());
    line.put("memory-objects", receive.recv().map_err(|_| Stop::System("function dropped".to_owned()))?);
    Ok(())
}

pub(super) fn native_between_kernels(env: &Env, line: &mut Line) -> Verdict {
    need_native(env)?;
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 74);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    line.code("before", work.queue.launch(&kernel, range(), now()))?;
    let double = |memory: &[*mut u8]| {
        if let Some(first) = memory.first() {
            let view = Bytes::view(first.cast(), COUNT * 4);
            view.set(0, &stepped(&view.get(), 2, 0));
        }
    };
    line.code("native", work.queue.native(&[&buffer], Box::new(double), now()))?;
    line.code("after", work.queue.launch(&kernel, range(), now()))?;
    let expected = stepped(&stepped(&stepped(&data, 3, 1), 2, 0), 3, 1);
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn native_bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    need_native(env)?;
    let work = Work::new(env)?;
    let _ = line.code("no-function", work.queue.bad_native(false, 0));
    let _ = line.code("size-without-block", work.queue.bad_native(true, 8));
    let _ = line.code("null-queue", crate::cl::Queue::null().native(&[], Box::new(|_| ()), now()));
    let _ = line.code("null-memory", work.queue.native(&[&Mem::null()], Box::new(|_| ()), now()));
    Ok(())
}

pub(super) fn migration(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 75);
    let (a, b) = (work.buffer_of(&data)?, work.buffer_of(&data)?);
    let kernel = work.step(&a, 3, 1)?;
    let queue = &work.queue;
    for (key, flags) in [("to-host", CL_MIGRATE_MEM_OBJECT_HOST), ("to-device", 0)] {
        let moved = line.code(key, queue.migrate(&[&a, &b], flags, now()))?;
        line.code("launch", queue.launch(&kernel, range(), after(&[&moved])))?;
        line.put("wait", moved.wait());
    }
    work.put_buffer(line, "data", &a, &stepped(&stepped(&data, 3, 1), 3, 1))?;
    work.put_buffer(line, "other", &b, &data)?;
    let undefined = CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED;
    line.code("undefined", queue.migrate(&[&b], undefined, now()))?;
    queue.write(&b, BLOCKING, 0, data.len(), Some(Bytes::from(&data)), now().quiet())?;
    work.put_buffer(line, "written", &b, &data)?;
    let _ = line.code("nothing", queue.migrate(&[], 0, now()));
    let _ = line.code("null-buffer", queue.migrate(&[&Mem::null()], 0, now()));
    let _ = line.code("flags", queue.migrate(&[&a], 1 << 30, now()));
    let other = Context::new(work.device)?;
    let foreign = Mem::buffer(&other, opencl_sys::CL_MEM_READ_WRITE, 64, None)?;
    let _ = line.code("other-context", queue.migrate(&[&foreign], 0, now()));
    Ok(())
}
