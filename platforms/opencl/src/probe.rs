//! What `xcli doctor` learns about OpenCL: the real library, the drivers that an ICD loader finds, and their devices.
//!
//! A driver that breaks as it is loaded breaks every OpenCL program, whichever driver that program wants. So each one is loaded in a
//! process of its own first, and only then all of them as programs get them. Sources: CL/cl.h, cl_khr_icd, libOpenCL(7) of
//! ocl-icd.

use crate::driver::{CL_SUCCESS, Driver, Handle, driver, wanted};
use crate::intercept::level_of;
use crate::{device, drivers};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use xsched_core::Level;
use xsched_core::probe::{Device, Finding, Line, Look};
use xsched_runtime::library::{Library, Wanted};
use xsched_runtime::probe::{Probe, Report};

const CL_PLATFORM_NAME: u32 = 0x0902;
const CL_DEVICE_NAME: u32 = 0x102B;
const CL_DRIVER_VERSION: u32 = 0x102D;
const CL_DEVICE_TYPE_ALL: u64 = 0xFFFF_FFFF;
const CL_DEVICE_NOT_FOUND: c_int = -1;
const CL_PLATFORM_NOT_FOUND_KHR: c_int = -1001;
/// More of either are not believed.
const MOST: u32 = 64;

/// The key of the look at the whole.
const PROGRAMS: &str = "programs";
/// What the keys of looks at one driver begin with.
const DRIVER: &str = "driver ";

/// The answers.
#[derive(Debug)]
pub struct OpenCl;

type GetIds = unsafe extern "C" fn(u32, *mut Handle, *mut u32) -> c_int;
type GetExtension = unsafe extern "C" fn(*const c_char) -> *mut c_void;

impl Probe for OpenCl {
    fn title(&self) -> &'static str {
        "OpenCL"
    }

    fn libraries(&self) -> &'static [&'static str] {
        &[crate::driver::SONAME, "libOpenCL.so"]
    }

    fn function(&self) -> &'static CStr {
        c"clGetPlatformIDs"
    }

    fn wanted<'a>(&self, stand_in: &'a Path) -> Wanted<'a> {
        wanted(stand_in)
    }

    fn install(&self) -> Option<&'static str> {
        Some("sudo apt-get install ocl-icd-libopencl1")
    }

    fn looks(&self) -> Vec<Look> {
        let drivers = drivers::registered().into_iter().map(|driver| Look {
            key: format!("{DRIVER}{}", driver.library),
            title: driver.to_string(),
            mend: driver.mend(),
        });
        let whole = Look { key: PROGRAMS.into(), title: "OpenCL as programs get it".into(), mend: None };
        drivers.chain([whole]).collect()
    }

    fn look(&self, key: &str, folder: &Path, report: &Report<'_>) {
        match key.strip_prefix(DRIVER) {
            Some(library) => one_driver(library, report),
            None => programs(folder, report),
        }
    }
}

/// Loads a driver as an ICD loader does.
fn one_driver(library: &str, report: &Report<'_>) {
    const CHECK: &str = "driver";
    let broken = |text: String| {
        let driver = drivers::registered().into_iter().find(|driver| driver.library == library);
        let title = driver.as_ref().map_or_else(|| library.to_owned(), ToString::to_string);
        let finding = Finding::problem(CHECK, format!("{title} {text}"));
        report.found(match driver.and_then(|driver| driver.mend()) {
            Some(mend) => finding.mend(mend),
            None => finding,
        });
    };
    report.doing(format!("loading the OpenCL driver {library}"));
    let loaded = match Library::open_at(Path::new(library)) {
        Ok(loaded) => loaded,
        Err(why) => return broken(format!("cannot be loaded: {why}")),
    };
    report.doing(format!("asking the OpenCL driver {library} for its platforms"));
    let Some(extension) = loaded.function(c"clGetExtensionFunctionAddress") else {
        return broken("is no OpenCL driver: it has no clGetExtensionFunctionAddress".into());
    };
    // SAFETY: the vendor's function of that name has this signature (CL/cl.h).
    let extension = unsafe { std::mem::transmute::<*mut c_void, GetExtension>(extension) };
    // SAFETY: a C string.
    let ids = unsafe { extension(c"clIcdGetPlatformIDsKHR".as_ptr()) };
    let ids = loaded.function(c"clIcdGetPlatformIDsKHR").or((!ids.is_null()).then_some(ids));
    let Some(ids) = ids else {
        return broken("cannot be used by an ICD loader: it has no clIcdGetPlatformIDsKHR".into());
    };
    // SAFETY: as above (cl_khr_icd).
    let ids = unsafe { std::mem::transmute::<*mut c_void, GetIds>(ids) };
    let mut count = 0;
    // SAFETY: no room for handles is allowed with a place for their number.
    let result = unsafe { ids(0, std::ptr::null_mut(), &raw mut count) };
    report.found(match (result, count) {
        (CL_SUCCESS, 1..) => Finding::ok(CHECK, format!("{library} can be loaded and has {}", platforms(count))),
        (CL_SUCCESS | CL_PLATFORM_NOT_FOUND_KHR | CL_DEVICE_NOT_FOUND, _) => Finding::note(
            CHECK,
            format!("{library} can be loaded and has no platform: it finds no device, or this user may not open it"),
        ),
        (code, _) => return broken(format!("answers clIcdGetPlatformIDsKHR with code {code}")),
    });
}

