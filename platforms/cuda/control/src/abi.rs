//! What the RM understands: requests, blocks, classes and controls.
//!
//! Numbers and layouts are those of NVIDIA's open kernel modules, 550 to 595 (`nv-ioctl-numbers.h`, `nv_escape.h`, `nvos.h`, `ctrl/ctrla06c`,
//! `ctrl/ctrl2080`); they are the same in all of these versions. `ioctl` returning 0 says nothing: the answer is the block's `status`.

/// A handle: of a client, or of an object of it.
pub type Handle = u32;

/// What an RM call answers when it was done.
pub const NV_OK: u32 = 0;
/// ... when the driver does not know the control or class.
pub const NV_ERR_NOT_SUPPORTED: u32 = 0x56;
/// ... when it is for the privileged.
pub const NV_ERR_INSUFFICIENT_PERMISSIONS: u32 = 0x1b;
/// ... when the client is not this file's.
pub const NV_ERR_INVALID_CLIENT: u32 = 0x23;
/// ... when there is no such object.
pub const NV_ERR_OBJECT_NOT_FOUND: u32 = 0x57;

/// The device number of `/dev/nvidiactl`.
pub const CONTROL_DEVICE: (u32, u32) = (195, 255);

/// The type of all requests, in `_IOC_TYPE`.
const MAGIC: u32 = b'F' as u32;
/// `NV_ESC_RM_FREE`, `NV_ESC_RM_CONTROL`, `NV_ESC_RM_ALLOC`: numbers of requests, in `_IOC_NR`.
pub const FREE: u32 = 0x29;
/// See [`FREE`].
pub const CONTROL: u32 = 0x2a;
/// See [`FREE`].
pub const ALLOC: u32 = 0x2b;
/// `NV_ESC_IOCTL_XFER_CMD`: any other request, by pointer; for blocks that are too large for `_IOC_SIZE`.
pub const TRANSFER: u32 = 211;

/// The request with this number, for a block of this size (`_IOWR`).
pub const fn request(number: u32, size: usize) -> u32 {
    3 << 30 | (size as u32) << 16 | MAGIC << 8 | number
}

/// The number and the size of a request, if it is one of the driver's.
pub const fn parse_request(request: u32) -> Option<(u32, usize)> {
    if request >> 8 & 0xff == MAGIC {
        Some((request & 0xff, (request >> 16 & 0x3fff) as usize))
    } else {
        None
    }
}

/// The block of [`CONTROL`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ControlBlock {
    /// Who calls.
    pub client: Handle,
    /// What is controlled.
    pub object: Handle,
    /// Which control.
    pub control: u32,
    /// None are used here.
    pub flags: u32,
    /// The address of the parameters.
    pub parameters: u64,
    /// Their size.
    pub size: u32,
    /// The answer.
    pub status: u32,
}

/// The block of [`ALLOC`], up to what its two forms (32 and 48 bytes) share.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocHead {
    /// The client.
    pub root: Handle,
    /// Under which object.
    pub parent: Handle,
    /// The new object's handle: chosen by the caller, or 0 and then by the RM, which writes it here.
    pub object: Handle,
    /// What it is.
    pub class: u32,
    /// The address of the class's own parameters.
    pub parameters: u64,
}

/// Where the two forms of [`ALLOC`] have their status.
pub const fn alloc_status_at(size: usize) -> Option<usize> {
    match size {
        32 => Some(28),
        48 => Some(40),
        _ => None,
    }
}

/// The block of [`FREE`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeBlock {
    /// The client.
    pub root: Handle,
    /// Not looked at.
    pub parent: Handle,
    /// What goes, and all under it.
    pub object: Handle,
    /// The answer.
    pub status: u32,
}

/// The block of [`TRANSFER`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferBlock {
    /// The number of the request that this stands for.
    pub number: u32,
    /// The size of its block.
    pub size: u32,
    /// The address of its block.
    pub block: u64,
}

/// `NV01_ROOT`, `NV01_ROOT_NON_PRIV`, `NV01_ROOT_CLIENT`: a client.
pub const ROOTS: [u32; 3] = [0, 1, 0x41];
/// `NV01_DEVICE_0`: a GPU, as a client sees it.
pub const DEVICE: u32 = 0x80;
/// `NV20_SUBDEVICE_0`: one board of it.
pub const SUBDEVICE: u32 = 0x2080;
/// `KEPLER_CHANNEL_GROUP_A`: channels that take their turns together (a TSG).
pub const CHANNEL_GROUP: u32 = 0xa06c;

