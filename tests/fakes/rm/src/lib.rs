//! A simulated resource manager (RM) of NVIDIA's: a file that is the control device to whoever has `fake-rm-preload` preloaded.
//!
//! [`Device`] makes such a file: memory that can be sent to another process as the real one can, with the state of some channel groups in it. Who has that
//! library and asks for its kind (`statx`) is told that it is `/dev/nvidiactl`, and controls (`ioctl`) change that state, which the test looks at meanwhile. So
//! the programs under test have no way of their own for tests. Deliberately absent: work on a device, which `fake-cuda` has.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use xsched_cuda_control::abi::{self, ControlBlock, DisableChannels, GidInfo, Handle, PreemptionMode};
use xsched_cuda_control::{Channels, encode};

pub use xsched_cuda_control::KIND;

/// Channel groups of one device.
const GROUPS: usize = 8;
/// Channels of each.
const CHANNELS: u32 = 8;
/// How long turns are at first.
pub const PLAIN: Duration = Duration::from_micros(2048);

const MAGIC: u64 = u64::from_le_bytes(*b"fake RM\0");

/// What is in the file.
#[repr(C)]
struct State {
    magic: AtomicU64,
    client: AtomicU32,
    /// What each control but those that ask answers; 0: it is done.
    answer: AtomicU32,
    uuid: [AtomicU64; 2],
    groups: [GroupState; GROUPS],
}

#[repr(C)]
struct GroupState {
    slice: AtomicU64,
    mode: AtomicU32,
    /// One bit for each channel that is stopped.
    stopped: AtomicU32,
    /// How often it was stopped.
    stops: AtomicU32,
    padding: u32,
}

/// The open file of one client, and the state behind it.
#[derive(Debug)]
pub struct Device {
    file: OwnedFd,
    state: &'static State,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// What a channel group is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// How long its turns are.
    pub turns: Duration,
    /// It can be interrupted in the middle of a kernel.
    pub is_interruptible: bool,
    /// All of its channels are stopped.
    pub is_stopped: bool,
    /// How often that happened.
    pub stops: u32,
}

