//! The few functions of the C library that the stand-in calls, declared here so that it needs no crate.

use core::ffi::{c_char, c_int, c_long, c_void};

pub(crate) const RTLD_NOW: c_int = 2;
/// Only a library that is loaded already.
pub(crate) const RTLD_NOLOAD: c_int = 4;
pub(crate) const F_OK: c_int = 0;
pub(crate) const PATH_MAX: usize = 4096;

/// `Dl_info`: where an address was loaded from.
#[repr(C)]
pub(crate) struct DlInfo {
    pub(crate) file_name: *const c_char,
    pub(crate) file_base: *mut c_void,
    pub(crate) symbol_name: *const c_char,
    pub(crate) symbol_address: *mut c_void,
}

/// `struct iovec`.
#[repr(C)]
pub(crate) struct IoVec {
    pub(crate) base: *const c_void,
    pub(crate) length: usize,
}

/// `struct timespec`.
#[repr(C)]
pub(crate) struct TimeSpec {
    pub(crate) seconds: c_long,
    pub(crate) nanoseconds: c_long,
}

// libdl is part of libc since glibc 2.34.
#[link(name = "dl")]
#[link(name = "c")]
unsafe extern "C" {
    pub(crate) fn access(path: *const c_char, mode: c_int) -> c_int;
    pub(crate) fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
    pub(crate) fn dlerror() -> *const c_char;
    pub(crate) fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    pub(crate) fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn __errno_location() -> *mut c_int;
    pub(crate) fn getpid() -> c_int;
    pub(crate) fn gettid() -> c_int;
    pub(crate) fn nanosleep(time: *const TimeSpec, left: *mut TimeSpec) -> c_int;
    pub(crate) fn writev(file: c_int, parts: *const IoVec, count: c_int) -> isize;
}
