//! Arguments that enqueue functions must refuse: the code that the driver gives has to reach the program.
//!
//! Deliberately missing: what drivers in use crash on instead, such as a null kernel or a group of size 0.

use super::{BLOCKING, NON_BLOCKING};
use crate::cl::{Bytes, Context, Event, Image, Kernel, Mem, Nd, Queue, after, now, wait_all};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, build, pattern, range};
use opencl_sys::{CL_MAP_READ, CL_MEM_READ_WRITE};

pub(super) fn launch(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 90);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let queue = &work.queue;
    let huge = Nd::one(1 << 20).local([1 << 20, 1, 1]);
    for (key, nd) in [
        ("dimensions-0", range().dimensions(0)),
        ("dimensions-4", range().dimensions(4)),
        ("no-range", Nd { global: None, ..range() }),
        ("local-not-dividing", Nd::one(100).local([7, 1, 1])),
        ("local-too-large", huge),
        ("local-larger", Nd::one(16).local([64, 1, 1])),
    ] {
        let _ = line.code(key, queue.launch(&kernel, nd, now()));
    }
    let _ = line.code("null-queue", Queue::null().launch(&kernel, range(), now()));
    let fixed = work.kernel("sixteen")?;
    let _ = line.code("no-arguments", queue.launch(&fixed, range().local([16, 1, 1]), now()));
    let mut fixed = fixed;
    fixed.set_mem(0, &buffer).ok()?;
    let _ = line.code("other-group-size", queue.launch(&fixed, range().local([8, 1, 1]), now()));
    line.put("finish", queue.finish());
    work.put_buffer(line, "unchanged", &buffer, &data)?;
    Ok(())
}

pub(super) fn empty_range(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&pattern(4096, 90))?;
    let kernel = work.step(&buffer, 3, 1)?;
    if let Ok(event) = line.code("launch", work.queue.launch(&kernel, Nd::one(0), now())) {
        line.put("wait", event.wait());
        line.status("status", event.status());
    }
    if let Ok(event) = line.code("launch-two", work.queue.launch(&kernel, Nd::two(16, 0), now())) {
        line.put("wait", event.wait());
    }
    work.put_buffer(line, "unchanged", &buffer, &pattern(4096, 90))?;
    Ok(())
}

pub(super) fn arguments(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer(4096)?;
    let mut kernel = work.kernel("affine")?;
    line.put("index", kernel.set_u32(3, 1));
    line.put("size", kernel.set_bytes(1, &[1, 2]));
    line.put("missing-value", kernel.set_local(1, 4));
    line.put("local-for-global", kernel.set_local(0, 16));
    line.put("null-buffer", kernel.set_mem(0, &Mem::null()));
    line.put("buffer", kernel.set_mem(0, &buffer));
    line.put("factor", kernel.set_u32(1, 1));
    let _ = line.code("one-unset", work.queue.launch(&kernel, range(), now()));
    line.put("null-kernel", Kernel::null().set_u32(0, 1));
    let mut local = work.kernel("reverse")?;
    line.put("local-0", local.set_local(1, 0));
    line.put("local-with-value", local.set_u32(1, 4));
    let _ = line.code("no-such-kernel", Kernel::new(work.program()?, "absent"));
    Ok(())
}

pub(super) fn other_context(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = Context::new(work.device)?;
    let program = build(&other, work.device)?;
    let foreign_buffer = Mem::buffer(&other, CL_MEM_READ_WRITE, 4096, None)?;
    let buffer = work.buffer(4096)?;
    let foreign_event = Event::user(&other)?;
    let queue = &work.queue;
    let host = Some(Bytes::new(64));
    let mut kernel = Kernel::new(&program, "empty")?;
    let _ = line.code("kernel", queue.launch(&kernel, range(), now()));
    let _ = line.code("read", queue.read(&foreign_buffer, BLOCKING, 0, 64, host, now()));
    let _ = line.code("write", queue.write(&foreign_buffer, BLOCKING, 0, 64, host, now()));
    let _ = line.code("copy-from", queue.copy((&foreign_buffer, 0), (&buffer, 0), 64, now()));
    let _ = line.code("copy-to", queue.copy((&buffer, 0), (&foreign_buffer, 0), 64, now()));
    let _ = line.code("fill", queue.fill(&foreign_buffer, &[1], 0, 64, now()));
    let _ = line.code("map", queue.map(&foreign_buffer, BLOCKING, CL_MAP_READ, 0, 64, now()));
    kernel = work.kernel("empty")?;
    let _ = line.code("event-launch", queue.launch(&kernel, range(), after(&[&foreign_event])));
    let _ = line.code("event-read", queue.read(&buffer, BLOCKING, 0, 64, host, after(&[&foreign_event])));
    let _ = line.code("event-marker", queue.marker(after(&[&foreign_event])));
    let own = Event::user(&work.context)?;
    line.put("open", [own.set_status(0), foreign_event.set_status(0)].map(|code| code.to_string()).join("+"));
    line.put("wait-for-both", wait_all(&[&own, &foreign_event]));
    Ok(())
}

