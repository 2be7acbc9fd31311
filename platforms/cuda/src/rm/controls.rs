//! The process's channel groups, for the agent: to be told to xserver, and to be let go if xserver is gone.

use super::objects::{Group, Objects};
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xsched_core::DeviceKey;
use xsched_cuda_control::abi::{AllocHead, Handle};
use xsched_cuda_control::{Channels, Control, KIND, Mode, Refusal, encode};
use xsched_hal::RemoteControl;
use xsched_runtime::PerLife;

/// What this process has. A lock is held for no longer than it takes to read or write what is in it; but `known` by the agent, during its own calls, and by
/// nobody else.
#[derive(Default)]
struct Held {
    objects: Mutex<Objects>,
    /// GPUs by UUID, those that the program has a context on.
    gpus: Mutex<BTreeMap<[u8; 16], DeviceKey>>,
    generation: AtomicU64,
    known: Mutex<Known>,
}

/// A group with the file of its client, and its slice at first.
type Asked = (RawFd, Channels, Duration);

/// What was told last.
#[derive(Default)]
struct Known {
    /// Subdevices, by client and handle.
    uuids: BTreeMap<(Handle, Handle), [u8; 16]>,
    groups: Vec<Asked>,
    /// Why the last group was left out that was.
    refused: Option<Refusal>,
}

static HELD: PerLife<Held> = PerLife::new();

/// The process's channel groups.
#[derive(Debug)]
pub(crate) struct Controls;

/// Tools that look into the GPU from inside the process, and do not expect to be interrupted: by a part of their library's name.
const TOOLS: [&str; 3] = ["libsanitizer-collection", "libcuda-debugger", "libcudadebugger"];

/// The debugger or checker that the program runs under.
pub(super) fn tool() -> Option<&'static str> {
    TOOLS.into_iter().find(|tool| xsched_runtime::library::is_loaded(tool))
}

/// An object was made.
pub(super) fn made(file: RawFd, head: &AllocHead) {
    let held = HELD.get();
    if held.objects.lock().is_ok_and(|mut objects| objects.add(file, head)) {
        held.generation.fetch_add(1, Ordering::Release);
    }
}

/// An object is gone.
pub(super) fn gone(client: Handle, object: Handle) {
    let held = HELD.get();
    if held.objects.lock().is_ok_and(|mut objects| objects.remove(client, object)) {
        held.generation.fetch_add(1, Ordering::Release);
    }
}

/// The program has a context on this GPU.
pub(crate) fn met(uuid: [u8; 16], key: &DeviceKey) {
    let held = HELD.get();
    let is_new = held.gpus.lock().is_ok_and(|mut gpus| gpus.insert(uuid, key.clone()).is_none());
    if is_new {
        held.generation.fetch_add(1, Ordering::Release);
    }
}

impl Held {
    /// Asks the driver, where it was not asked before. Groups that do not answer are left out.
    fn renew(&self, known: &mut Known) {
        let groups = self.objects.lock().map(|objects| objects.groups()).unwrap_or_default();
        let before = std::mem::take(&mut known.groups);
        known.refused = None;
        for group in groups {
            match self.ask(known, &before, group) {
                Ok(Some(asked)) => known.groups.push(asked),
                Ok(None) => {}
                Err(refusal) => known.refused = Some(refusal),
            }
        }
    }

    /// One group, with the file of its client and its slice; `None` if it is on no device that the program computes on.
    fn ask(&self, known: &mut Known, before: &[Asked], group: Group) -> Result<Option<Asked>, Refusal> {
        let Group { file, client, subdevice, group, channels } = group;
        // SAFETY: as long as the client is there its file is; a number that means another file by now is refused next.
        let control = Control::new(unsafe { BorrowedFd::borrow_raw(file) })?;
        let uuid = match known.uuids.get(&(client, subdevice)) {
            Some(uuid) => *uuid,
            None => control.uuid(client, subdevice)?,
        };
        known.uuids.insert((client, subdevice), uuid);
        let device = self.gpus.lock().ok().and_then(|gpus| gpus.get(&uuid).cloned());
        let Some(device) = device else { return Ok(None) };
        let channels = Channels { device, client, subdevice, group, channels };
        let slice = before.iter().find(|(_, it, _)| (it.client, it.group) == (client, group)).map(|it| it.2);
        let slice = slice.map_or_else(|| control.slice(&channels), Ok)?;
        Ok(Some((file, channels, slice)))
    }
}

impl xsched_hal::Controls for Controls {
    fn can_interrupt(&self, device: &DeviceKey) -> Result<(), String> {
        let mut asked = Known::default();
        HELD.get().renew(&mut asked);
        match (asked.groups.iter().any(|(_, channels, _)| channels.device == *device), asked.refused) {
            (true, _) => Ok(()),
            (false, Some(refusal)) => Err(refusal.to_string()),
            (false, None) => Err("no channel group of a context was seen".into()),
        }
    }

    fn generation(&self) -> u64 {
        HELD.get().generation.load(Ordering::Acquire)
    }

    fn remote(&self) -> Option<RemoteControl> {
        let held = HELD.get();
        let mut known = held.known.lock().ok()?;
        held.renew(&mut known);
        // One file goes with one client: that of the first group. Programs have one, for the library makes one.
        let (file, first, _) = known.groups.first()?;
        let of_first: Vec<Channels> =
            known.groups.iter().filter(|it| it.1.client == first.client).map(|it| it.1.clone()).collect();
        // SAFETY: as in `renew`.
        let file = unsafe { BorrowedFd::borrow_raw(*file) }.try_clone_to_owned().ok()?;
        Some(RemoteControl { kind: KIND, fds: vec![file], blob: encode(&of_first) })
    }

    fn rescue(&self) {
        let Ok(known) = HELD.get().known.lock() else { return };
        // Let go first, all of them: turns and modes are only about how fast they are.
        for (file, channels, _) in &known.groups {
            // SAFETY: as in `renew`.
            if let Ok(control) = Control::new(unsafe { BorrowedFd::borrow_raw(*file) }) {
                let _gone_if_it_fails = control.release(channels);
            }
        }
        for (file, channels, slice) in &known.groups {
            // SAFETY: as in `renew`.
            if let Ok(control) = Control::new(unsafe { BorrowedFd::borrow_raw(*file) }) {
                let _as_above = control.set_slice(channels, *slice);
                let _as_above = control.set_mode(channels, Mode::ThreadBlock);
            }
        }
    }
}
