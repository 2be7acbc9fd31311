//! The process's channel groups, for the agent: to be told to xserver, and to be let go if xserver is gone.

use super::Seen;
use super::objects::{Group, Objects, Serial};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xsched_core::DeviceKey;
use xsched_cuda_control::abi::{AllocHead, Handle};
use xsched_cuda_control::{Channels, Control, KIND, Mode, Refusal, encode};
use xsched_hal::RemoteControl;
use xsched_runtime::{PerLife, is_this_life};

/// What this process has. A lock is held for no longer than it takes to read or write what is in it; but `known` by the agent, while it asks the driver, and by
/// nobody else.
#[derive(Default)]
struct Held {
    objects: Mutex<Objects>,
    /// GPUs by UUID, those that the program has a context on.
    gpus: Mutex<BTreeMap<[u8; 16], DeviceKey>>,
    generation: AtomicU64,
    /// Requests that should be known, and the size of their block.
    odd: Mutex<BTreeSet<(u32, usize)>>,
    known: Mutex<Known>,
    /// The groups that were told of last.
    told: Mutex<Arc<[Asked]>>,
}

/// A group that the driver answers for.
#[derive(Clone)]
struct Asked {
    /// That of its client.
    file: RawFd,
    channels: Channels,
    /// How long its turns were at first.
    slice: Duration,
    serial: Serial,
}

/// What was told last.
#[derive(Default)]
struct Known {
    /// GPUs as clients see them.
    uuids: BTreeMap<Serial, [u8; 16]>,
    groups: Vec<Asked>,
    /// Those GPUs that some group of now is on.
    seen: BTreeSet<Serial>,
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

/// This process's; `None` in a child that was made behind the C library's back, which has what is its parent's, locks that are held included.
fn held() -> Option<&'static Held> {
    is_this_life().then(|| HELD.get())
}

/// An object was made.
pub(super) fn made(file: RawFd, head: &AllocHead) {
    let Some(held) = held() else { return };
    if held.objects.lock().is_ok_and(|mut objects| objects.add(file, head)) {
        held.generation.fetch_add(1, Ordering::Release);
    }
}

/// An object is gone.
pub(super) fn gone(client: Handle, object: Handle) {
    let Some(held) = held() else { return };
    if held.objects.lock().is_ok_and(|mut objects| objects.remove(client, object)) {
        held.generation.fetch_add(1, Ordering::Release);
    }
}

/// Each class of the driver's objects that the real library has made, known or not, and how many; what is odd about its calls, if anything.
pub(super) fn seen() -> Seen {
    let Some(held) = held() else { return Seen::default() };
    let classes = held.objects.lock().map(|objects| objects.classes()).unwrap_or_default();
    let odd = held.odd.lock().map(|odd| odd.iter().copied().collect()).unwrap_or_default();
    Seen { deaf: None, classes, odd }
}

/// A call that makes or frees an object has a block of a size that is not known.
pub(super) fn odd(number: u32, size: usize) {
    const MOST: usize = 64;
    let Some(held) = held() else { return };
    if let Ok(mut odd) = held.odd.lock()
        && odd.len() < MOST
    {
        odd.insert((number, size));
    }
}

/// The program has a context on this GPU.
pub(crate) fn met(uuid: [u8; 16], key: &DeviceKey) {
    let Some(held) = held() else { return };
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
        let is_there = |serial: &Serial| known.seen.contains(serial);
        known.uuids.retain(|serial, _| is_there(serial));
        known.seen.clear();
    }

    /// The groups that were told of last. For whoever must not wait: not even for a lock that his own thread has, interrupted by a handler of the program's.
    fn told(&self) -> Arc<[Asked]> {
        const TRIES: u32 = 200;
        const PAUSE: Duration = Duration::from_micros(100);
        for _ in 0..TRIES {
            if let Ok(told) = self.told.try_lock() {
                return Arc::clone(&told);
            }
            std::thread::sleep(PAUSE);
        }
        Arc::default()
    }

    /// One group, with the file of its client and its slice; `None` if it is on no device that the program computes on.
    fn ask(&self, known: &mut Known, before: &[Asked], group: Group) -> Result<Option<Asked>, Refusal> {
        let Group { file, client, subdevice, group, channels, serials: (gpu, serial) } = group;
        // SAFETY: as long as the client is there its file is; a number that means another file by now is refused next.
        let control = Control::new(unsafe { BorrowedFd::borrow_raw(file) })?;
        known.seen.insert(gpu);
        let uuid = match known.uuids.get(&gpu) {
            Some(uuid) => *uuid,
            None => control.uuid(client, subdevice)?,
        };
        known.uuids.insert(gpu, uuid);
        let device = self.gpus.lock().ok().and_then(|gpus| gpus.get(&uuid).cloned());
        let Some(device) = device else { return Ok(None) };
        let channels = Channels { device, client, subdevice, group, channels };
        let slice = before.iter().find(|it| it.serial == serial).map(|it| it.slice);
        let slice = slice.map_or_else(|| control.slice(&channels), Ok)?;
        Ok(Some(Asked { file, channels, slice, serial }))
    }
}

impl xsched_hal::Controls for Controls {
    fn can_interrupt(&self, device: &DeviceKey) -> Result<(), String> {
        let mut asked = Known::default();
        HELD.get().renew(&mut asked);
        match (asked.groups.iter().any(|it| it.channels.device == *device), asked.refused) {
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
        let first = known.groups.first()?;
        let of_first = known.groups.iter().map(|it| &it.channels);
        let of_first: Vec<Channels> =
            of_first.filter(|channels| channels.client == first.channels.client).cloned().collect();
        // SAFETY: as in `renew`.
        let file = unsafe { BorrowedFd::borrow_raw(first.file) }.try_clone_to_owned().ok()?;
        if let Ok(mut told) = held.told.lock() {
            *told = known.groups.as_slice().into();
        }
        Some(RemoteControl { kind: KIND, fds: vec![file], blob: encode(&of_first) })
    }

    fn let_go(&self) {
        let told = HELD.get().told();
        // All of them first: turns are only about how fast they are.
        for it in told.iter() {
            it.control(|control| {
                let _gone_if_it_fails = control.release(&it.channels);
            });
        }
        for it in told.iter() {
            it.control(|control| {
                let _as_above = control.set_slice(&it.channels, it.slice);
            });
        }
    }

    fn rescue(&self) {
        self.let_go();
        for it in HELD.get().told().iter() {
            it.control(|control| {
                let _gone_if_it_fails = control.set_mode(&it.channels, Mode::ThreadBlock);
            });
        }
    }
}

impl Asked {
    /// Does something to it. It is gone, if that fails.
    fn control(&self, work: impl FnOnce(&Control<'_>)) {
        // SAFETY: as in `renew`.
        let _gone_if_it_fails =
            Control::new(unsafe { BorrowedFd::borrow_raw(self.file) }).map(|it| work(&it));
    }
}