pub(super) fn wait_lists(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (a, b) = (work.buffer(4096)?, work.buffer(4096)?);
    let kernel = work.kernel("empty")?;
    let gate = Event::user(&work.context)?;
    let queue = &work.queue;
    let host = || Some(Bytes::new(64));
    let null = Event::null();
    for key in ["count-without-list", "list-without-count", "null-event"] {
        let order = || match key {
            "count-without-list" => now().with_count(1),
            "list-without-count" => after(&[&gate]).with_count(0),
            _ => after(&[&null]),
        };
        let mut codes = Vec::new();
        let mut try_it = |result: crate::cl::Result<Event>| {
            codes.push(result.err().unwrap_or(crate::cl::Code::SUCCESS).to_string());
        };
        // Drivers follow a missing list of a launch without looking.
        if key != "count-without-list" {
            try_it(queue.launch(&kernel, Nd::one(1), order()));
            try_it(queue.task(&kernel, order()));
        }
        try_it(queue.read(&a, NON_BLOCKING, 0, 64, host(), order()));
        try_it(queue.write(&a, NON_BLOCKING, 0, 64, host(), order()));
        try_it(queue.copy((&a, 0), (&b, 0), 64, order()));
        try_it(queue.fill(&a, &[1], 0, 64, order()));
        try_it(queue.marker(order()));
        try_it(queue.barrier(order()));
        try_it(queue.migrate(&[&a], 0, order()));
        line.put(key, codes.join("+"));
        let mapped = queue.map(&a, NON_BLOCKING, CL_MAP_READ, 0, 64, order());
        if let Ok((view, _event)) = line.code("map", mapped) {
            line.code("unmap", queue.unmap(&a, view, now().quiet()))?;
        }
    }
    line.put("open", gate.set_status(0));
    line.put("finish", queue.finish());
    Ok(())
}

pub(super) fn transfers(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 91);
    let (a, b) = (work.buffer_of(&data)?, work.buffer_of(&data)?);
    let queue = &work.queue;
    let host = Some(Bytes::new(4096));
    for (key, offset, size) in
        [("size-0", 0, 0), ("past-end", 4000, 100), ("far", 1 << 40, 4), ("at-end", 4096, 1)]
    {
        let _ = line.code(&format!("read-{key}"), queue.read(&a, BLOCKING, offset, size, host, now()));
        let _ = line.code(&format!("write-{key}"), queue.write(&a, BLOCKING, offset, size, host, now()));
        let _ = line.code(&format!("copy-from-{key}"), queue.copy((&a, offset), (&b, 0), size, now()));
        let _ = line.code(&format!("copy-to-{key}"), queue.copy((&a, 0), (&b, offset), size, now()));
        let _ = line.code(&format!("fill-{key}"), queue.fill(&a, &[1], offset, size, now()));
    }
    let _ = line.code("read-to-null", queue.read(&a, BLOCKING, 0, 64, None, now()));
    let _ = line.code("write-from-null", queue.write(&a, BLOCKING, 0, 64, None, now()));
    let _ = line.code("read-null", queue.read(&Mem::null(), BLOCKING, 0, 64, host, now()));
    let _ = line.code("write-null", queue.write(&Mem::null(), BLOCKING, 0, 64, host, now()));
    let _ = line.code("copy-null", queue.copy((&Mem::null(), 0), (&a, 0), 64, now()));
    let _ = line.code("fill-null", queue.fill(&Mem::null(), &[1], 0, 64, now()));
    let _ = line.code("fill-no-pattern", queue.fill(&a, &[], 0, 64, now()));
    work.put_buffer(line, "unchanged", &a, &data)?;
    work.put_buffer(line, "unchanged", &b, &data)?;
    Ok(())
}

