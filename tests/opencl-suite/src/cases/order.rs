//! Order between commands: several queues, out-of-order queues, markers and barriers, polling.

use super::NON_BLOCKING;
use crate::cl::{Bytes, Event, Kernel, Mem, Queue, after, now, wait_all};
use crate::line::{Line, Verdict};
use crate::work::{COUNT, Env, Work, bytes_of, numbers_of, pattern, range, set_step, stepped};

pub(super) fn unflushed_cross_queue_wait(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = work.another_queue()?;
    let data = pattern(COUNT * 4, 120);
    let buffer = work.buffer_of(&data)?;
    let (first, second) = (work.step(&buffer, 3, 1)?, work.step(&buffer, 5, 2)?);
    let event = line.code("launch-a", work.queue.launch(&first, range(), now()))?;
    line.code("launch-b", other.launch(&second, range(), after(&[&event]).quiet()))?;
    line.put("finish-b", other.finish());
    line.status("a", event.status());
    work.put_buffer(line, "data", &buffer, &stepped(&stepped(&data, 3, 1), 5, 2))?;
    Ok(())
}

pub(super) fn ping_pong(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queues = [work.another_queue()?, work.another_queue()?];
    let mut expected = pattern(COUNT * 4, 121);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    let mut last: Option<Event> = None;
    for step in 0..100_u32 {
        set_step(&mut kernel, 2 * step + 1, step)?;
        let queue = &queues[step as usize % 2];
        let waits: Vec<_> = last.iter().collect();
        let order = after(&waits);
        let event = queue.launch(&kernel, range(), order)?;
        queue.flush().ok()?;
        last = Some(event);
        expected = stepped(&expected, 2 * step + 1, step);
    }
    line.put("finish", [queues[0].finish(), queues[1].finish()].map(|code| code.to_string()).join("+"));
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn diamond_of_queues(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queues = (0..4).map(|_| work.another_queue()).collect::<crate::cl::Result<Vec<_>>>()?;
    let data = pattern(COUNT * 4, 122);
    let [a, b, c] = [work.buffer_of(&data)?, work.buffer(COUNT * 4)?, work.buffer(COUNT * 4)?];
    let [on_a, on_b, on_c] = [work.step(&a, 3, 1)?, work.step(&b, 5, 2)?, work.step(&c, 7, 3)?];
    let mut sum = work.kernel("add")?;
    for (index, memory) in [&b, &c, &a].into_iter().enumerate() {
        sum.set_mem(index as u32, memory).ok()?;
    }
    let top = queues[0].launch(&on_a, range(), now())?;
    let mut sides = Vec::new();
    for (queue, memory, kernel) in [(&queues[1], &b, &on_b), (&queues[2], &c, &on_c)] {
        let copied = queue.copy((&a, 0), (memory, 0), COUNT * 4, after(&[&top]))?;
        sides.push(queue.launch(kernel, range(), after(&[&copied]))?);
    }
    let bottom = queues[3].launch(&sum, range(), after(&sides.iter().collect::<Vec<_>>()))?;
    for queue in &queues {
        line.put("flush", queue.flush());
    }
    line.put("wait", bottom.wait());
    let once = stepped(&data, 3, 1);
    let (left, right) = (stepped(&once, 5, 2), stepped(&once, 7, 3));
    let expected = numbers_of(&left).zip(numbers_of(&right)).map(|(a, b)| a.wrapping_add(b));
    work.put_buffer(line, "data", &a, &bytes_of(expected))?;
    Ok(())
}

pub(super) fn free_chain(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queue = work.free_queue()?;
    let mut expected = pattern(COUNT * 4, 123);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    let mut events: Vec<Event> = Vec::new();
    for step in 0..100 {
        set_step(&mut kernel, 2 * step + 1, step)?;
        let waits: Vec<_> = events.last().into_iter().collect();
        let order = after(&waits);
        let event = queue.launch(&kernel, range(), order)?;
        events.push(event);
        expected = stepped(&expected, 2 * step + 1, step);
    }
    line.put("finish", queue.finish());
    line.check("all-complete", events.iter().all(|event| event.status() == Ok(0)));
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

/// A graph of 64 nodes over 8 buffers: each node adds two buffers into a third, after the last writer of all
/// three and the readers of the third.
pub(super) fn free_graph(env: &Env, line: &mut Line) -> Verdict {
    const BUFFERS: usize = 8;
    let work = Work::new(env)?;
    let queue = work.free_queue()?;
    let mut data: Vec<_> = (0..BUFFERS).map(|index| pattern(COUNT * 4, 124 + index as u32)).collect();
    let buffers = data.iter().map(|data| work.buffer_of(data)).collect::<crate::cl::Result<Vec<_>>>()?;
    let mut kernel = work.kernel("add")?;
    let mut events: Vec<Event> = Vec::new();
    // For each buffer, the nodes that must end before it may be written.
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); BUFFERS];
    let choice = pattern(64 * 3, 7);
    for (node, three) in choice.chunks_exact(3).enumerate() {
        let [a, b, to] = [three[0], three[1], three[2]].map(|byte| usize::from(byte) % BUFFERS);
        for (index, buffer) in [a, b, to].into_iter().enumerate() {
            kernel.set_mem(index as u32, &buffers[buffer]).ok()?;
        }
        let waits: Vec<_> = [a, b, to].iter().flat_map(|buffer| &users[*buffer]).copied().collect();
        let waits: Vec<_> = waits.iter().filter_map(|node| events.get(*node)).collect();
        let event = queue.launch(&kernel, range(), after(&waits))?;
        events.push(event);
        [a, b, to].iter().for_each(|buffer| users[*buffer].push(node));
        let sums = numbers_of(&data[a]).zip(numbers_of(&data[b])).map(|(a, b)| a.wrapping_add(b));
        data[to] = bytes_of(sums.collect::<Vec<_>>());
    }
    line.put("finish", queue.finish());
    for (buffer, expected) in buffers.iter().zip(&data) {
        work.put_buffer(line, "data", buffer, expected)?;
    }
    Ok(())
}

