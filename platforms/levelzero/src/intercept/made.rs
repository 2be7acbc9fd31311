//! Queues and lists that were made while nothing is scheduled automatically: where and how, for a program that names them later.

use crate::driver::{Handle, QueueDesc};
use std::collections::BTreeMap;
use std::sync::Mutex;
use xsched_runtime::PerLife;

/// By handle.
#[derive(Debug)]
pub(super) struct Made(PerLife<Mutex<BTreeMap<usize, How>>>);

/// Context and device, and the description without what it points to.
#[derive(Debug)]
struct How(usize, usize, QueueDesc);

// SAFETY: the only pointer in it is null.
unsafe impl Send for How {}

impl Made {
    pub(super) const fn new() -> Made {
        Made(PerLife::new())
    }

    pub(super) fn keep(&self, context: Handle, device: Handle, desc: QueueDesc, handle: Handle) {
        let desc = QueueDesc { next: std::ptr::null(), ..desc };
        if let Ok(mut made) = self.0.get().lock() {
            made.insert(handle as usize, How(context as usize, device as usize, desc));
        }
    }

    /// Takes it out: it is to be known now, or it goes.
    pub(super) fn take(&self, handle: Handle) -> Option<(Handle, Handle, QueueDesc)> {
        let How(context, device, desc) = self.0.get().lock().ok()?.remove(&(handle as usize))?;
        Some((context as Handle, device as Handle, desc))
    }
}
