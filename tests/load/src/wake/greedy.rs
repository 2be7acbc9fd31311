//! The greedy program: always ready, and one thread that watches its gate word from a core of its own.

use super::board::{self, Inherited, Shared};
use super::{Cores, pin};
use crate::endless::EndlessQueue;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use xsched_ipc::heartbeat::now;
use xsched_ipc::page::Page;
use xsched_queue::gate::Holder;

pub(crate) fn run(inherited: &Inherited) -> Result<()> {
    let shared = Shared::inherit(inherited)?;
    let queue = xsched_runtime::guest().and_then(|guest| guest.adopt(Arc::<EndlessQueue>::default(), true));
    let queue = queue.context("the runtime makes no queue")?;
    // Nobody waits for it, so it stays ready.
    let _ = queue.launch(|| ()).ok().context("a launch was refused")?;
    let gate = own_page()?.gate(0).context("a page has gates")?;
    pin(Cores::allowed()?.last)?;
    watch_closely();
    let is_held = || gate.state().is_held_by(Holder::Server);
    for sample in 1.. {
        board::wait(&shared.prepare)?;
        shared.board.watched.store(sample, Ordering::Release);
        let is_over = || shared.board.over.load(Ordering::Acquire) >= sample;
        while !is_over() {
            if is_held() {
                shared.board.closed_at.store(now().as_nanos(), Ordering::Release);
                break;
            }
            std::hint::spin_loop();
        }
        while !is_over() || is_held() {
            std::thread::sleep(Duration::from_micros(200));
        }
        shared.board.open.store(sample, Ordering::Release);
    }
    Ok(())
}

/// This thread is the instrument: it should see what happens when it happens, whoever else wants its core. Where that is not allowed, it
/// sees some things late.
fn watch_closely() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: an ordinary call with a valid argument; it changes this thread only.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}

/// The page that the runtime shares with the server, found as a debugger would find it: the runtime has no reason to show it.
fn own_page() -> Result<&'static Page> {
    let maps = std::fs::read_to_string("/proc/self/maps").context("reading /proc/self/maps")?;
    let line = maps.lines().find(|line| line.contains("xsched-page")).context("there is no page")?;
    let start = line.split('-').next().unwrap_or_default();
    let address = usize::from_str_radix(start, 16).with_context(|| format!("the address in {line:?}"))?;
    let page = std::ptr::with_exposed_provenance::<Page>(address);
    // SAFETY: the runtime maps a whole page there until the process ends, and it is atomics only.
    Ok(unsafe { &*page })
}
