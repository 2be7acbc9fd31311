//! User events: long queues behind them, who completes them, and what failing them does.
//!
//! Deliberately missing: callbacks on failed events, which some drivers never call.

use super::NON_BLOCKING;
use crate::cl::{Bytes, Code, Event, after, now, wait_all};
use crate::line::{Line, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, set_step, stepped};
use std::thread;
use std::time::Duration;

/// How many commands wait behind the event.
const BEHIND: u32 = 500;

/// Enqueues `BEHIND` launches of which the first waits for `gate`; returns their last event and the data that
/// must come out of `data`.
fn fill_queue(
    work: &Work<'_>,
    buffer: &crate::cl::Mem,
    gate: &Event,
    data: &[u8],
) -> crate::cl::Result<(Event, Vec<u8>)> {
    let mut kernel = work.step(buffer, 1, 0)?;
    let mut expected = data.to_vec();
    let mut last = Event::null();
    for step in 0..BEHIND {
        set_step(&mut kernel, 2 * step + 3, step)?;
        let order = if step == 0 { after(&[gate]) } else { now() };
        last = work.queue.launch(&kernel, range(), order)?;
        expected = stepped(&expected, 2 * step + 3, step);
    }
    Ok((last, expected))
}

pub(super) fn same_thread(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 100);
    let buffer = work.buffer_of(&data)?;
    let gate = line.code("gate", Event::user(&work.context))?;
    line.status("gate-status", gate.status());
    let (last, expected) = fill_queue(&work, &buffer, &gate, &data)?;
    line.put("flush", work.queue.flush());
    line.check("last-waits", last.status()? > 0);
    line.put("open", gate.set_status(0));
    line.status("gate-status", gate.status());
    line.put("wait", last.wait());
    line.put("open-again", gate.set_status(0));
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn other_thread(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 101);
    let buffer = work.buffer_of(&data)?;
    let gate = Event::user(&work.context)?;
    let (last, expected) = fill_queue(&work, &buffer, &gate, &data)?;
    let opener = gate.retain()?;
    let opened = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        opener.set_status(0)
    });
    line.put("finish", work.queue.finish());
    line.put("open", opened.join().unwrap_or(Code(-9999)));
    line.status("last", last.status());
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

/// Opens the gate from another thread while this one is still enqueueing behind it.
pub(super) fn opened_while_enqueueing(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 102);
    let buffer = work.buffer_of(&data)?;
    let gate = Event::user(&work.context)?;
    let opener = gate.retain()?;
    let opened = thread::spawn(move || opener.set_status(0));
    let (last, expected) = fill_queue(&work, &buffer, &gate, &data)?;
    line.put("open", opened.join().unwrap_or(Code(-9999)));
    line.put("wait", last.wait());
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn blocking_read_behind(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 103);
    let buffer = work.buffer_of(&data)?;
    let gate = Event::user(&work.context)?;
    let (_last, expected) = fill_queue(&work, &buffer, &gate, &data)?;
    let opener = gate.retain()?;
    let opened = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        opener.set_status(0)
    });
    work.put_buffer(line, "data", &buffer, &expected)?;
    line.put("open", opened.join().unwrap_or(Code(-9999)));
    Ok(())
}

pub(super) fn failed(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 104);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let launched = line.code("launch", work.queue.launch(&kernel, range(), after(&[&gate])))?;
    line.put("flush", work.queue.flush());
    line.put("fail", gate.set_status(-7777));
    line.status("gate", gate.status());
    line.put("wait-gate", gate.wait());
    line.put("wait", launched.wait());
    line.put("status", if launched.status()? < 0 { "negative" } else { "not negative" });
    Ok(())
}

pub(super) fn several_gates(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 106);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 1)?;
    let gates = (0..10).map(|_| Event::user(&work.context)).collect::<crate::cl::Result<Vec<_>>>()?;
    let all: Vec<_> = gates.iter().collect();
    let launched = line.code("launch", work.queue.launch(&kernel, range(), after(&all)))?;
    line.put("flush", work.queue.flush());
    for gate in gates.iter().rev() {
        line.check("waits", launched.status()? > 0);
        line.put("open", gate.set_status(0));
    }
    line.put("wait", wait_all(&[&launched]));
    work.put_buffer(line, "data", &buffer, &stepped(&data, 3, 1))?;
    Ok(())
}

pub(super) fn two_queues_behind(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let other = work.another_queue()?;
    let data = pattern(COUNT * 4, 107);
    let (a, b) = (work.buffer_of(&data)?, work.buffer_of(&data)?);
    let (on_a, on_b) = (work.step(&a, 3, 1)?, work.step(&b, 5, 2)?);
    let gate = Event::user(&work.context)?;
    let first = line.code("launch-a", work.queue.launch(&on_a, range(), after(&[&gate])))?;
    let second = line.code("launch-b", other.launch(&on_b, range(), after(&[&gate, &first])))?;
    line.put("flush", [work.queue.flush(), other.flush()].map(|code| code.to_string()).join("+"));
    line.put("open", gate.set_status(0));
    line.put("wait", second.wait());
    line.status("first", first.status());
    work.put_buffer(line, "a", &a, &stepped(&data, 3, 1))?;
    work.put_buffer(line, "b", &b, &stepped(&data, 5, 2))?;
    Ok(())
}

pub(super) fn copies_behind(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 108);
    let (a, b, to) = (work.buffer_of(&data)?, work.buffer(COUNT * 4)?, Bytes::new(COUNT * 4));
    let gate = Event::user(&work.context)?;
    let queue = &work.queue;
    let written = Bytes::from(&pattern(64, 109));
    line.code("write", queue.write(&a, NON_BLOCKING, 0, 64, Some(written), after(&[&gate])))?;
    line.code("copy", queue.copy((&a, 0), (&b, 0), COUNT * 4, now()))?;
    let read = line.code("read", queue.read(&b, NON_BLOCKING, 0, COUNT * 4, Some(to), now()))?;
    written.set(0, &[9; 64]);
    line.put("flush", queue.flush());
    line.check("untouched", to.get().iter().all(|byte| *byte == 0));
    line.put("open", gate.set_status(0));
    line.put("wait", read.wait());
    let mut expected = data;
    expected[..64].fill(9);
    line.data("data", to, &expected);
    Ok(())
}

pub(super) fn wrong_use(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let gate = Event::user(&work.context)?;
    line.put("running", gate.set_status(1));
    line.put("queued", gate.set_status(3));
    line.put("open", gate.set_status(0));
    line.put("fail-after", gate.set_status(-5));
    line.status("status", gate.status());
    line.value("profiling", gate.time(opencl_sys::CL_PROFILING_COMMAND_END));
    let queue: crate::cl::Result<*mut std::ffi::c_void> = gate.info(opencl_sys::CL_EVENT_COMMAND_QUEUE);
    line.check("no-queue", queue?.is_null());
    line.value("type", gate.info::<u32>(opencl_sys::CL_EVENT_COMMAND_TYPE).map(|kind| format!("{kind:#x}")));
    Ok(())
}
