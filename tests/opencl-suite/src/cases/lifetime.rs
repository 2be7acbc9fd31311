//! Objects that the program releases while commands still use them.

use super::{BLOCKING, NON_BLOCKING, need_images};
use crate::cl::{Bytes, Event, Image, Queue, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, set_step, stepped};
use opencl_sys::{CL_MEM_READ_WRITE, CL_MEM_REFERENCE_COUNT};
use std::sync::mpsc::channel;

pub(super) fn kernel(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 80);
    let buffer = work.buffer_of(&expected)?;
    for step in 0..50 {
        let kernel = work.step(&buffer, 3, step)?;
        work.queue.launch(&kernel, range(), now().quiet())?;
        kernel.release().ok()?;
        expected = stepped(&expected, 3, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn buffer(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 81);
    let to = work.buffer_of(&vec![0; COUNT * 4])?;
    let mut kernel = work.kernel("affine")?;
    for step in 0..50 {
        let from = work.buffer(COUNT * 4)?;
        let source = Some(Bytes::from(&data));
        work.queue.write(&from, NON_BLOCKING, 0, data.len(), source, now().quiet())?;
        kernel.set_mem(0, &from).ok()?;
        set_step(&mut kernel, 3, step)?;
        work.queue.launch(&kernel, range(), now().quiet())?;
        work.queue.copy((&from, 0), (&to, 0), COUNT * 4, now().quiet())?;
        from.release().ok()?;
    }
    work.put_buffer(line, "data", &to, &stepped(&data, 3, 49))?;
    Ok(())
}

pub(super) fn event(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 82);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    let mut last: Option<Event> = None;
    for step in 0..50 {
        set_step(&mut kernel, 5, step)?;
        let waits: Vec<_> = last.iter().collect();
        let order = after(&waits);
        let event = work.queue.launch(&kernel, range(), order)?;
        if let Some(before) = last.replace(event) {
            before.release().ok()?;
        }
        expected = stepped(&expected, 5, step);
    }
    drop(last);
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn program(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 83);
    let buffer = work.buffer_of(&data)?;
    let program = crate::work::build(&work.context, work.device)?;
    line.value("references", program.references());
    let mut kernel = crate::cl::Kernel::new(&program, "affine")?;
    line.put("release-program", program.release());
    kernel.set_mem(0, &buffer).ok()?;
    set_step(&mut kernel, 7, 3)?;
    line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    line.put("release-kernel", kernel.release());
    work.put_buffer(line, "data", &buffer, &stepped(&data, 7, 3))?;
    Ok(())
}

pub(super) fn queue(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 84);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..20 {
        let queue = work.another_queue()?;
        set_step(&mut kernel, 5, step)?;
        queue.launch(&kernel, range(), now().quiet())?;
        let last = queue.launch(&kernel, range(), now())?;
        line_ok(queue.release())?;
        line_ok(last.wait())?;
        expected = stepped(&stepped(&expected, 5, step), 5, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

/// Turns a code that must be success into the case's end if it is not.
fn line_ok(code: crate::cl::Code) -> Result<(), Stop> {
    Ok(code.ok()?)
}

pub(super) fn everything(env: &Env, line: &mut Line) -> Verdict {
    let data = pattern(COUNT * 4, 85);
    let to = Bytes::new(COUNT * 4);
    let last = {
        let work = Work::new(env)?;
        let buffer = work.buffer_of(&data)?;
        let kernel = work.step(&buffer, 9, 4)?;
        let gate = Event::user(&work.context)?;
        work.queue.launch(&kernel, range(), after(&[&gate]).quiet())?;
        let last = work.queue.read(&buffer, NON_BLOCKING, 0, data.len(), Some(to), now())?;
        line.put("flush", work.queue.flush());
        line.put("open", gate.set_status(0));
        last
    };
    line.put("wait", last.wait());
    line.status("status", last.status());
    line.data("data", to, &stepped(&data, 9, 4));
    Ok(())
}

pub(super) fn destructor_callback(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 86))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let (send, receive) = channel();
    for number in 0..3 {
        let send = send.clone();
        line.put("register", buffer.on_destroy(move || _ = send.send(number)));
    }
    drop(send);
    let launched = line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    line.value("references", buffer.info::<u32>(CL_MEM_REFERENCE_COUNT).map(|count| count > 0));
    line.put("wait", launched.wait());
    line.put("finish", work.queue.finish());
    drop((kernel, launched));
    line.put("release", buffer.release());
    let order: Vec<_> = receive.iter().map(|number: u32| number.to_string()).collect();
    line.put("called", order.join(","));
    Ok(())
}

pub(super) fn image(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let data = pattern(shape.bytes(), 87);
    let (buffer, queue) = (work.buffer_of(&vec![0; shape.bytes()])?, &work.queue);
    for _round in 0..20 {
        let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
        let from = Some(Bytes::from(&data));
        queue.write_image(&image, NON_BLOCKING, [0; 3], shape.size, from, now().quiet())?;
        queue.image_to_buffer((&image, [0; 3]), (&buffer, 0), shape.size, now().quiet())?;
        image.release().ok()?;
    }
    work.put_buffer(line, "data", &buffer, &data)?;
    Ok(())
}

pub(super) fn user_event(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 88);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    line.value("references", gate.references());
    let second = gate.retain()?;
    line.value("references", gate.references());
    work.queue.launch(&kernel, range(), after(&[&gate]).quiet())?;
    line.put("release", gate.release());
    line.put("open", second.set_status(0));
    line.put("release", second.release());
    work.put_buffer(line, "data", &buffer, &stepped(&data, 3, 1))?;
    Ok(())
}

pub(super) fn retained_queue(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 89);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let queue = Queue::new(&work.context, work.device, 0)?;
    line.value("references", queue.references());
    let second = line.code("retain", queue.retain())?;
    line.value("references", queue.references());
    line.put("release", queue.release());
    line.value("references", second.references());
    line.code("launch", second.launch(&kernel, range(), now()))?;
    let to = Bytes::new(COUNT * 4);
    line.code("read", second.read(&buffer, BLOCKING, 0, COUNT * 4, Some(to), now()))?;
    line.data("data", to, &stepped(&data, 3, 1));
    line.put("release", second.release());
    Ok(())
}
