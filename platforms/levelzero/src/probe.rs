//! What `xcli doctor` learns about Level Zero: the real loader, its drivers, and their devices.
//!
//! The loader looks for drivers under names of its own and tells nobody which ones it tried, so there is one look: at the whole.

use crate::driver::{
    Handle, QueueDesc, SONAME, ZE_RESULT_SUCCESS, ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
    ZE_STRUCTURE_TYPE_CONTEXT_DESC, ZeResult, driver, wanted,
};
use crate::{device, intercept::level_of};
use std::ffi::{CStr, c_int, c_void};
use std::path::Path;
use xsched_core::Level;
use xsched_core::probe::{Device, Finding, Line, Look};
use xsched_runtime::library::{Library, Wanted};
use xsched_runtime::probe::{Probe, Report};

/// More drivers, or devices of one, are not believed.
const MOST: u32 = 64;

/// The answers.
#[derive(Debug)]
pub struct LevelZero;

type Get = unsafe extern "C" fn(Handle, *mut u32, *mut Handle) -> ZeResult;

impl Probe for LevelZero {
    fn title(&self) -> &'static str {
        "Level Zero"
    }

    fn libraries(&self) -> &'static [&'static str] {
        &[SONAME, "libze_loader.so"]
    }

    fn function(&self) -> &'static CStr {
        c"zeInit"
    }

    fn wanted<'a>(&self, stand_in: &'a Path) -> Wanted<'a> {
        wanted(stand_in)
    }

    fn install(&self) -> Option<&'static str> {
        Some("sudo apt-get install libze1")
    }

    fn looks(&self) -> Vec<Look> {
        vec![Look { key: "programs".into(), title: "Level Zero as programs get it".into(), mend: None }]
    }

    fn look(&self, _: &str, folder: &Path, report: &Report<'_>) {
        let Some(stand_in) = report.open_stand_in(SONAME, self.function(), folder) else { return };
        report.doing("loading the Level Zero loader and the drivers that it finds");
        if let Err((call, code)) = devices(&stand_in, report) {
            report.found(Finding::problem("devices", format!("{call} answers with code {code:#x}")));
        }
    }
}