fn platforms(count: u32) -> String {
    if count == 1 { "one platform".into() } else { format!("{count} platforms") }
}

/// Goes the way that programs go: through the stand-in.
fn programs(folder: &Path, report: &Report<'_>) {
    let Some(stand_in) = report.open_stand_in(crate::driver::SONAME, OpenCl.function(), folder) else {
        return;
    };
    if let Some(place) = wanted(folder).places().first() {
        report.doing(format!(
            "loading the real library {} and the drivers that it loads",
            place.path.display()
        ));
    }
    let platforms = all::<GetIds>(&stand_in, c"clGetPlatformIDs", |get, n, ids, count| {
        // SAFETY: room for `n` handles, or none and a place for their number.
        unsafe { get(n, ids, count) }
    });
    let Some(driver) = driver() else {
        let text = "the real OpenCL library was not bound: programs are told that there is no platform";
        return report.found(Finding::problem("bound", text));
    };
    let Some(file) = driver.library.file_with(c"clGetPlatformIDs") else {
        let text = "the real library has no clGetPlatformIDs: it is no OpenCL library";
        return report.found(Finding::problem("bound", text));
    };
    let way = if driver.library.is_of_functions() { "the layer is in" } else { "the stand-in leads to" };
    report.found(Finding::ok("bound", format!("{way} {}", file.display())));
    let platforms = match platforms {
        Ok(platforms) if !platforms.is_empty() => platforms,
        Ok(_) | Err(CL_PLATFORM_NOT_FOUND_KHR) => {
            let text = "OpenCL has no platform: no driver is installed, or none of them works";
            let finding = Finding::problem("platforms", text).mend("sudo apt-get install pocl-opencl-icd");
            return report.found(finding);
        }
        Err(code) => {
            let text = format!("clGetPlatformIDs answers with code {code}");
            return report.found(Finding::problem("platforms", text));
        }
    };
    for platform in platforms {
        // SAFETY: a platform of the driver's.
        unsafe { devices(driver, &stand_in, platform, report) };
    }
}

/// All devices of a platform.
///
/// # Safety
/// `platform` is a platform of this driver.
unsafe fn devices(driver: &Driver, stand_in: &Library, platform: Handle, report: &Report<'_>) {
    type GetIds = unsafe extern "C" fn(Handle, u64, u32, *mut Handle, *mut u32) -> c_int;
    // SAFETY: by the caller; so below.
    let name = unsafe { device::text(driver.clGetPlatformInfo, platform, CL_PLATFORM_NAME) };
    report.doing(format!("asking the OpenCL platform {name:?} for its devices"));
    let devices = all::<GetIds>(stand_in, c"clGetDeviceIDs", |get, n, ids, count| {
        // SAFETY: as above; room for `n` handles, or none and a place for their number.
        unsafe { get(platform, CL_DEVICE_TYPE_ALL, n, ids, count) }
    });
    let devices = match devices {
        Ok(devices) if !devices.is_empty() => devices,
        Ok(_) | Err(CL_DEVICE_NOT_FOUND) => {
            let text = format!("the platform {name:?} has no device, or this user may not open it");
            return report.found(Finding::note("devices", text));
        }
        Err(code) => {
            let text = format!("the platform {name:?} answers clGetDeviceIDs with code {code}");
            return report.found(Finding::problem("devices", text));
        }
    };
    for handle in devices {
        // SAFETY: a device of the driver's; so below.
        let text = |what| unsafe { device::text(driver.clGetDeviceInfo, handle, what) };
        let device = text(CL_DEVICE_NAME);
        report.doing(format!("making a queue on {device:?} of the OpenCL platform {name:?}"));
        // SAFETY: as above.
        let level = unsafe { level(stand_in, handle) };
        report.line(&Line::Device(Device {
            // SAFETY: as above.
            key: unsafe { device::key(driver, handle) },
            name: device.clone(),
            driver: name.clone(),
            driver_version: text(CL_DRIVER_VERSION),
            level: level.ok().flatten(),
            mechanism: "the launching thread waits at the gate".into(),
            limit: Some("OpenCL has no standard way to stop what was launched".into()),
        }));
        if let Err((call, code)) = level {
            let text =
                format!("no queue can be made on {device:?} of {name:?}: {call} answers with code {code}");
            report.found(Finding::problem("queue", text));
        }
    }
}

