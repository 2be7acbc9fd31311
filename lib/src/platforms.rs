//! The platforms in this library: one row each.

use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::AtomicPtr;
use xsched_runtime::probe::Probe;

/// Fills a stand-in's table, or says what is missing.
pub(crate) type Bind = unsafe fn(&Path, &[(&CStr, &AtomicPtr<std::ffi::c_void>)]) -> Result<(), String>;

/// A platform.
pub(crate) struct Platform {
    /// Its name, as the stand-in gives it.
    pub(crate) name: &'static CStr,
    pub(crate) bind: Bind,
    pub(crate) probe: &'static dyn Probe,
}

/// All platforms.
pub(crate) const PLATFORMS: &[Platform] = &[
    Platform {
        name: c"levelzero",
        bind: xsched_platform_levelzero::bind,
        probe: &xsched_platform_levelzero::probe::LevelZero,
    },
    Platform {
        name: c"opencl",
        bind: xsched_platform_opencl::bind,
        probe: &xsched_platform_opencl::probe::OpenCl,
    },
    Platform { name: c"cuda", bind: xsched_platform_cuda::bind, probe: &xsched_platform_cuda::probe::Cuda },
];

/// Libraries of ours besides the stand-ins: the name that each gives, and how its table is filled.
pub(crate) const LAYERS: &[(&CStr, Bind)] = &[(c"opencl-layer", xsched_platform_opencl::layer::bind)];