impl Device {
    /// The file of the client with this handle.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn new(client: Handle) -> Device {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = rustix::fs::memfd_create(NAME, flags).expect("memory");
        rustix::fs::ftruncate(&file, size_of::<State>() as u64).expect("memory");
        let state = map(file.as_raw_fd()).expect("a mapping");
        state.client.store(client, Ordering::SeqCst);
        for group in &state.groups {
            group.slice.store(PLAIN.as_micros() as u64, Ordering::SeqCst);
            group.mode.store(1, Ordering::SeqCst);
        }
        state.magic.store(MAGIC, Ordering::SeqCst);
        Device { file, state }
    }

    /// That of a process that has one.
    pub fn of_process(pid: u32) -> Option<Device> {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let is_ours = |link: &std::path::PathBuf| link.to_string_lossy().contains(NAME);
        let mut files = files.filter_map(|file| Some(file.ok()?.path()));
        let path = files.find(|path| std::fs::read_link(path).is_ok_and(|link| is_ours(&link)))?;
        let file: OwnedFd = std::fs::File::options().read(true).write(true).open(path).ok()?.into();
        let state = map(file.as_raw_fd())?;
        Some(Device { file, state })
    }

    /// The UUID of the GPU behind it.
    pub fn set_uuid(&self, uuid: [u8; 16]) {
        for (word, bytes) in self.state.uuid.iter().zip(uuid.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*bytes), Ordering::SeqCst);
        }
    }

    /// The handles by which a client gets a group: of each object the parent, itself and its class, in the order in which they are made.
    pub fn objects(&self, index: usize) -> Vec<(Handle, Handle, u32)> {
        let client = self.state.client.load(Ordering::SeqCst);
        let index = index as u32;
        let group = FIRST_GROUP + index;
        let mut objects = vec![
            (client, DEVICE, abi::DEVICE),
            (DEVICE, SUBDEVICE, abi::SUBDEVICE),
            (DEVICE, group, abi::CHANNEL_GROUP),
        ];
        for channel in channels(index) {
            objects.extend([(group, channel, CHANNEL), (channel, channel + FIRST_COMPUTE, COMPUTE)]);
        }
        objects
    }

    /// The handle of the client.
    pub fn client(&self) -> Handle {
        self.state.client.load(Ordering::SeqCst)
    }

    /// To be lent.
    pub fn file(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.file)
    }

    /// What a guest says of the first `count` groups, which are on this device.
    pub fn loan(&self, device: &xsched_core::DeviceKey, count: usize) -> (u32, Vec<u8>) {
        let client = self.state.client.load(Ordering::SeqCst);
        let group = |index: u32| Channels {
            device: device.clone(),
            client,
            subdevice: SUBDEVICE,
            group: FIRST_GROUP + index,
            channels: channels(index).collect(),
        };
        let groups: Vec<Channels> = (0..count.min(GROUPS) as u32).map(group).collect();
        (KIND, encode(&groups))
    }

    /// What has become of a group.
    pub fn group(&self, index: usize) -> Option<Group> {
        let group = self.state.groups.get(index)?;
        Some(Group {
            turns: Duration::from_micros(group.slice.load(Ordering::SeqCst)),
            is_interruptible: group.mode.load(Ordering::SeqCst) == 2,
            is_stopped: group.stopped.load(Ordering::SeqCst) == (1 << CHANNELS) - 1,
            stops: group.stops.load(Ordering::SeqCst),
        })
    }

    /// Lets a group go on, as its own process does it.
    pub fn let_go(&self, index: usize) {
        if let Some(group) = self.state.groups.get(index) {
            group.stopped.store(0, Ordering::SeqCst);
            group.slice.store(PLAIN.as_micros() as u64, Ordering::SeqCst);
        }
    }

    /// From now on the driver answers this to what would change something; 0: it does it.
    pub fn refuse(&self, answer: u32) {
        self.state.answer.store(answer, Ordering::SeqCst);
    }
}

fn channels(index: u32) -> impl Iterator<Item = Handle> {
    (0..CHANNELS).map(move |channel| FIRST_CHANNEL + index * CHANNELS + channel)
}

/// The file's name, in /proc/PID/fd.
const NAME: &str = "fake-rm";
const DEVICE: Handle = 0x5c00_0000;
const SUBDEVICE: Handle = 0x5c00_0001;
const FIRST_GROUP: Handle = 0x5c00_0100;
const FIRST_CHANNEL: Handle = 0x5c00_0200;
/// From a channel to the object that computes in it.
const FIRST_COMPUTE: Handle = 0x100;
/// `HOPPER_CHANNEL_GPFIFO_A`, `HOPPER_COMPUTE_A`.
const CHANNEL: u32 = 0xc86f;
const COMPUTE: u32 = 0xcbc0;