/// Whether this class is a channel (`…_CHANNEL_GPFIFO_A`, Kepler to Blackwell).
pub const fn is_channel(class: u32) -> bool {
    class & 0xff == 0x6f && class >= 0xa000
}

/// Whether an object of this class computes (`…_COMPUTE_A`, Volta and later: what came before has no instruction-level preemption).
pub const fn is_compute(class: u32) -> bool {
    class & 0xff == 0xc0 && class >= 0xc300
}

/// `NVA06C_CTRL_CMD_SET_TIMESLICE`, on a channel group: µs, 8 bytes.
pub const SET_TIMESLICE: u32 = 0xa06c_0103;
/// `NVA06C_CTRL_CMD_GET_TIMESLICE`: the same back.
pub const GET_TIMESLICE: u32 = 0xa06c_0104;
/// `NVA06C_CTRL_CMD_PREEMPT`, on a channel group: [`Preempt`].
pub const PREEMPT: u32 = 0xa06c_0105;
/// `NV2080_CTRL_CMD_FIFO_DISABLE_CHANNELS`, on a subdevice: [`DisableChannels`].
pub const DISABLE_CHANNELS: u32 = 0x2080_110b;
/// `NV2080_CTRL_CMD_GR_SET_CTXSW_PREEMPTION_MODE`, on a subdevice: [`PreemptionMode`].
pub const SET_PREEMPTION_MODE: u32 = 0x2080_1210;
/// `NV2080_CTRL_CMD_GPU_GET_GID_INFO`, on a subdevice: [`GidInfo`].
pub const GET_GID_INFO: u32 = 0x2080_014a;

/// Parameters of [`PREEMPT`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Preempt {
    /// Return only when it is switched out.
    pub wait: u8,
    /// The timeout below holds.
    pub manual_timeout: u8,
    /// Nothing.
    pub padding: u16,
    /// How long to wait, in µs.
    pub timeout: u32,
}

/// How many channels one [`DISABLE_CHANNELS`] takes.
pub const MAX_DISABLED: usize = 64;

/// Parameters of [`DISABLE_CHANNELS`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DisableChannels {
    /// 1: stop, 0: go on.
    pub disable: u8,
    /// Nothing.
    pub padding: [u8; 3],
    /// How many channels follow.
    pub channels: u32,
    /// 1: take them out of the schedule only, and let them run until they are switched out.
    pub only_scheduling: u8,
    /// 1: forget what was submitted. Never used here.
    pub rewind: u8,
    /// Nothing.
    pub padding_too: [u8; 6],
    /// For the kernel's own use: must be 0.
    pub event: u64,
    /// Each channel's client.
    pub clients: [Handle; MAX_DISABLED],
    /// Each channel.
    pub handles: [Handle; MAX_DISABLED],
}

/// Parameters of [`SET_PREEMPTION_MODE`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PreemptionMode {
    /// 1: set the compute mode, 2: the graphics mode.
    pub flags: u32,
    /// A channel or a channel group.
    pub channel: Handle,
    /// For graphics.
    pub graphics: u32,
    /// For compute: [`crate::Mode`].
    pub compute: u32,
    /// Which engine of several; 0 for the channel's own.
    pub route: [u64; 2],
}

/// Parameters of [`GET_GID_INFO`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GidInfo {
    /// Not looked at.
    pub index: u32,
    /// 2: as bytes.
    pub flags: u32,
    /// The answer's length.
    pub length: u32,
    /// The GPU's UUID.
    pub data: [u8; 256],
}

const _: () = assert!(size_of::<ControlBlock>() == 32 && size_of::<AllocHead>() == 24);
const _: () = assert!(size_of::<FreeBlock>() == 16 && size_of::<TransferBlock>() == 16);
const _: () = assert!(size_of::<Preempt>() == 8 && size_of::<DisableChannels>() == 536);
const _: () = assert!(size_of::<PreemptionMode>() == 32 && size_of::<GidInfo>() == 268);
const _: () = assert!(request(CONTROL, 32) == 0xc020_462a && request(ALLOC, 48) == 0xc030_462b);
