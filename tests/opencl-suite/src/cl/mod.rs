//! A thin layer over OpenCL: owned handles, error codes as values, nothing hidden and nothing retried.
//!
//! What makes the calls sound, as far as a C API can be: a handle is null or owns one reference, every pointer
//! comes with a length that the wrapper knows, and memory given to a command ([`Bytes`]) is never freed while
//! a driver could still touch it. Wrong *values* (sizes, flags, null handles) are passed on purpose.
//! Absent: handles that dangle, because drivers crash on them instead of reporting them.

mod code;
mod command_buffer;
mod context;
mod event;
mod image;
mod kernel;
mod memory;
mod order;
mod program;
mod queue;
mod rare;
mod svm;
mod transfer;
mod usm;

pub(crate) use code::{Code, Result, status_name};
pub(crate) use command_buffer::CommandBuffers;
pub(crate) use context::{Context, Device, SubDevice};
pub(crate) use event::{Event, wait_all};
pub(crate) use image::{Image, Sampler};
pub(crate) use kernel::{Kernel, Nd};
pub(crate) use memory::{Bytes, Mem};
pub(crate) use order::{After, after, now};
pub(crate) use program::Program;
pub(crate) use queue::Queue;
pub(crate) use rare::SHARING;
pub(crate) use svm::Svm;
pub(crate) use transfer::Rect;
pub(crate) use usm::Usm;

use opencl_sys::cl_int;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

/// Calls one OpenCL function under the contract of this module.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: handles are null or live for the call (the wrapper borrows their owner), pointers are null
        // or valid for the length passed with them, and memory that a command keeps is a `Bytes`, which
        // outlives the command. The driver has to report every other misuse as an error code.
        unsafe { opencl_sys::$function($($argument),*) }
    };
}
pub(crate) use call;

/// Defines an owner of one reference to an OpenCL object.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $retain:ident, $release:ident, $info:ident, $references:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(*mut std::ffi::c_void);

        // SAFETY: OpenCL objects may be used and released from any thread; the one exception, setting
        // arguments of one kernel from two threads, takes `&mut Kernel` here.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}

        #[allow(dead_code, reason = "every handle has the same set, whether all of it is used or not")]
        impl $name {
            /// The handle that no driver accepts.
            pub(crate) fn null() -> Self {
                Self(std::ptr::null_mut())
            }

            /// Takes over one reference.
            pub(crate) fn own(raw: *mut std::ffi::c_void) -> Self {
                Self(raw)
            }

            /// What a create function returned: an owner, or its error code.
            pub(crate) fn made(raw: *mut std::ffi::c_void, code: i32) -> $crate::cl::Result<Self> {
                $crate::cl::Code(code).ok()?;
                Ok(Self(raw))
            }

            /// The handle, for comparisons and lists.
            pub(crate) fn raw(&self) -> *mut std::ffi::c_void {
                self.0
            }

            /// Whether there is no object behind it.
            pub(crate) fn is_null(&self) -> bool {
                self.0.is_null()
            }

            /// A second owner of the same object.
            pub(crate) fn retain(&self) -> $crate::cl::Result<Self> {
                $crate::cl::Code($crate::cl::call!($retain(self.0))).ok()?;
                Ok(Self(self.0))
            }

            /// Gives the reference back and reports how that went.
            pub(crate) fn release(self) -> $crate::cl::Code {
                let raw = std::mem::ManuallyDrop::new(self).0;
                $crate::cl::Code($crate::cl::call!($release(raw)))
            }

            /// One value of the object's information.
            pub(crate) fn info<T: $crate::cl::Plain>(&self, parameter: u32) -> $crate::cl::Result<T> {
                $crate::cl::query(|size, to, need| {
                    $crate::cl::call!($info(self.0, parameter, size, to, need))
                })
            }

            /// The reference count, as the object itself reports it.
            pub(crate) fn references(&self) -> $crate::cl::Result<u32> {
                self.info($references)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if !self.0.is_null() {
                    $crate::cl::call!($release(self.0));
                }
            }
        }
    };
}
pub(crate) use handle;

/// Types that any bytes a driver writes are a value of.
pub(crate) trait Plain: Copy {}
impl Plain for u32 {}
impl Plain for i32 {}
impl Plain for u64 {}
impl Plain for usize {}
impl Plain for [usize; 3] {}
impl Plain for *mut c_void {}

/// Runs one `clGet…Info` function for a value of a known size.
pub(crate) fn query<T: Plain>(get: impl Fn(usize, *mut c_void, *mut usize) -> cl_int) -> Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    Code(get(size_of::<T>(), value.as_mut_ptr().cast(), ptr::null_mut())).ok()?;
    // SAFETY: zeroed above, and any bytes are a value of a `Plain` type.
    Ok(unsafe { value.assume_init() })
}

/// Runs one `clGet…Info` function for a value whose size the driver knows.
pub(crate) fn query_bytes(get: impl Fn(usize, *mut c_void, *mut usize) -> cl_int) -> Result<Vec<u8>> {
    let mut size = 0;
    Code(get(0, ptr::null_mut(), &mut size)).ok()?;
    let mut value = vec![0_u8; size];
    Code(get(size, value.as_mut_ptr().cast(), ptr::null_mut())).ok()?;
    Ok(value)
}

/// A string as OpenCL returns it, without its terminator.
pub(crate) fn text(mut bytes: Vec<u8>) -> String {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
