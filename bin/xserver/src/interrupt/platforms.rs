//! The controls that xserver knows: for each kind of remote control, the platform that makes levers of it. The only place in xserver that knows vendors.

use super::lever::Lever;
use crate::links::Lent;
use rustix::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;
use xsched_core::DeviceKey;
use xsched_cuda_control::{self as cuda, Channels, Mode};
use xsched_ipc::server::Control;

/// A lever, and the device that it is on.
pub(super) type Placed = (DeviceKey, Arc<dyn Lever>);

/// What a loan is good for: a lever for each channel group that it speaks of. An error says why it is good for nothing; then its files are closed.
pub(super) fn levers(control: Control, files: Option<Lent>) -> Result<Vec<Placed>, String> {
    match control.remote.kind {
        cuda::KIND => nvidia(control, files),
        other => Err(format!("this xserver knows no control of kind 0x{other:x}")),
    }
}

fn nvidia(control: Control, files: Option<Lent>) -> Result<Vec<Placed>, String> {
    let groups = cuda::decode(&control.remote.blob).map_err(|garbage| garbage.to_string())?;
    let [file] = control.remote.fds.as_slice() else { return Err("there is not one file with it".into()) };
    cuda::Control::new(file.as_fd()).map_err(|refusal| refusal.to_string())?;
    let file = Arc::new(File { control, _counted: files });
    let lever = |channels: Channels| {
        let device = channels.device.clone();
        (device, Arc::new(Nvidia { file: Arc::clone(&file), channels }) as Arc<dyn Lever>)
    };
    Ok(groups.into_iter().map(lever).collect())
}

/// What the driver makes turns like, where what it answers was plainly made by somebody else: by a server before this one, say.
const PLAIN: Duration = Duration::from_micros(2048);
/// Answers that are believed.
const PLAUSIBLE: std::ops::RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_millis(100);

/// A channel group of an NVIDIA GPU. The driver sees to it that the file is good for objects of its own client only.
#[derive(Debug)]
struct Nvidia {
    file: Arc<File>,
    channels: Channels,
}

impl Nvidia {
    fn call<T>(
        &self,
        call: impl FnOnce(&cuda::Control<'_>) -> Result<T, cuda::Refusal>,
    ) -> Result<T, String> {
        let control = cuda::Control::new(self.file.get()?).map_err(|refusal| refusal.to_string())?;
        call(&control).map_err(|refusal| refusal.to_string())
    }
}

impl Lever for Nvidia {
    fn plain_turns(&self) -> Result<Duration, String> {
        let turns = self.call(|control| control.slice(&self.channels))?;
        Ok(if PLAUSIBLE.contains(&turns) { turns } else { PLAIN })
    }

    fn set_turns(&self, turns: Duration) -> Result<(), String> {
        self.call(|control| control.set_slice(&self.channels, turns))
    }

    fn set_interruptible(&self, is_interruptible: bool) -> Result<(), String> {
        let mode = if is_interruptible { Mode::Instruction } else { Mode::ThreadBlock };
        self.call(|control| control.set_mode(&self.channels, mode))
    }

    fn hold(&self) -> Result<(), String> {
        self.call(|control| control.hold(&self.channels))
    }

    fn release(&self) -> Result<(), String> {
        self.call(|control| control.release(&self.channels))
    }
}

/// The file that all groups of one client share.
#[derive(Debug)]
struct File {
    control: Control,
    /// Behind it: it is closed first.
    _counted: Option<Lent>,
}

impl File {
    fn get(&self) -> Result<BorrowedFd<'_>, String> {
        self.control.remote.fds.first().map(AsFd::as_fd).ok_or_else(|| "there is no file with it".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_hal::RemoteControl;

    fn lend(kind: u32, files: usize, blob: &[u8]) -> String {
        let file = || std::fs::File::open("/dev/null").unwrap().into();
        let fds = (0..files).map(|_| file()).collect();
        levers(Control { remote: RemoteControl { kind, fds, blob: blob.to_vec() } }, None).unwrap_err()
    }

    #[test]
    fn what_is_lent_and_is_no_control_is_good_for_nothing() {
        assert!(lend(7, 1, b"").contains("no control of kind 0x7"));
        assert!(lend(cuda::KIND, 1, b"garbage").contains("channel groups"));
        assert!(
            lend(cuda::KIND, 0, b"").contains("one file") && lend(cuda::KIND, 2, b"").contains("one file")
        );
        assert_eq!(lend(cuda::KIND, 1, b""), "the file is not /dev/nvidiactl");
    }
}
