//! What `xcli doctor` learns about CUDA: the real library, and the devices that programs get through the stand-in.

use crate::device;
use crate::driver::{CUDA_SUCCESS, Driver, Handle, driver, wanted};
use crate::queue::CudaQueue;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::Path;
use xsched_core::Level;
use xsched_core::probe::{Device, Finding, Look};
use xsched_runtime::config::config;
use xsched_runtime::library::{Library, Wanted};
use xsched_runtime::probe::{Probe, Report};

const CUDA_ERROR_NO_DEVICE: c_int = 100;
const CU_STREAM_NON_BLOCKING: c_uint = 1;

/// NVIDIA on the PCI bus, as the kernel writes it.
const NVIDIA: &str = "0x10de";

/// The answers.
#[derive(Debug)]
pub struct Cuda;

/// Whether the bus has a device of NVIDIA's, with or without a driver for it.
fn has_device_of_nvidia(bus: &Path) -> bool {
    let vendor = |device: std::fs::DirEntry| std::fs::read_to_string(device.path().join("vendor"));
    std::fs::read_dir(bus).is_ok_and(|mut devices| {
        devices.any(|device| device.and_then(vendor).is_ok_and(|vendor| vendor.trim() == NVIDIA))
    })
}

impl Probe for Cuda {
    fn title(&self) -> &'static str {
        "CUDA"
    }

    fn libraries(&self) -> &'static [&'static str] {
        &[crate::driver::SONAME, "libcuda.so"]
    }

    fn function(&self) -> &'static CStr {
        c"cuInit"
    }

    fn wanted<'a>(&self, stand_in: &'a Path) -> Wanted<'a> {
        wanted(stand_in)
    }

    fn install(&self) -> Option<&'static str> {
        has_device_of_nvidia(Path::new("/sys/bus/pci/devices")).then_some("sudo apt-get install libcuda1")
    }

    fn looks(&self) -> Vec<Look> {
        vec![Look { key: "programs".into(), title: "CUDA as programs get it".into(), mend: None }]
    }

    fn look(&self, _: &str, folder: &Path, report: &Report<'_>) {
        let Some(stand_in) = report.open_stand_in(crate::driver::SONAME, self.function(), folder) else {
            return;
        };
        if let Some(place) = wanted(folder).places().first() {
            report.doing(format!("loading the real library {}", place.path.display()));
        }
        let result = Program(stand_in).init();
        let Some(driver) = driver() else {
            return report.found(Finding::problem(
                "devices",
                "the real CUDA library was not bound: programs are told that there is no device",
            ));
        };
        if let Some(file) = driver.library.file_with(c"cuInit") {
            report.found(Finding::ok("bound", format!("the stand-in leads to {}", file.display())));
        }
        match result {
            Some(CUDA_SUCCESS) => devices(driver, &Program(stand_in), report),
            Some(CUDA_ERROR_NO_DEVICE) => report.found(Finding::problem("devices", "CUDA has no device")),
            code => report.found(Finding::problem(
                "devices",
                format!("cuInit answers with code {}", code.unwrap_or_default()),
            )),
        }
    }
}

/// The functions of the stand-in that a small program calls.
struct Program(Library);

impl Program {
    fn function<F>(&self, name: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: `F` is the type of that function (cuda.h), by the callers below.
        self.0.function(name).map(|address| unsafe { std::mem::transmute_copy::<*mut c_void, F>(&address) })
    }

    fn init(&self) -> Option<c_int> {
        type Init = unsafe extern "C" fn(c_uint) -> c_int;
        // SAFETY: flags must be 0.
        Some(unsafe { self.function::<Init>(c"cuInit")?(0) })
    }

    fn number(&self, name: &CStr) -> Option<c_int> {
        type Get = unsafe extern "C" fn(*mut c_int) -> c_int;
        let mut number = 0;
        // SAFETY: a place for the answer.
        let result = unsafe { self.function::<Get>(name)?(&raw mut number) };
        (result == CUDA_SUCCESS).then_some(number)
    }

    fn name(&self, device: c_int) -> Option<String> {
        type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
        let mut text = [0u8; 256];
        // SAFETY: room for a text of this length.
        let result =
            unsafe { self.function::<Name>(c"cuDeviceGetName")?(text.as_mut_ptr().cast(), 255, device) };
        let text = CStr::from_bytes_until_nul(&text).ok()?;
        (result == CUDA_SUCCESS).then(|| text.to_string_lossy().into_owned())
    }

