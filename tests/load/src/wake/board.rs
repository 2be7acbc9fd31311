//! What the three processes of the wake benchmark share: a page of words, and two eventfds.
//!
//! Children inherit the fds, whose numbers they learn from their command line.

use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The words. Samples are numbered from 1; times are nanoseconds of `CLOCK_MONOTONIC`.
#[repr(C)]
pub(crate) struct Board {
    /// The sample for which the watcher of the gate spins; 0 before it is there.
    pub(crate) watched: AtomicU32,
    /// The sample that is over.
    pub(crate) over: AtomicU32,
    /// The last sample after which the watcher found the gate open again.
    pub(crate) open: AtomicU32,
    /// When the gate was seen closed in this sample; 0 before that.
    pub(crate) closed_at: AtomicU64,
    /// When the bare waiter was awake in this sample; 0 before that.
    pub(crate) awake_at: AtomicU64,
    /// The bare waiter is there.
    pub(crate) is_waiting: AtomicU32,
}

/// What all of them have.
pub(crate) struct Shared {
    /// The words, mapped until the process ends.
    pub(crate) board: &'static Board,
    /// Rung before each sample: the watcher of the gate is to spin.
    pub(crate) prepare: OwnedFd,
    /// The bare doorbell.
    pub(crate) bell: OwnedFd,
    words: OwnedFd,
}

/// What a child is told.
#[derive(clap::Args)]
pub(crate) struct Inherited {
    words: RawFd,
    prepare: RawFd,
    bell: RawFd,
}

impl Shared {
    /// Makes it all, for children to inherit.
    pub(crate) fn create() -> Result<Shared> {
        let words = memfd_create(c"board", MemfdFlags::empty()).context("memfd_create")?;
        ftruncate(&words, size_of::<Board>() as u64).context("ftruncate")?;
        let event = || eventfd(0, EventfdFlags::empty()).context("eventfd");
        Ok(Shared { board: map(words.as_fd())?, prepare: event()?, bell: event()?, words })
    }

    /// Takes over what the parent made.
    pub(crate) fn inherit(inherited: &Inherited) -> Result<Shared> {
        // SAFETY: the parent left these open for us and nobody else in this process knows them.
        let take = |fd: RawFd| unsafe { <OwnedFd as rustix::fd::FromRawFd>::from_raw_fd(fd) };
        let words = take(inherited.words);
        Ok(Shared {
            board: map(words.as_fd())?,
            prepare: take(inherited.prepare),
            bell: take(inherited.bell),
            words,
        })
    }

    /// Tells a child of it.
    pub(crate) fn pass_to(&self, command: &mut Command) {
        let numbers = [&self.words, &self.prepare, &self.bell].map(|fd| fd.as_raw_fd().to_string());
        command.args(numbers);
    }
}

/// Rings an eventfd.
pub(crate) fn ring(bell: &OwnedFd) -> Result<()> {
    rustix::io::write(bell, &1u64.to_ne_bytes()).map(drop).context("write to an eventfd")
}

/// Sleeps until an eventfd is rung.
pub(crate) fn wait(bell: &OwnedFd) -> Result<()> {
    let mut count = [0; 8];
    rustix::io::read(bell, &mut count).map(drop).context("read from an eventfd")
}

fn map(words: BorrowedFd<'_>) -> Result<&'static Board> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let address =
        unsafe { mmap(std::ptr::null_mut(), size_of::<Board>(), access, MapFlags::SHARED, words, 0) };
    let address = address.context("mmap")?.cast::<Board>();
    // SAFETY: never unmapped, page-aligned, as long as a Board, which is atomics only: any content is valid.
    Ok(unsafe { &*address })
}

impl Board {
    /// A word that is a time, if it was written.
    pub(crate) fn time(word: &AtomicU64) -> Option<u64> {
        Some(word.load(Ordering::Acquire)).filter(|time| *time != 0)
    }
}