pub(super) fn free_barriers(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queue = work.free_queue()?;
    let mut expected = pattern(COUNT * 4, 133);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..30 {
        set_step(&mut kernel, 3, step)?;
        queue.launch(&kernel, range(), now().quiet())?;
        if step % 2 == 0 {
            queue.barrier(now().quiet())?;
        } else {
            queue.old_barrier().ok()?;
        }
        expected = stepped(&expected, 3, step);
    }
    let marker = line.code("marker", queue.marker(now()))?;
    line.put("wait", marker.wait());
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn free_behind_gate(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queue = work.free_queue()?;
    let data = pattern(COUNT * 4, 134);
    let (held, passing) = (work.buffer_of(&data)?, work.buffer_of(&data)?);
    let (slow, fast) = (work.step(&held, 3, 1)?, work.step(&passing, 5, 2)?);
    let gate = Event::user(&work.context)?;
    let waiting = line.code("held", queue.launch(&slow, range(), after(&[&gate])))?;
    let passed = line.code("passing", queue.launch(&fast, range(), now()))?;
    line.put("wait-passing", passed.wait());
    line.check("held-waits", waiting.status()? > 0);
    line.put("open", gate.set_status(0));
    line.put("wait-held", waiting.wait());
    work.put_buffer(line, "held", &held, &stepped(&data, 3, 1))?;
    work.put_buffer(line, "passing", &passing, &stepped(&data, 5, 2))?;
    Ok(())
}

pub(super) fn markers(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queue = &work.queue;
    let empty = line.code("on-empty-queue", queue.marker(now()))?;
    line.put("wait", empty.wait());
    let buffer = work.buffer_of(&pattern(COUNT * 4, 135))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let launched = queue.launch(&kernel, range(), now())?;
    let marker = line.code("marker", queue.marker(now()))?;
    line.put("wait", marker.wait());
    line.status("launched", launched.status());
    let gate = Event::user(&work.context)?;
    let behind = line.code("behind-gate", queue.marker(after(&[&gate, &launched])))?;
    line.put("flush", queue.flush());
    line.check("waits", behind.status()? > 0);
    line.put("open", gate.set_status(0));
    line.put("wait", behind.wait());
    let barrier = line.code("barrier", queue.barrier(after(&[&behind])))?;
    line.put("wait", barrier.wait());
    line.code("quiet-marker", queue.marker(now().quiet()))?;
    line.code("quiet-barrier", queue.barrier(now().quiet()))?;
    line.put("finish", queue.finish());
    Ok(())
}

pub(super) fn old_markers(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = work.another_queue()?;
    let data = pattern(COUNT * 4, 136);
    let buffer = work.buffer_of(&data)?;
    let (first, second) = (work.step(&buffer, 3, 1)?, work.step(&buffer, 5, 2)?);
    let launched = work.queue.launch(&first, range(), now())?;
    let marker = line.code("marker", work.queue.old_marker())?;
    line.put("flush", work.queue.flush());
    line.put("barrier", other.old_barrier());
    line.code("launch", other.launch(&second, range(), after(&[&marker, &launched]).quiet()))?;
    line.put("barrier", other.old_barrier());
    let last = line.code("marker", other.old_marker())?;
    line.put("wait", last.wait());
    work.put_buffer(line, "data", &buffer, &stepped(&stepped(&data, 3, 1), 5, 2))?;
    line.put("marker-without-event", other.old_marker_without_event());
    Ok(())
}

pub(super) fn polling(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 137);
    let buffer = work.buffer_of(&expected)?;
    let kernel = work.step(&buffer, 3, 1)?;
    for round in 0..20 {
        let event = work.queue.launch(&kernel, range(), now())?;
        work.queue.flush().ok()?;
        let mut before = 3;
        loop {
            let status = event.status()?;
            if status > before || status < 0 {
                line.put("went-back", format_args!("{round}:{before}:{status}"));
            }
            if status <= 0 {
                break;
            }
            before = status;
            std::thread::yield_now();
        }
        expected = stepped(&expected, 3, 1);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn flush_and_finish(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let queues = (0..6).map(|_| work.another_queue()).collect::<crate::cl::Result<Vec<_>>>()?;
    line.put("flush-empty", queues[0].flush());
    line.put("finish-empty", queues[0].finish());
    let data = pattern(COUNT * 4, 138);
    let mut parts: Vec<(Mem, Kernel, Bytes)> = Vec::new();
    for queue in &queues {
        let buffer = work.buffer_of(&data)?;
        let kernel = work.step(&buffer, 3, 1)?;
        queue.launch(&kernel, range(), now().quiet())?;
        let to = Bytes::new(COUNT * 4);
        queue.read(&buffer, NON_BLOCKING, 0, COUNT * 4, Some(to), now().quiet())?;
        parts.push((buffer, kernel, to));
    }
    let all = |what: fn(&Queue) -> crate::cl::Code| {
        queues.iter().map(|queue| what(queue).to_string()).collect::<Vec<_>>().join("+")
    };
    line.put("flush", all(Queue::flush));
    line.put("finish", all(Queue::finish));
    line.put("finish-again", all(Queue::finish));
    for (_, _, to) in &parts {
        line.data("data", *to, &stepped(&data, 3, 1));
    }
    Ok(())
}

pub(super) fn wait_for_many(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = work.another_queue()?;
    let buffers = [work.buffer_of(&pattern(COUNT * 4, 139))?, work.buffer_of(&pattern(COUNT * 4, 140))?];
    let kernels = [work.step(&buffers[0], 3, 1)?, work.step(&buffers[1], 3, 1)?];
    let mut events = Vec::new();
    for _round in 0..50 {
        events.push(work.queue.launch(&kernels[0], range(), now())?);
        events.push(other.launch(&kernels[1], range(), now())?);
    }
    line.put("wait", wait_all(&events.iter().collect::<Vec<_>>()));
    line.check("all-complete", events.iter().all(|event| event.status() == Ok(0)));
    Ok(())
}
