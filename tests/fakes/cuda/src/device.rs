//! Devices: as many as `FAKE_CUDA_DEVICES` says, or one. What fills a device has it alone in this process, or among all processes that
//! name the same file by `FAKE_CUDA_ALONE`.

use crate::function::*;
use std::ffi::{c_char, c_int, c_uint};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

static IS_INITIALIZED: AtomicBool = AtomicBool::new(false);

/// A device's number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device(c_int);

impl Device {
    pub(crate) fn number(self) -> c_int {
        self.0
    }
}

fn count() -> c_int {
    std::env::var("FAKE_CUDA_DEVICES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The device with this number.
pub(crate) fn is_device(number: c_int) -> Result<Device, c_int> {
    if !IS_INITIALIZED.load(Ordering::SeqCst) {
        return Err(CUDA_ERROR_NOT_INITIALIZED);
    }
    if (0..count()).contains(&number) { Ok(Device(number)) } else { Err(CUDA_ERROR_INVALID_DEVICE) }
}

impl Device {
    pub(crate) fn uuid(self) -> [u8; 16] {
        let number = u8::try_from(self.0).unwrap_or(u8::MAX);
        [0xFA, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    }
}

/// Runs what fills the device.
pub(crate) fn alone(work: impl FnOnce()) {
    static DEVICE: LazyLock<Mutex<Option<File>>> = LazyLock::new(|| {
        Mutex::new(std::env::var_os("FAKE_CUDA_ALONE").map(|path| File::create(path).unwrap()))
    });
    let device = DEVICE.lock().unwrap();
    let lock = |how| {
        // SAFETY: a file of ours.
        device.as_ref().is_none_or(|file| unsafe { libc::flock(file.as_raw_fd(), how) } == 0)
    };
    while !lock(libc::LOCK_EX) {}
    work();
    lock(libc::LOCK_UN);
    drop(device);
    // Whoever waits goes first: locks are not fair, devices are.
    std::thread::sleep(Duration::from_micros(50));
}

fn uuid(place: *mut [u8; 16], device: c_int) -> Outcome {
    answer(place, is_device(device)?.uuid())
}

functions! {
    plain {
        cuInit(flags: c_uint) {
            if flags != 0 {
                return Err(CUDA_ERROR_INVALID_VALUE);
            }
            IS_INITIALIZED.store(true, Ordering::SeqCst);
            Ok(())
        }
        cuDriverGetVersion(place: *mut c_int) { answer(place, 13000) }
        cuDeviceGetCount(place: *mut c_int) {
            is_device(0)?;
            answer(place, count())
        }
        cuDeviceGet(place: *mut c_int, number: c_int) { answer(place, is_device(number)?.0) }
        cuDeviceGetName(place: *mut c_char, size: c_int, device: c_int) {
            is_device(device)?;
            let name = b"Simulated GPU\0";
            let length = name.len().min(usize::try_from(size).unwrap_or(0));
            // SAFETY: the program's place has `size` bytes.
            unsafe { std::ptr::copy_nonoverlapping(name.as_ptr().cast(), place, length) };
            Ok(())
        }
        cuDeviceGetAttribute(place: *mut c_int, attribute: c_int, device: c_int) {
            let number = is_device(device)?.0;
            // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, _PCI_BUS_ID, _PCI_DEVICE_ID and _PCI_DOMAIN_ID.
            match attribute {
                16 => answer(place, 1),
                33 => answer(place, 0xFA),
                34 => answer(place, number),
                50 => answer(place, 0),
                _ => Err(CUDA_ERROR_INVALID_VALUE),
            }
        }
        cuDeviceGetUuid(place: *mut [u8; 16], device: c_int) { uuid(place, device) }
        cuDeviceGetUuid_v2(place: *mut [u8; 16], device: c_int) { uuid(place, device) }
    }
    twins {}
}
