//! The platforms in this library: one row each.

use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::AtomicPtr;

/// Fills a stand-in's table, or says what is missing.
pub(crate) type Bind = unsafe fn(&Path, &[(&CStr, &AtomicPtr<std::ffi::c_void>)]) -> Result<(), String>;

/// Name (as the stand-in gives it) and binding of each platform.
pub(crate) const PLATFORMS: &[(&CStr, Bind)] = &[(c"opencl", xsched_platform_opencl::bind)];