impl State {
    fn control(&self, mut block: ControlBlock) -> u32 {
        let ControlBlock { client: caller, object, control, .. } = block;
        if caller != self.client.load(Ordering::SeqCst) {
            return abi::NV_ERR_INVALID_CLIENT;
        }
        let answer = self.answer.load(Ordering::SeqCst);
        if answer != abi::NV_OK && !matches!(control, abi::GET_TIMESLICE | abi::GET_GID_INFO) {
            return answer;
        }
        let of_group = |group: Handle| self.groups.get(group.wrapping_sub(FIRST_GROUP) as usize);
        match control {
            abi::GET_TIMESLICE | abi::SET_TIMESLICE => {
                let Some(group) = of_group(object) else { return abi::NV_ERR_OBJECT_NOT_FOUND };
                let Some(slice) = parameters::<u64>(&mut block) else { return abi::NV_ERR_NOT_SUPPORTED };
                match control {
                    abi::GET_TIMESLICE => *slice = group.slice.load(Ordering::SeqCst),
                    _ => group.slice.store(*slice, Ordering::SeqCst),
                }
            }
            _ if object != SUBDEVICE => return abi::NV_ERR_OBJECT_NOT_FOUND,
            abi::GET_GID_INFO => {
                let Some(info) = parameters::<GidInfo>(&mut block) else { return abi::NV_ERR_NOT_SUPPORTED };
                let uuid = self.uuid.iter().flat_map(|word| word.load(Ordering::SeqCst).to_le_bytes());
                info.data.iter_mut().zip(uuid).for_each(|(to, from)| *to = from);
                info.length = 16;
            }
            abi::SET_PREEMPTION_MODE => {
                let Some(mode) = parameters::<PreemptionMode>(&mut block) else {
                    return abi::NV_ERR_NOT_SUPPORTED;
                };
                let Some(group) = of_group(mode.channel) else { return abi::NV_ERR_OBJECT_NOT_FOUND };
                group.mode.store(mode.compute, Ordering::SeqCst);
            }
            abi::DISABLE_CHANNELS => {
                let Some(all) = parameters::<DisableChannels>(&mut block) else {
                    return abi::NV_ERR_NOT_SUPPORTED;
                };
                for (client, channel) in all.clients.iter().zip(all.handles).take(all.channels as usize) {
                    let index = channel.wrapping_sub(FIRST_CHANNEL);
                    let Some(group) = self.groups.get((index / CHANNELS) as usize) else {
                        return abi::NV_ERR_OBJECT_NOT_FOUND;
                    };
                    if *client != caller {
                        return abi::NV_ERR_INVALID_CLIENT;
                    }
                    let bit = 1 << (index % CHANNELS);
                    if all.disable == 0 {
                        group.stopped.fetch_and(!bit, Ordering::SeqCst);
                    } else if group.stopped.fetch_or(bit, Ordering::SeqCst) == 0 {
                        group.stops.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            _ => return abi::NV_ERR_NOT_SUPPORTED,
        }
        abi::NV_OK
    }
}

fn parameters<P>(block: &mut ControlBlock) -> Option<&mut P> {
    // SAFETY: the caller's parameters, of the size that it says; it waits for our return.
    (block.size as usize == size_of::<P>()).then(|| unsafe { &mut *(block.parameters as *mut P) })
}

/// The state in a file, if it is one of ours. Mapped for good: a test has few.
fn map(file: RawFd) -> Option<&'static State> {
    // SAFETY: a new mapping at an address of the kernel's choice; it stays.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size_of::<State>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file,
            0,
        )
    };
    // SAFETY: mapped, long enough, and atomics only.
    (address != libc::MAP_FAILED).then(|| unsafe { &*address.cast::<State>() })
}

/// What a control (an `ioctl` of that block) on this file answers, if the file is one of ours. Objects come and go as the caller likes.
///
/// # Safety
/// The block's parameters are the caller's, and as long as it says.
pub unsafe fn control(file: RawFd, block: ControlBlock) -> Option<u32> {
    with_state(file, |state| state.control(block))
}

/// Whether the file is one of ours.
pub fn is_control_device(file: RawFd) -> bool {
    with_state(file, |_| ()).is_some()
}

/// Does something with the state behind a file, if it is one of ours.
fn with_state<R>(file: RawFd, work: impl FnOnce(&State) -> R) -> Option<R> {
    // SAFETY: all zeroes are a valid `stat`.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    if fstat(file, &mut about) != 0 || about.st_size != size_of::<State>() as i64 {
        return None;
    }
    let state = map(file)?;
    let result = (state.magic.load(Ordering::SeqCst) == MAGIC).then(|| work(state));
    // SAFETY: mapped above, and not used any more.
    unsafe { libc::munmap(std::ptr::from_ref(state).cast_mut().cast(), size_of::<State>()) };
    result
}

/// What the kernel says of a file.
fn fstat(file: RawFd, about: &mut libc::stat) -> libc::c_int {
    // SAFETY: the kernel writes the block of 64-bit systems, which is the C library's.
    unsafe { libc::syscall(libc::SYS_fstat, file, std::ptr::from_mut(about)) as libc::c_int }
}
