//! Which channels, and how they are told to another process.

use crate::abi::Handle;
use std::fmt;
use xsched_core::DeviceKey;

/// The most groups that a process tells of: contexts, times the groups that each has for itself.
pub const MAX_GROUPS: usize = 64;
/// The most channels of one group: as many as one call takes.
pub const MAX_CHANNELS: usize = crate::abi::MAX_DISABLED;

/// The channels of a context that compute: they belong to one group, which is switched in and out as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channels {
    /// The GPU.
    pub device: DeviceKey,
    /// The RM client that all handles below are of.
    pub client: Handle,
    /// The GPU, as that client sees it.
    pub subdevice: Handle,
    /// The channel group.
    pub group: Handle,
    /// Its channels, those that copy only included if they are in it.
    pub channels: Vec<Handle>,
}

/// Bytes that are not what [`encode`] makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Garbage(&'static str);

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel groups: {}", self.0)
    }
}

impl std::error::Error for Garbage {}

/// The groups as bytes. Those beyond [`MAX_GROUPS`], and groups with more than [`MAX_CHANNELS`] channels, are left out: they are not
/// controlled.
///
/// Each group: the length of its device's key (1 byte), the key, client, subdevice, group (4 bytes each), the number of channels (1 byte), channels
/// (4 bytes each); all of them little-endian, one group behind the other.
pub fn encode(groups: &[Channels]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fit = groups.iter().filter(|group| (1..=MAX_CHANNELS).contains(&group.channels.len()));
    for group in fit.take(MAX_GROUPS) {
        let key = group.device.as_str();
        bytes.push(key.len() as u8);
        bytes.extend_from_slice(key.as_bytes());
        for handle in [group.client, group.subdevice, group.group] {
            bytes.extend_from_slice(&handle.to_le_bytes());
        }
        bytes.push(group.channels.len() as u8);
        group.channels.iter().for_each(|handle| bytes.extend_from_slice(&handle.to_le_bytes()));
    }
    bytes
}

/// The groups that [`encode`] made these bytes of. All must be of one client, the one whose file comes along.
pub fn decode(bytes: &[u8]) -> Result<Vec<Channels>, Garbage> {
    let mut rest = bytes;
    let mut groups: Vec<Channels> = Vec::new();
    while !rest.is_empty() {
        if groups.len() == MAX_GROUPS {
            return Err(Garbage("more than 64"));
        }
        let length = usize::from(take::<1>(&mut rest)?[0]);
        let key = rest.split_off(..length).ok_or(TOO_SHORT)?;
        let key = std::str::from_utf8(key).ok().and_then(|key| DeviceKey::try_from(key.to_owned()).ok());
        let device = key.ok_or(Garbage("not a device's key"))?;
        let (client, subdevice, group) = (handle(&mut rest)?, handle(&mut rest)?, handle(&mut rest)?);
        let count = usize::from(take::<1>(&mut rest)?[0]);
        if !(1..=MAX_CHANNELS).contains(&count) {
            return Err(Garbage("a group has 1 to 64 channels"));
        }
        let channels = (0..count).map(|_| handle(&mut rest)).collect::<Result<_, _>>()?;
        if groups.first().is_some_and(|first| first.client != client) {
            return Err(Garbage("of more than one client"));
        }
        groups.push(Channels { device, client, subdevice, group, channels });
    }
    Ok(groups)
}

const TOO_SHORT: Garbage = Garbage("it ends too early");

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Garbage> {
    rest.split_off(..N).and_then(|bytes| bytes.try_into().ok()).ok_or(TOO_SHORT)
}

fn handle(rest: &mut &[u8]) -> Result<Handle, Garbage> {
    take(rest).map(u32::from_le_bytes)
}