    /// Runs `work` with a stream that has had something to do, in a context of its own.
    fn with_stream<R>(&self, device: c_int, work: impl FnOnce(Handle) -> R) -> Option<R> {
        type Create = unsafe extern "C" fn(*mut Handle, c_uint, c_int) -> c_int;
        type Stream = unsafe extern "C" fn(*mut Handle, c_uint) -> c_int;
        type Allocate = unsafe extern "C" fn(*mut u64, usize) -> c_int;
        type Set = unsafe extern "C" fn(u64, u8, usize, Handle) -> c_int;
        type Destroy = unsafe extern "C" fn(Handle) -> c_int;
        let (mut context, mut stream, mut memory) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let destroy: Destroy = self.function(c"cuCtxDestroy_v2")?;
        // SAFETY: places for the answers; what was made is used below, and goes with the context.
        unsafe {
            if self.function::<Create>(c"cuCtxCreate_v2")?(&raw mut context, 0, device) != CUDA_SUCCESS {
                return None;
            }
            let is_used = (|| {
                let make: Stream = self.function(c"cuStreamCreate")?;
                let is_made = make(&raw mut stream, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS
                    && self.function::<Allocate>(c"cuMemAlloc_v2")?(&raw mut memory, 4) == CUDA_SUCCESS;
                let set: Set = self.function(c"cuMemsetD8Async")?;
                Some(is_made && set(memory, 0, 4, stream) == CUDA_SUCCESS)
            })();
            let result = (is_used == Some(true)).then(|| work(stream));
            destroy(context);
            result
        }
    }
}

fn devices(driver: &'static Driver, program: &Program, report: &Report<'_>) {
    let version = program.number(c"cuDriverGetVersion").unwrap_or_default();
    for number in 0..program.number(c"cuDeviceGetCount").unwrap_or_default() {
        let mut device = 0;
        // SAFETY: a place for the answer.
        if driver.cuDeviceGet.map(|get| unsafe { get(&raw mut device, number) }) != Some(CUDA_SUCCESS) {
            continue;
        }
        let name = program.name(device).unwrap_or_default();
        report.doing(format!("launching on {name:?}"));
        let key = device::key(driver, device);
        let level = program.with_stream(device, |stream| {
            crate::stream::known(crate::stream::Named::plain(stream as usize))?;
            Some(crate::rm::can_interrupt(&key))
        });
        match &level {
            Some(Some(_)) => {
                report.found(Finding::ok("queue", format!("a stream on {name:?} is scheduled, as {key}")))
            }
            Some(None) => {
                report.found(Finding::problem("queue", format!("a stream on {name:?} is not scheduled")))
            }
            None => {
                report.found(Finding::problem("queue", format!("no stream can be made and used on {name:?}")))
            }
        }
        report.line(&xsched_core::probe::Line::Device(Device {
            key,
            name,
            driver: "NVIDIA's CUDA driver".into(),
            driver_version: format!("{}.{}", version / 1000, version % 1000 / 10),
            level: level.as_ref().and_then(Option::as_ref).map(|interrupts| match interrupts {
                Ok(()) => Level::Interrupt,
                Err(_) => CudaQueue::LEVEL.min(config().auto_xqueue_level),
            }),
            mechanism: match level.as_ref().and_then(Option::as_ref) {
                Some(Ok(())) => {
                    "the launching thread waits at the gate, and xserver stops the device's channels".into()
                }
                _ => "the launching thread waits at the gate".into(),
            },
            limit: level.flatten().and_then(Result::err),
        }));
    }
    report.attachment();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_proposed_where_a_device_of_nvidia_is() {
        let bus = std::env::temp_dir().join(format!("xsched-bus-{}", std::process::id()));
        for (device, vendor) in [("0000:00:01.0", "0x8086\n"), ("0000:00:02.0", "0x10de\n")] {
            assert!(!has_device_of_nvidia(&bus));
            std::fs::create_dir_all(bus.join(device)).unwrap();
            std::fs::write(bus.join(device).join("vendor"), vendor).unwrap();
        }
        let is_there = has_device_of_nvidia(&bus);
        std::fs::remove_dir_all(&bus).unwrap();
        assert!(is_there);
    }
}
