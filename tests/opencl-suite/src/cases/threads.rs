//! Several contexts and several threads.

use super::{BLOCKING, NON_BLOCKING};
use crate::cl::{Bytes, Code, Context, Event, Kernel, Mem, Queue, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, bytes_of, pattern, range, set_step, stepped};
use opencl_sys::{CL_CONTEXT_NUM_DEVICES, CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_CUSTOM, CL_MEM_READ_WRITE};
use std::thread;

/// Runs `steps` launches on a buffer of its own and checks the result.
fn run_steps(queue: &Queue, buffer: &Mem, kernel: &mut Kernel, seed: u32, steps: u32) -> Result<bool, Code> {
    let mut expected = pattern(COUNT * 4, seed);
    let from = Some(Bytes::from(&expected));
    let mut last = queue.write(buffer, NON_BLOCKING, 0, COUNT * 4, from, now())?;
    for step in 0..steps {
        set_step(kernel, 2 * step + 1, seed)?;
        last = queue.launch(kernel, range(), after(&[&last]))?;
        expected = stepped(&expected, 2 * step + 1, seed);
    }
    let to = Bytes::new(COUNT * 4);
    queue.read(buffer, BLOCKING, 0, COUNT * 4, Some(to), after(&[&last]).quiet())?;
    Ok(to.get() == expected)
}

/// What a thread's work came to; a thread that panicked counts as wrong.
fn put_results(line: &mut Line, results: Vec<thread::Result<Result<bool, Code>>>) {
    for result in results {
        match result {
            Ok(Ok(right)) => line.check("thread", right),
            Ok(Err(code)) => line.put("thread", code),
            Err(_) => line.put("thread", "panicked"),
        }
    }
}

/// Runs `body` in `count` threads at once.
fn in_threads(
    count: u32,
    body: impl Fn(u32) -> Result<bool, Code> + Sync,
) -> Vec<thread::Result<Result<bool, Code>>> {
    let body = &body;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || body(number))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    })
}

pub(super) fn one_queue(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let program = work.program()?;
    let (queue, context) = (&work.queue, &work.context);
    let results = in_threads(8, |number| {
        let buffer = Mem::buffer(context, CL_MEM_READ_WRITE, COUNT * 4, None)?;
        let mut kernel = Kernel::new(program, "affine")?;
        kernel.set_mem(0, &buffer).ok()?;
        run_steps(queue, &buffer, &mut kernel, 150 + number, 50)
    });
    put_results(line, results);
    line.put("finish", work.queue.finish());
    Ok(())
}

pub(super) fn queue_each(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let program = work.program()?;
    let (device, context) = (work.device, &work.context);
    let results = in_threads(8, |number| {
        let queue = Queue::new(context, device, 0)?;
        let buffer = Mem::buffer(context, CL_MEM_READ_WRITE, COUNT * 4, None)?;
        let mut kernel = Kernel::new(program, "affine")?;
        kernel.set_mem(0, &buffer).ok()?;
        run_steps(&queue, &buffer, &mut kernel, 160 + number, 50)
    });
    put_results(line, results);
    Ok(())
}

pub(super) fn context_each(env: &Env, line: &mut Line) -> Verdict {
    let results = in_threads(4, |number| {
        let work = Work::new(env)?;
        let buffer = work.buffer(COUNT * 4)?;
        let mut kernel = work.step(&buffer, 1, 0)?;
        run_steps(&work.queue, &buffer, &mut kernel, 170 + number, 30)
    });
    put_results(line, results);
    Ok(())
}

pub(super) fn short_lived(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 180);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..50 {
        set_step(&mut kernel, 3, step)?;
        let (queue, kernel) = (&work.queue, &kernel);
        let launched = thread::scope(|scope| {
            scope.spawn(move || queue.launch(kernel, range(), now().quiet()).map(drop)).join()
        });
        launched.map_err(|_| Stop::System("thread panicked".to_owned()))??;
        expected = stepped(&expected, 3, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn wait_for_same_event(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 181))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let event = work.queue.launch(&kernel, range(), after(&[&gate]))?;
    work.queue.flush().ok()?;
    let results = in_threads(8, |number| {
        if number == 7 {
            return Ok(gate.set_status(0) == Code::SUCCESS);
        }
        Ok(event.wait() == Code::SUCCESS && event.status() == Ok(0))
    });
    put_results(line, results);
    Ok(())
}

pub(super) fn finish_beside_launches(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&bytes_of([0]))?;
    let program = work.program()?;
    let queue = &work.queue;
    let results = in_threads(4, |number| {
        if number == 0 {
            return Ok((0..50).all(|_| queue.finish() == Code::SUCCESS && queue.flush() == Code::SUCCESS));
        }
        let mut kernel = Kernel::new(program, "count")?;
        kernel.set_mem(0, &buffer).ok()?;
        for _launch in 0..100 {
            queue.launch(&kernel, range(), now().quiet())?;
        }
        Ok(true)
    });
    put_results(line, results);
    line.put("finish", work.queue.finish());
    work.put_buffer(line, "data", &buffer, &bytes_of([300 * COUNT as u32]))?;
    Ok(())
}

pub(super) fn contexts_side_by_side(env: &Env, line: &mut Line) -> Verdict {
    let works = (0..4).map(|_| Work::new(env)).collect::<crate::cl::Result<Vec<_>>>()?;
    let mut parts = Vec::new();
    for (work, seed) in works.iter().zip(182..) {
        let buffer = work.buffer_of(&pattern(COUNT * 4, seed))?;
        let kernel = work.step(&buffer, 3, seed)?;
        parts.push((buffer, kernel, pattern(COUNT * 4, seed), seed));
    }
    for _round in 0..20 {
        for (work, (_, kernel, expected, seed)) in works.iter().zip(&mut parts) {
            work.queue.launch(kernel, range(), now().quiet())?;
            *expected = stepped(expected, 3, *seed);
        }
    }
    for (work, (buffer, _, expected, _)) in works.iter().zip(&parts) {
        work.put_buffer(line, "data", buffer, expected)?;
    }
    Ok(())
}

pub(super) fn contexts_in_a_loop(env: &Env, line: &mut Line) -> Verdict {
    let mut right = 0;
    for seed in 0..20 {
        let context = Context::new(&env.device)?;
        let queue = Queue::new(&context, &env.device, 0)?;
        let data = pattern(4096, 190 + seed);
        let buffer = Mem::buffer(&context, CL_MEM_READ_WRITE, 4096, None)?;
        queue.write(&buffer, NON_BLOCKING, 0, 4096, Some(Bytes::from(&data)), now().quiet())?;
        let to = Bytes::new(4096);
        queue.read(&buffer, BLOCKING, 0, 4096, Some(to), now().quiet())?;
        right += u32::from(to.get() == data);
    }
    line.put("right", right);
    Ok(())
}

pub(super) fn context_information(env: &Env, line: &mut Line) -> Verdict {
    let context = line.code("make", Context::new(&env.device))?;
    line.value("references", context.references());
    let again = context.retain()?;
    line.value("references", context.references());
    line.put("release", again.release());
    line.value("references", context.references());
    line.value("devices", context.info::<u32>(CL_CONTEXT_NUM_DEVICES));
    let made = line.code("from-type", Context::from_type(env.device.platform, CL_DEVICE_TYPE_ALL))?;
    line.check("has-devices", made.info::<u32>(CL_CONTEXT_NUM_DEVICES)? > 0);
    let _ = line.code("no-such-type", Context::from_type(env.device.platform, CL_DEVICE_TYPE_CUSTOM));
    Ok(())
}
