//! Doing things to channels: plain `ioctl`s, from any thread, without a lock, without memory of their own.
//!
//! Each is a round trip to the GPU's firmware, some hundred microseconds.

use crate::abi::{self, Handle};
use crate::channels::Channels;
use std::ffi::c_void;
use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Why something was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The file is not the driver's control device.
    File,
    /// The call did not reach the driver: its errno.
    Call(&'static str, i32),
    /// The driver's answer.
    Status(&'static str, u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::File => write!(f, "the file is not /dev/nvidiactl"),
            Refusal::Call(what, errno) => {
                write!(f, "{what}: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Refusal::Status(what, status) => {
                let name = match *status {
                    abi::NV_ERR_NOT_SUPPORTED => " (not supported)",
                    abi::NV_ERR_INSUFFICIENT_PERMISSIONS => " (not permitted)",
                    abi::NV_ERR_INVALID_CLIENT => " (not a client of this file)",
                    abi::NV_ERR_OBJECT_NOT_FOUND => " (no such object)",
                    _ => "",
                };
                write!(f, "{what}: the driver answers 0x{status:x}{name}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Where a group's compute work may be interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Mode {
    /// Not at all: a switch waits until the GPU is idle.
    Idle = 0,
    /// Between thread blocks.
    ThreadBlock = 1,
    /// Between instructions (compute instruction-level preemption).
    Instruction = 2,
}

/// The open file of an RM client.
#[derive(Clone, Copy, Debug)]
pub struct Control<'fd> {
    file: BorrowedFd<'fd>,
}

impl<'fd> Control<'fd> {
    /// The file, if it is the driver's. Never waits, whatever file it is: a stranger's may be of a filesystem that does not answer, so only what the
    /// kernel knows already is asked for, as fstat(2) does not. What a file is, and of which device, never changes.
    pub fn new(file: BorrowedFd<'fd>) -> Result<Control<'fd>, Refusal> {
        let mut status = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: a C string, and a place for the answer, which is plain numbers.
        let status = unsafe {
            let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
            if libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, libc::STATX_TYPE, status.as_mut_ptr()) != 0
            {
                return Err(Refusal::File);
            }
            status.assume_init()
        };
        let number = (status.stx_rdev_major, status.stx_rdev_minor);
        if u32::from(status.stx_mode) & libc::S_IFMT != libc::S_IFCHR || number != abi::CONTROL_DEVICE {
            return Err(Refusal::File);
        }
        Ok(Control { file })
    }

    /// How long a turn of the group is. Changes nothing: whoever may do this may do the rest.
    pub fn slice(&self, channels: &Channels) -> Result<Duration, Refusal> {
        let mut slice = 0u64;
        self.call("GET_TIMESLICE", channels.client, channels.group, abi::GET_TIMESLICE, &mut slice)?;
        Ok(Duration::from_micros(slice))
    }

    /// How long a turn of the group is to be; 1 µs at the least.
    pub fn set_slice(&self, channels: &Channels, slice: Duration) -> Result<(), Refusal> {
        let mut slice = u64::try_from(slice.as_micros()).unwrap_or(u64::MAX).max(1);
        self.call("SET_TIMESLICE", channels.client, channels.group, abi::SET_TIMESLICE, &mut slice)
    }

    /// Where the group may be interrupted, from its next turn on.
    pub fn set_mode(&self, channels: &Channels, mode: Mode) -> Result<(), Refusal> {
        let compute = mode as u32;
        let mut mode =
            abi::PreemptionMode { flags: 1, channel: channels.group, compute, ..Default::default() };
        let (client, subdevice) = (channels.client, channels.subdevice);
        self.call("GR_SET_CTXSW_PREEMPTION_MODE", client, subdevice, abi::SET_PREEMPTION_MODE, &mut mode)
    }

    /// Switches the group out, once: it is back in its next turn.
    pub fn preempt(&self, channels: &Channels, patience: Duration) -> Result<(), Refusal> {
        let timeout = u32::try_from(patience.as_micros()).unwrap_or(u32::MAX);
        let mut preempt = abi::Preempt { wait: 1, manual_timeout: 1, timeout, ..Default::default() };
        self.call("PREEMPT", channels.client, channels.group, abi::PREEMPT, &mut preempt)
    }

    /// Stops the channels: what runs is switched out, and nothing of theirs runs until [`Control::release`].
    pub fn hold(&self, channels: &Channels) -> Result<(), Refusal> {
        self.disable("FIFO_DISABLE_CHANNELS", channels, true)
    }

    /// Lets the channels go on; those that were not stopped, too.
    pub fn release(&self, channels: &Channels) -> Result<(), Refusal> {
        self.disable("FIFO_DISABLE_CHANNELS (enable)", channels, false)
    }

    /// The UUID of the GPU that a subdevice is.
    pub fn uuid(&self, client: Handle, subdevice: Handle) -> Result<[u8; 16], Refusal> {
        let what = "GPU_GET_GID_INFO";
        let mut info = abi::GidInfo { index: 0, flags: 2, length: 0, data: [0; 256] };
        self.call(what, client, subdevice, abi::GET_GID_INFO, &mut info)?;
        let uuid = info.data.first_chunk().filter(|_| info.length == 16);
        uuid.copied().ok_or(Refusal::Status(what, abi::NV_ERR_NOT_SUPPORTED))
    }

    fn disable(&self, what: &'static str, channels: &Channels, disable: bool) -> Result<(), Refusal> {
        let mut all = abi::DisableChannels {
            disable: disable.into(),
            padding: [0; 3],
            channels: 0,
            only_scheduling: 0,
            rewind: 0,
            padding_too: [0; 6],
            event: 0,
            clients: [0; abi::MAX_DISABLED],
            handles: [0; abi::MAX_DISABLED],
        };
        for ((client, handle), channel) in
            all.clients.iter_mut().zip(&mut all.handles).zip(&channels.channels)
        {
            (*client, *handle) = (channels.client, *channel);
            all.channels += 1;
        }
        self.call(what, channels.client, channels.subdevice, abi::DISABLE_CHANNELS, &mut all)
    }

    fn call<P>(
        &self,
        what: &'static str,
        client: Handle,
        object: Handle,
        control: u32,
        parameters: &mut P,
    ) -> Result<(), Refusal> {
        let mut block = abi::ControlBlock {
            client,
            object,
            control,
            flags: 0,
            parameters: std::ptr::from_mut(parameters) as u64,
            size: size_of::<P>() as u32,
            // Overwritten by every driver that takes the call.
            status: u32::MAX,
        };
        let request = abi::request(abi::CONTROL, size_of::<abi::ControlBlock>());
        // A signal may come in between; who is interrupted for ever is better off without.
        for _ in 0..16 {
            // SAFETY: the file is the control device (`new`), which reads and writes the block and the parameters, both of the layout that
            // goes with the request and the control, and keeps neither.
            let result = unsafe {
                libc::ioctl(
                    self.file.as_raw_fd(),
                    request.into(),
                    std::ptr::from_mut(&mut block).cast::<c_void>(),
                )
            };
            if result == 0 {
                return match block.status {
                    abi::NV_OK => Ok(()),
                    status => Err(Refusal::Status(what, status)),
                };
            }
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or_default();
            if errno != libc::EINTR && errno != libc::EAGAIN {
                return Err(Refusal::Call(what, errno));
            }
        }
        Err(Refusal::Call(what, libc::EINTR))
    }
}
