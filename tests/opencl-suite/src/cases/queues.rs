//! Command queues themselves: making and releasing many, information, properties, profiling, sub-devices.

use super::{BLOCKING, NON_BLOCKING, need_images};
use crate::cl::{Bytes, Context, Event, Image, Kernel, Nd, Queue, Rect, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, build, bytes_of, pattern, range, set_step, stepped};
use opencl_sys::{
    CL_DEVICE_PARTITION_EQUALLY, CL_EVENT_COMMAND_QUEUE, CL_EVENT_COMMAND_TYPE, CL_EVENT_CONTEXT,
    CL_MAP_READ, CL_MEM_READ_WRITE, CL_PROFILING_COMMAND_END, CL_PROFILING_COMMAND_QUEUED,
    CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_SUBMIT, CL_QUEUE_CONTEXT, CL_QUEUE_DEVICE,
    CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, CL_QUEUE_PROFILING_ENABLE, CL_QUEUE_PROPERTIES,
};
use std::ffi::c_void;

pub(super) fn made_and_released(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    for _queue in 0..500 {
        let queue = work.another_queue()?;
        queue.release().ok()?;
    }
    line.put("made", 500);
    Ok(())
}

pub(super) fn used_and_released(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(256, 200);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..200 {
        let queue = work.another_queue()?;
        set_step(&mut kernel, 3, step)?;
        queue.launch(&kernel, Nd::one(64), now().quiet())?;
        queue.finish().ok()?;
        queue.release().ok()?;
        expected = stepped(&expected, 3, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn many_alive(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queues = (0..64).map(|_| work.another_queue()).collect::<crate::cl::Result<Vec<_>>>()?;
    let buffer = work.buffer_of(&bytes_of([0]))?;
    let mut kernel = work.kernel("count")?;
    kernel.set_mem(0, &buffer).ok()?;
    for _round in 0..4 {
        for queue in &queues {
            queue.launch(&kernel, Nd::one(16), now().quiet())?;
        }
    }
    let finished = queues.iter().filter(|queue| queue.finish() == crate::cl::Code::SUCCESS).count();
    line.put("finished", finished);
    work.put_buffer(line, "data", &buffer, &bytes_of([64 * 4 * 16]))?;
    Ok(())
}

pub(super) fn information(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queue = line.code("make", Queue::new(&work.context, work.device, CL_QUEUE_PROFILING_ENABLE))?;
    line.value("references", queue.references());
    line.value("properties", queue.properties());
    line.check("context", queue.info::<*mut c_void>(CL_QUEUE_CONTEXT)? == work.context.raw());
    line.check("device", queue.info::<*mut c_void>(CL_QUEUE_DEVICE)? == work.device.id);
    let mut owners = Vec::new();
    for _owner in 0..10 {
        owners.push(queue.retain()?);
    }
    line.value("references", queue.references());
    drop(owners);
    line.value("references", queue.references());
    let _ = line.code("unknown", queue.info::<u32>(1));
    Ok(())
}

pub(super) fn properties(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    for (key, properties) in [
        ("none", 0),
        ("profiling", CL_QUEUE_PROFILING_ENABLE),
        ("free", CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE),
        ("both", CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE),
    ] {
        if let Ok(queue) = line.code(key, Queue::new(&work.context, work.device, properties)) {
            line.value("properties", queue.properties());
            let marker = queue.marker(now())?;
            line.put("wait", marker.wait());
        }
    }
    Ok(())
}

pub(super) fn property_list(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(200)?;
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 201);
    let buffer = work.buffer_of(&expected)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let key = u64::from(CL_QUEUE_PROPERTIES);
    for (name, list) in [
        ("none", &[][..]),
        ("zero", &[key, 0][..]),
        ("profiling", &[key, CL_QUEUE_PROFILING_ENABLE][..]),
        ("free", &[key, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE][..]),
    ] {
        if let Ok(queue) = line.code(name, Queue::with_properties(&work.context, work.device, list)) {
            line.value("properties", queue.properties());
            let event = queue.launch(&kernel, range(), now())?;
            line.put("finish", queue.finish());
            line.status("status", event.status());
            expected = stepped(&expected, 3, 1);
        }
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn profiling(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::with_queue(env, CL_QUEUE_PROFILING_ENABLE)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 202))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let mut events = Vec::new();
    for _launch in 0..10 {
        events.push(work.queue.launch(&kernel, range(), now())?);
    }
    events.push(work.queue.copy((&buffer, 0), (&work.buffer(COUNT * 4)?, 0), COUNT * 4, now())?);
    line.put("finish", work.queue.finish());
    let times = [
        CL_PROFILING_COMMAND_QUEUED,
        CL_PROFILING_COMMAND_SUBMIT,
        CL_PROFILING_COMMAND_START,
        CL_PROFILING_COMMAND_END,
    ];
    let (mut in_order, mut one_by_one, mut last_end) = (true, true, 0);
    for event in &events {
        let stamps = times.iter().map(|time| event.time(*time)).collect::<Result<Vec<_>, _>>()?;
        in_order &= stamps.is_sorted();
        one_by_one &= stamps.get(2).is_some_and(|start| *start >= last_end);
        last_end = stamps.last().copied().unwrap_or(0);
    }
    line.check("stamps-in-order", in_order);
    line.check("one-by-one", one_by_one);
    let plain = work.another_queue()?;
    let event = plain.marker(now())?;
    line.put("wait", event.wait());
    line.value("without-property", event.time(CL_PROFILING_COMMAND_END));
    let gate = Event::user(&work.context)?;
    let waiting = work.queue.launch(&kernel, range(), after(&[&gate]))?;
    line.value("before-end", waiting.time(CL_PROFILING_COMMAND_END));
    line.put("open", gate.set_status(0));
    line.put("wait", waiting.wait());
    let _ = line.code("unknown", waiting.time(1));
    Ok(())
}

pub(super) fn command_types(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (a, b) = (work.buffer(4096)?, work.buffer(4096)?);
    let kernel = work.kernel("empty")?;
    let (queue, host) = (&work.queue, Bytes::new(4096));
    let rect = Rect {
        buffer_origin: [0; 3],
        host_origin: [0; 3],
        region: [4, 4, 1],
        buffer_pitch: [0, 0],
        host_pitch: [0, 0],
    };
    let mut events = vec![
        ("launch", queue.launch(&kernel, Nd::one(1), now())?),
        ("task", queue.task(&kernel, now())?),
        ("read", queue.read(&a, NON_BLOCKING, 0, 64, Some(host), now())?),
        ("write", queue.write(&a, NON_BLOCKING, 0, 64, Some(host), now())?),
        ("copy", queue.copy((&a, 0), (&b, 0), 64, now())?),
        ("fill", queue.fill(&a, &[1], 0, 64, now())?),
        ("read-rect", queue.read_rect(&a, NON_BLOCKING, &rect, host, now())?),
        ("write-rect", queue.write_rect(&a, NON_BLOCKING, &rect, host, now())?),
        ("copy-rect", queue.copy_rect(&a, &b, &rect, now())?),
        ("migrate", queue.migrate(&[&a], 0, now())?),
        ("marker", queue.marker(now())?),
        ("barrier", queue.barrier(now())?),
        ("old-marker", queue.old_marker()?),
    ];
    let (view, mapped) = queue.map(&a, BLOCKING, CL_MAP_READ, 0, 64, now())?;
    events.push(("map", mapped));
    events.push(("unmap", queue.unmap(&a, view, now())?));
    if need_images(env).is_ok() {
        let shape = Image::flat(4, 4);
        let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
        let whole = shape.size;
        events.push(("fill-image", queue.fill_image(&image, [0; 4], [0; 3], whole, now())?));
        events.push(("read-image", queue.read_image(&image, BLOCKING, [0; 3], whole, Some(host), now())?));
        events.push(("to-buffer", queue.image_to_buffer((&image, [0; 3]), (&a, 0), whole, now())?));
        events.push(("to-image", queue.buffer_to_image((&a, 0), (&image, [0; 3]), whole, now())?));
        queue.finish().ok()?;
    }
    line.put("finish", queue.finish());
    let mut same = true;
    for (key, event) in &events {
        line.value(key, event.info::<u32>(CL_EVENT_COMMAND_TYPE).map(|kind| format!("{kind:#x}")));
        same &= event.info::<*mut c_void>(CL_EVENT_COMMAND_QUEUE)? == queue.raw();
        same &= event.info::<*mut c_void>(CL_EVENT_CONTEXT)? == work.context.raw();
    }
    line.check("queue-and-context", same);
    Ok(())
}

pub(super) fn sub_devices(env: &Env, line: &mut Line) -> Verdict {
    let parts = match env.device.split(CL_DEVICE_PARTITION_EQUALLY, 1) {
        Ok(parts) if !parts.is_empty() => parts,
        _ => return Err(Stop::Unsupported),
    };
    line.value("references", parts[0].references());
    let devices: Vec<_> = parts.iter().map(crate::cl::SubDevice::raw).collect();
    let context = line.code("context", Context::on_devices(&devices))?;
    let mut expected = pattern(COUNT * 4, 203);
    let from = Some(Bytes::from(&expected));
    let flags = CL_MEM_READ_WRITE | opencl_sys::CL_MEM_COPY_HOST_PTR;
    let buffer = line.code("buffer", crate::cl::Mem::buffer(&context, flags, COUNT * 4, from))?;
    for part in parts.iter().take(2) {
        let device = crate::cl::Device { id: part.raw(), ..env.device };
        let queue = line.code("queue", Queue::new(&context, &device, 0))?;
        let program = build(&context, &device)?;
        let mut kernel = Kernel::new(&program, "affine")?;
        kernel.set_mem(0, &buffer).ok()?;
        set_step(&mut kernel, 3, 1)?;
        line.code("launch", queue.launch(&kernel, range(), now()))?;
        expected = stepped(&expected, 3, 1);
        let to = Bytes::new(COUNT * 4);
        line.code("read", queue.read(&buffer, BLOCKING, 0, COUNT * 4, Some(to), now()))?;
        line.data("data", to, &expected);
    }
    Ok(())
}
