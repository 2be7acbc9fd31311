//! Event callbacks, which run on the driver's threads and may enqueue.

use crate::cl::{Code, Event, Kernel, Mem, Queue, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, set_step, stepped};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Waits for what a callback sends.
fn receive<T>(from: &Receiver<T>) -> Result<T, Stop> {
    from.recv().map_err(|_| Stop::System("callback dropped".to_owned()))
}

pub(super) fn complete(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 110))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let event = line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    let (send, from) = channel();
    line.put("register", event.on(0, move |status| _ = send.send(status)));
    line.put("wait", event.wait());
    line.status("called-with", Ok(receive(&from)?));
    let (send, from) = channel();
    line.put("register-late", event.on(0, move |status| _ = send.send(status)));
    line.status("called-with", Ok(receive(&from)?));
    Ok(())
}

pub(super) fn every_status(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&pattern(COUNT * 4, 111))?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let event = work.queue.launch(&kernel, range(), after(&[&gate]))?;
    let (send, from) = channel();
    for status in [2, 1, 0] {
        let send = send.clone();
        line.put("register", event.on(status, move |_status| _ = send.send(status)));
    }
    drop(send);
    line.put("flush", work.queue.flush());
    line.put("open", gate.set_status(0));
    line.put("wait", event.wait());
    let mut called = [receive(&from)?, receive(&from)?, receive(&from)?];
    called.sort_unstable();
    line.put("called", called.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    Ok(())
}

pub(super) fn many_on_one_event(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let gate = Event::user(&work.context)?;
    let event = work.queue.marker(after(&[&gate]))?;
    let (send, from) = channel();
    for number in 0..50_u32 {
        let send = send.clone();
        event.on(0, move |_status| _ = send.send(number)).ok()?;
    }
    drop(send);
    line.put("flush", work.queue.flush());
    line.put("open", gate.set_status(0));
    let mut called: Vec<u32> = (0..50).map(|_| receive(&from)).collect::<Result<_, _>>()?;
    called.sort_unstable();
    line.check("each-once", called.iter().copied().eq(0..50));
    Ok(())
}

/// What a callback needs to enqueue the next step.
struct Chain {
    queue: Queue,
    kernel: Mutex<Kernel>,
    done: Sender<Code>,
}

impl Chain {
    /// Enqueues step `step`, whose callback enqueues the next one, up to `last`.
    fn enqueue(self: &Arc<Self>, step: u32, last: u32) {
        if let Err(code) = self.try_enqueue(step, last) {
            let _ = self.done.send(code);
        }
    }

    fn try_enqueue(self: &Arc<Self>, step: u32, last: u32) -> crate::cl::Result<()> {
        let event = {
            let mut kernel = self.kernel.lock().map_err(|_| Code(-9999))?;
            set_step(&mut kernel, 3, step)?;
            self.queue.launch(&kernel, range(), now())?
        };
        let next = Arc::clone(self);
        let registered = event.on(0, move |_status| {
            if step == last {
                let _ = next.done.send(Code::SUCCESS);
            } else {
                next.enqueue(step + 1, last);
            }
        });
        registered.ok()?;
        self.queue.flush().ok()
    }
}

pub(super) fn enqueue_more(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 112);
    let buffer = work.buffer_of(&expected)?;
    let (done, from) = channel();
    let (queue, kernel) = (work.queue.retain()?, Mutex::new(work.step(&buffer, 1, 0)?));
    let chain = Arc::new(Chain { queue, kernel, done });
    chain.enqueue(0, 49);
    line.put("done", receive(&from)?);
    for step in 0..50 {
        expected = stepped(&expected, 3, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn enqueue_on_other_queue(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 113);
    let (a, b) = (work.buffer_of(&expected)?, work.buffer_of(&vec![0; COUNT * 4])?);
    let other = Arc::new(work.another_queue()?);
    let kernel = work.step(&a, 3, 1)?;
    let (send, done) = channel();
    for _round in 0..10 {
        let event = work.queue.launch(&kernel, range(), now())?;
        let (send, queue) = (send.clone(), Arc::clone(&other));
        let (from, to): (Mem, Mem) = (a.retain()?, b.retain()?);
        let copy = move |_status| {
            let copied = queue.copy((&from, 0), (&to, 0), COUNT * 4, now().quiet());
            let _ = send.send(copied.err().unwrap_or_else(|| queue.flush()));
        };
        event.on(0, copy).ok()?;
        receive(&done)?.ok()?;
        line_up(&other)?;
        expected = stepped(&expected, 3, 1);
    }
    work.put_buffer(line, "data", &b, &expected)?;
    Ok(())
}

/// Lets the queue run dry, so that the next round cannot change what it still reads.
fn line_up(queue: &Queue) -> Result<(), Stop> {
    Ok(queue.finish().ok()?)
}

/// A callback on an event that the program itself completes runs in the completing thread or on a driver's.
pub(super) fn on_user_event(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 114);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let (send, done) = channel();
    let queue = work.queue.retain()?;
    let launch = move |status| {
        let launched = queue.launch(&kernel, range(), now().quiet());
        let _ = send.send((status, launched.err().unwrap_or_else(|| queue.flush())));
    };
    line.put("register", gate.on(0, launch));
    line.put("open", gate.set_status(0));
    let (status, code) = receive(&done)?;
    line.status("called-with", Ok(status));
    line.put("launched", code);
    work.put_buffer(line, "data", &buffer, &stepped(&data, 3, 1))?;
    Ok(())
}