/// Makes a queue as a program does; answers the level that it has, if it is scheduled.
///
/// # Safety
/// `device` is a device of the driver's.
unsafe fn level(stand_in: &Library, device: Handle) -> Result<Option<Level>, (&'static str, c_int)> {
    type CreateContext = unsafe extern "C" fn(
        *const c_void,
        u32,
        *const Handle,
        *const c_void,
        *mut c_void,
        *mut c_int,
    ) -> Handle;
    type CreateQueue = unsafe extern "C" fn(Handle, Handle, u64, *mut c_int) -> Handle;
    type Release = unsafe extern "C" fn(Handle) -> c_int;
    const MISSING: c_int = 0;
    let find = |call: &'static str, name: &CStr| stand_in.function(name).ok_or((call, MISSING));
    let create_context = find("clCreateContext", c"clCreateContext")?;
    let create_queue = find("clCreateCommandQueue", c"clCreateCommandQueue")?;
    let release_queue = find("clReleaseCommandQueue", c"clReleaseCommandQueue")?;
    let release_context = find("clReleaseContext", c"clReleaseContext")?;
    let mut code = CL_SUCCESS;
    // SAFETY: the stand-in's functions of those names have these signatures (CL/cl.h); the device is one of the driver's, and what
    // is made of it is given back once.
    unsafe {
        let create_context = std::mem::transmute::<*mut c_void, CreateContext>(create_context);
        let create_queue = std::mem::transmute::<*mut c_void, CreateQueue>(create_queue);
        let release_queue = std::mem::transmute::<*mut c_void, Release>(release_queue);
        let release_context = std::mem::transmute::<*mut c_void, Release>(release_context);
        let (null, nothing) = (std::ptr::null(), std::ptr::null_mut());
        let context = create_context(null, 1, &raw const device, null, nothing, &raw mut code);
        if context.is_null() {
            return Err(("clCreateContext", code));
        }
        let queue = create_queue(context, device, 0, &raw mut code);
        if queue.is_null() {
            release_context(context);
            return Err(("clCreateCommandQueue", code));
        }
        let level = level_of(queue);
        release_queue(queue);
        release_context(context);
        Ok(level)
    }
}

/// All handles that a function of the form (…, room, handles, number) gives; its code if it fails.
fn all<F: Copy>(
    library: &Library,
    name: &CStr,
    call: impl Fn(F, u32, *mut Handle, *mut u32) -> c_int,
) -> Result<Vec<Handle>, c_int> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>(), "a function pointer") };
    let address = library.function(name).ok_or(CL_PLATFORM_NOT_FOUND_KHR)?;
    // SAFETY: the vendor's function of that name has this signature, by whoever names both.
    let function = unsafe { std::mem::transmute_copy::<*mut c_void, F>(&address) };
    let mut count = 0;
    match call(function, 0, std::ptr::null_mut(), &raw mut count) {
        CL_SUCCESS => {}
        code => return Err(code),
    }
    let mut handles = vec![std::ptr::null_mut(); count.min(MOST) as usize];
    if handles.is_empty() {
        return Ok(handles);
    }
    match call(function, handles.len() as u32, handles.as_mut_ptr(), std::ptr::null_mut()) {
        CL_SUCCESS => Ok(handles),
        code => Err(code),
    }
}
