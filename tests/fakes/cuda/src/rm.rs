//! What a context has in the resource manager, if `FAKE_CUDA_RM` is set: a channel group, by which it can be stopped from outside.
//!
//! The control device is one of `fake-rm`, of which each context on the first GPU gets a group, as long as there are some. Objects are made and freed by `ioctl`, as the
//! real library does it, for whoever listens there. A stopped group's streams begin no further command; one that has begun goes on.

use crate::device::Device;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use xsched_cuda_control::abi::{self, AllocHead, FreeBlock};

/// The channel group of a context.
pub(crate) struct Channels {
    rm: &'static Rm,
    index: usize,
}

struct Rm {
    device: fake_rm::Device,
    /// Groups that are taken.
    taken: Mutex<Vec<usize>>,
}

/// The longer form of an allocation.
#[repr(C)]
struct Alloc {
    head: AllocHead,
    rights: u64,
    size: u32,
    flags: u32,
    status: u32,
    padding: u32,
}

fn rm(device: Device) -> Option<&'static Rm> {
    static RM: OnceLock<Option<Rm>> = OnceLock::new();
    let rm = RM.get_or_init(|| {
        std::env::var_os("FAKE_CUDA_RM")?;
        let rm = fake_rm::Device::new(0xc1d0_0001);
        rm.set_uuid(device.uuid());
        Some(Rm { device: rm, taken: Mutex::default() })
    });
    rm.as_ref().filter(|_| device.number() == 0)
}

impl Channels {
    /// For a context on this GPU.
    pub(crate) fn new(device: Device) -> Option<Channels> {
        let rm = rm(device)?;
        let mut taken = rm.taken.lock().unwrap();
        let free = (0..).find(|index| !taken.contains(index));
        let index = free.filter(|index| rm.device.group(*index).is_some())?;
        taken.push(index);
        for (parent, object, class) in rm.device.objects(index) {
            let head = AllocHead { root: rm.device.client(), parent, object, class, parameters: 0 };
            let mut alloc = Alloc { head, rights: 0, size: 0, flags: 0, status: u32::MAX, padding: 0 };
            rm.call(abi::ALLOC, &mut alloc);
        }
        Some(Channels { rm, index })
    }

    /// Waits as long as it is stopped.
    pub(crate) fn wait(&self) {
        while self.rm.device.group(self.index).is_some_and(|group| group.is_stopped) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        // The group, and all in it.
        let objects = self.rm.device.objects(self.index);
        for (_, object, _) in objects.into_iter().filter(|(_, _, class)| *class == abi::CHANNEL_GROUP) {
            let mut free = FreeBlock { root: self.rm.device.client(), parent: 0, object, status: u32::MAX };
            self.rm.call(abi::FREE, &mut free);
        }
        self.rm.taken.lock().unwrap().retain(|index| *index != self.index);
    }
}

impl Rm {
    fn call<B>(&self, number: u32, block: &mut B) {
        let request = abi::request(number, size_of::<B>());
        // SAFETY: the block is as large as the request says.
        unsafe { libc::ioctl(self.device.file().as_raw_fd(), request.into(), std::ptr::from_mut(block)) };
    }
}