/// A callback opens the gate that another queue waits behind.
pub(super) fn opens_gate(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = work.another_queue()?;
    let data = pattern(COUNT * 4, 115);
    let buffer = work.buffer_of(&data)?;
    let (first, second) = (work.step(&buffer, 3, 1)?, work.step(&buffer, 5, 2)?);
    let gate = Event::user(&work.context)?;
    let waiting = line.code("behind", other.launch(&second, range(), after(&[&gate])))?;
    line.put("flush", other.flush());
    let event = line.code("launch", work.queue.launch(&first, range(), now()))?;
    let opener = gate.retain()?;
    line.put("register", event.on(0, move |_status| _ = opener.set_status(0)));
    line.put("flush", work.queue.flush());
    line.put("wait", waiting.wait());
    work.put_buffer(line, "data", &buffer, &stepped(&stepped(&data, 3, 1), 5, 2))?;
    Ok(())
}

/// Callbacks that release the last owner of things.
pub(super) fn releases(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (send, done) = channel();
    for round in 0..20_u32 {
        let buffer = work.buffer_of(&pattern(COUNT * 4, 116))?;
        let kernel = work.step(&buffer, 3, 1)?;
        let event = work.queue.launch(&kernel, range(), now())?;
        let send = send.clone();
        let release = move |_status| {
            let codes = [kernel.release(), buffer.release()];
            let _ = send.send((round, codes));
        };
        event.on(0, release).ok()?;
        drop(event);
    }
    line.put("finish", work.queue.finish());
    let mut released = Vec::new();
    for _round in 0..20 {
        released.push(receive(&done)?);
    }
    released.sort_unstable_by_key(|(round, _)| *round);
    line.check("all", released.iter().all(|(_, codes)| *codes == [Code::SUCCESS; 2]));
    Ok(())
}

/// Callbacks on commands that only begin, which copy on another queue what the command cannot have changed.
pub(super) fn enqueue_at_begin(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 117);
    let (a, b, c) = (work.buffer_of(&data)?, work.buffer_of(&data)?, work.buffer_of(&vec![0; COUNT * 4])?);
    let other = Arc::new(work.another_queue()?);
    let kernel = work.step(&a, 3, 1)?;
    for (key, status) in [("submitted", 2), ("running", 1)] {
        let gate = Event::user(&work.context)?;
        let event = work.queue.launch(&kernel, range(), after(&[&gate]))?;
        let (send, done) = channel();
        let (queue, from, to) = (Arc::clone(&other), b.retain()?, c.retain()?);
        let copy = move |_status| {
            let copied = queue.copy((&from, 0), (&to, 0), COUNT * 4, now().quiet());
            let _ = send.send(copied.err().unwrap_or_else(|| queue.flush()));
        };
        line.put(key, event.on(status, copy));
        line.put("flush", work.queue.flush());
        line.put("open", gate.set_status(0));
        line.put("copied", receive(&done)?);
        line.put("wait", event.wait());
    }
    line.put("finish", other.finish());
    work.put_buffer(line, "data", &a, &stepped(&stepped(&data, 3, 1), 3, 1))?;
    work.put_buffer(line, "copy", &c, &data)?;
    Ok(())
}

/// A callback of one context enqueues in another.
pub(super) fn other_context(env: &Env, line: &mut Line) -> Verdict {
    let (one, two) = (Work::new(env)?, Work::new(env)?);
    let data = pattern(COUNT * 4, 118);
    let (a, b) = (one.buffer_of(&data)?, two.buffer_of(&data)?);
    let (on_a, on_b) = (one.step(&a, 3, 1)?, two.step(&b, 5, 2)?);
    let (send, done) = channel();
    let queue = two.queue.retain()?;
    let event = one.queue.launch(&on_a, range(), now())?;
    let launch = move |_status| {
        let launched = queue.launch(&on_b, range(), now().quiet());
        let _ = send.send(launched.err().unwrap_or_else(|| queue.flush()));
    };
    line.put("register", event.on(0, launch));
    line.put("flush", one.queue.flush());
    line.put("launched", receive(&done)?);
    one.put_buffer(line, "one", &a, &stepped(&data, 3, 1))?;
    two.put_buffer(line, "two", &b, &stepped(&data, 5, 2))?;
    Ok(())
}