pub(super) fn null_queue(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (a, b) = (work.buffer(4096)?, work.buffer(4096)?);
    let kernel = work.kernel("empty")?;
    let host = Some(Bytes::new(4096));
    let queue = Queue::null();
    let _ = line.code("task", queue.task(&kernel, now()));
    let _ = line.code("read", queue.read(&a, BLOCKING, 0, 64, host, now()));
    let _ = line.code("write", queue.write(&a, NON_BLOCKING, 0, 64, host, now()));
    let _ = line.code("copy", queue.copy((&a, 0), (&b, 0), 64, now()));
    let _ = line.code("fill", queue.fill(&a, &[1], 0, 64, now()));
    let _ = line.code("map", queue.map(&a, BLOCKING, CL_MAP_READ, 0, 64, now()));
    let _ = line.code("unmap", queue.unmap(&a, Bytes::new(64), now()));
    let _ = line.code("marker", queue.marker(now()));
    let _ = line.code("barrier", queue.barrier(now()));
    let _ = line.code("old-marker", queue.old_marker());
    line.put("old-barrier", queue.old_barrier());
    line.put("old-wait", queue.old_wait(&[]));
    let _ = line.code("migrate", queue.migrate(&[&a], 0, now()));
    line.put("flush", queue.flush());
    line.put("finish", queue.finish());
    let _ = line.code("retain", queue.retain());
    line.put("release", Queue::null().release());
    let _ = line.code("info", queue.references());
    let _ = line.code("properties", queue.set_property(0, true));
    if super::need_images(env).is_ok() {
        let shape = Image::flat(4, 4);
        let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
        let _ = line.code("read-image", queue.read_image(&image, BLOCKING, [0; 3], shape.size, host, now()));
        let _ = line.code("fill-image", queue.fill_image(&image, [0; 4], [0; 3], shape.size, now()));
    }
    Ok(())
}

pub(super) fn events(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    line.put("wait-null", Event::null().wait());
    line.put("wait-nothing", wait_all(&[]));
    line.put("release-null", Event::null().release());
    let _ = line.code("retain-null", Event::null().retain());
    line.status("status-null", Event::null().status());
    let _ = line.code("user-null-context", Event::user(&Context::null()));
    line.put("complete-null", Event::null().set_status(0));
    let command = work.queue.marker(now())?;
    line.put("complete-command", command.set_status(0));
    line.put("callback-null-event", Event::null().on(0, |_| ()));
    line.put("callback-null", command.on_nothing(0));
    line.put("callback-queued", command.on(3, |_| ()));
    line.put("callback-negative", command.on(-1, |_| ()));
    let _ = line.code("unknown-info", command.info::<u32>(1));
    let _ = line.code("short-info", command.info::<u32>(opencl_sys::CL_EVENT_COMMAND_QUEUE));
    line.put("finish", work.queue.finish());
    Ok(())
}

pub(super) fn queue_creation(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let _ = line.code("null-context", Queue::new(&Context::null(), work.device, 0));
    let nothing = crate::cl::Device { id: std::ptr::null_mut(), ..*work.device };
    let _ = line.code("null-device", Queue::new(&work.context, &nothing, 0));
    let _ = line.code("unknown-property", Queue::new(&work.context, work.device, 1 << 40));
    let _ = line.code("context-without-device", Context::on_devices(&[]));
    if env.need_version(200).is_ok() {
        let make = |list: &[u64]| Queue::with_properties(&work.context, work.device, list);
        let _ = line.code("list-unknown", make(&[0xdead, 1]));
        let properties = u64::from(opencl_sys::CL_QUEUE_PROPERTIES);
        let _ = line.code("list-bad-value", make(&[properties, 1 << 40]));
    }
    Ok(())
}
