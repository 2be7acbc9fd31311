//! Who is woken by a bare eventfd: sleeps in epoll as xserver does, at xserver's priority, and notes when it woke.

use super::board::{Inherited, Shared};
use anyhow::{Context, Result};
use rustix::event::epoll::{self, EventData, EventFlags};
use std::sync::atomic::Ordering;
use xsched_ipc::heartbeat::now;

pub(crate) fn run(inherited: &Inherited) -> Result<()> {
    let shared = Shared::inherit(inherited)?;
    // As xserver does, and as little bothered if it is not allowed.
    let _ = rustix::process::setpriority_process(None, -20);
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll_create")?;
    epoll::add(&poller, &shared.bell, EventData::new_u64(0), EventFlags::IN | EventFlags::ET)
        .context("epoll_ctl")?;
    shared.board.is_waiting.store(1, Ordering::Release);
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None).context("epoll_wait")?;
        shared.board.awake_at.store(now().as_nanos(), Ordering::Release);
    }
}