/// A call that failed, and its code.
type Failure = (&'static str, ZeResult);

/// A function of the stand-in.
///
/// # Safety
/// `F` is that function's type.
unsafe fn function<F: Copy>(library: &Library, call: &'static str, name: &CStr) -> Result<F, Failure> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>(), "a function pointer") };
    let address = library.function(name).ok_or((call, 0))?;
    // SAFETY: by the caller.
    Ok(unsafe { std::mem::transmute_copy::<*mut c_void, F>(&address) })
}

fn check(call: &'static str, result: ZeResult) -> Result<(), Failure> {
    if result == ZE_RESULT_SUCCESS { Ok(()) } else { Err((call, result)) }
}

fn devices(stand_in: &Library, report: &Report<'_>) -> Result<(), Failure> {
    type Init = unsafe extern "C" fn(u32) -> ZeResult;
    type GetDrivers = unsafe extern "C" fn(*mut u32, *mut Handle) -> ZeResult;
    // SAFETY: the loader's functions of those names have these signatures (level_zero/ze_api.h).
    let (init, get_drivers, get_devices) = unsafe {
        (
            function::<Init>(stand_in, "zeInit", c"zeInit")?,
            function::<GetDrivers>(stand_in, "zeDriverGet", c"zeDriverGet")?,
            function::<Get>(stand_in, "zeDeviceGet", c"zeDeviceGet")?,
        )
    };
    // SAFETY: no flags.
    let found = unsafe { init(0) };
    let Some(real) = driver() else {
        let text = "the real Level Zero loader was not bound: programs are told that there is no driver";
        report.found(Finding::problem("drivers", text));
        return Ok(());
    };
    if let Some(file) = real.library.file_with(c"zeInit") {
        report.found(Finding::ok("bound", format!("the stand-in leads to {}", file.display())));
    }
    if found != ZE_RESULT_SUCCESS {
        let text = format!(
            "Level Zero has no driver: none is installed, or none of them works (zeInit: {found:#x})"
        );
        report.found(Finding::note("drivers", text));
        return Ok(());
    }
    // SAFETY: room for so many, or none and a place for their number.
    let drivers = all("zeDriverGet", |count, to| unsafe { get_drivers(count, to) })?;
    for driver in drivers {
        // SAFETY: a driver, and as above.
        for handle in all("zeDeviceGet", |count, to| unsafe { get_devices(driver, count, to) })? {
            // SAFETY: a device of that driver.
            unsafe { one_device(real, stand_in, driver, handle, report) };
        }
    }
    Ok(())
}

unsafe fn one_device(
    real: &crate::driver::Driver,
    stand_in: &Library,
    driver: Handle,
    handle: Handle,
    report: &Report<'_>,
) {
    // SAFETY: by the caller; so below.
    let name = unsafe { device::name(real, handle) };
    report.doing(format!("making a queue on {name:?}"));
    // SAFETY: as above.
    let level = unsafe { level(stand_in, driver, handle) };
    report.line(&Line::Device(Device {
        // SAFETY: as above.
        key: unsafe { device::key(real, handle) },
        name: name.clone(),
        driver: "Level Zero".into(),
        driver_version: String::new(),
        level: level.ok().flatten(),
        mechanism: "the launching thread waits at the gate".into(),
        limit: Some("Level Zero has no standard way to stop what was launched".into()),
    }));
    if let Err((call, code)) = level {
        let text = format!("no queue can be made on {name:?}: {call} answers with code {code:#x}");
        report.found(Finding::problem("queue", text));
    }
}

/// `ze_context_desc_t`.
#[repr(C)]
struct ContextDesc {
    stype: c_int,
    next: *const c_void,
    flags: u32,
}

/// Makes a queue as a program does; answers the level that it has, if it is scheduled.
///
/// # Safety
/// `device` is a device of `driver`.
unsafe fn level(stand_in: &Library, driver: Handle, device: Handle) -> Result<Option<Level>, Failure> {
    type CreateContext = unsafe extern "C" fn(Handle, *const ContextDesc, *mut Handle) -> ZeResult;
    type CreateQueue = unsafe extern "C" fn(Handle, Handle, *const QueueDesc, *mut Handle) -> ZeResult;
    type Destroy = unsafe extern "C" fn(Handle) -> ZeResult;
    let next = std::ptr::null();
    let context_desc = ContextDesc { stype: ZE_STRUCTURE_TYPE_CONTEXT_DESC, next, flags: 0 };
    let stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC;
    let queue_desc = QueueDesc { stype, next, ordinal: 0, index: 0, flags: 0, mode: 0, priority: 0 };
    let (mut context, mut queue): (Handle, Handle) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the stand-in's functions of those names have these signatures (level_zero/ze_api.h); descriptions and places are ours, and what
    // is made is destroyed once.
    unsafe {
        let create_context = function::<CreateContext>(stand_in, "zeContextCreate", c"zeContextCreate")?;
        let create_queue =
            function::<CreateQueue>(stand_in, "zeCommandQueueCreate", c"zeCommandQueueCreate")?;
        let destroy_queue = function::<Destroy>(stand_in, "zeCommandQueueDestroy", c"zeCommandQueueDestroy")?;
        let destroy_context = function::<Destroy>(stand_in, "zeContextDestroy", c"zeContextDestroy")?;
        check("zeContextCreate", create_context(driver, &raw const context_desc, &raw mut context))?;
        let made = create_queue(context, device, &raw const queue_desc, &raw mut queue);
        let level = check("zeCommandQueueCreate", made).map(|()| level_of(queue));
        if level.is_ok() {
            destroy_queue(queue);
        }
        destroy_context(context);
        level
    }
}

/// All handles that a function of the form (number, handles) gives.
fn all(call: &'static str, get: impl Fn(*mut u32, *mut Handle) -> ZeResult) -> Result<Vec<Handle>, Failure> {
    let mut count = 0;
    check(call, get(&raw mut count, std::ptr::null_mut()))?;
    let mut handles = vec![std::ptr::null_mut(); count.min(MOST) as usize];
    count = count.min(MOST);
    check(call, get(&raw mut count, handles.as_mut_ptr()))?;
    handles.truncate(count as usize);
    Ok(handles)
}
