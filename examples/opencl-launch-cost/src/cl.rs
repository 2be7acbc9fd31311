//! The few OpenCL functions these programs call, taken from a library that is opened by its path: one of them opens two, the
//! native one and the stand-in, in one process.
//!
//! Handles of one are handles of the other, because the stand-in opens the same native library. Deliberately absent:
//! closing a library.

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{null, null_mut};

use anyhow::{Context as _, Result, bail, ensure};

/// Any OpenCL object.
pub type Handle = *mut c_void;

/// `CL_COMPLETE`.
const COMPLETE: i32 = 0;
const DEVICE_TYPE_ALL: u64 = 0xFFFF_FFFF;
const PLATFORM_NAME: u32 = 0x0902;
const PLATFORM_VERSION: u32 = 0x0901;
const DEVICE_NAME: u32 = 0x102B;

macro_rules! api {
    ($($name:ident($($ty:ty),* $(,)?) -> $ret:ty;)*) => {
        /// The functions of one library.
        #[allow(non_snake_case, reason = "vendor's spelling")]
        pub struct Api { $($name: unsafe extern "C" fn($($ty),*) -> $ret,)* }

        #[allow(non_snake_case, reason = "vendor's spelling")]
        impl Api {
            /// Opens the library at `path` (or, without a slash in it, wherever the loader finds it).
            pub fn open(path: &Path) -> Result<Api> {
                let library = open(path)?;
                $(
                    let name = concat!(stringify!($name), "\0");
                    // SAFETY: a library that is never closed, and a C string.
                    let address = unsafe { libc::dlsym(library, name.as_ptr().cast()) };
                    ensure!(!address.is_null(), "{} has no {}", path.display(), stringify!($name));
                    // SAFETY: the signature is that of CL/cl.h for this name.
                    let $name = unsafe {
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($ty),*) -> $ret>(address)
                    };
                )*
                Ok(Api { $($name,)* })
            }
        }
    };
}

api! {
    clGetPlatformIDs(u32, *mut Handle, *mut u32) -> i32;
    clGetPlatformInfo(Handle, u32, usize, *mut c_void, *mut usize) -> i32;
    clGetDeviceIDs(Handle, u64, u32, *mut Handle, *mut u32) -> i32;
    clGetDeviceInfo(Handle, u32, usize, *mut c_void, *mut usize) -> i32;
    clCreateContext(*const isize, u32, *const Handle, *const c_void, *mut c_void, *mut i32) -> Handle;
    clCreateCommandQueue(Handle, Handle, u64, *mut i32) -> Handle;
    clCreateProgramWithSource(Handle, u32, *const *const c_char, *const usize, *mut i32) -> Handle;
    clBuildProgram(Handle, u32, *const Handle, *const c_char, *const c_void, *mut c_void) -> i32;
    clCreateKernel(Handle, *const c_char, *mut i32) -> Handle;
    clCreateUserEvent(Handle, *mut i32) -> Handle;
    clSetUserEventStatus(Handle, i32) -> i32;
    clEnqueueMarkerWithWaitList(Handle, u32, *const Handle, *mut Handle) -> i32;
    clEnqueueNDRangeKernel(Handle, Handle, u32, *const usize, *const usize, *const usize, u32, *const Handle, *mut Handle) -> i32;
    clWaitForEvents(u32, *const Handle) -> i32;
    clFinish(Handle) -> i32;
    clReleaseEvent(Handle) -> i32;
}

/// An empty kernel with an in-order queue to put it into. Lives as long as the process.
pub struct Launcher {
    /// Platform, its version, and device, by name.
    pub device: String,
    context: Handle,
    queue: Handle,
    kernel: Handle,
}

/// A user event that keeps a queue from starting anything.
pub struct Hold(Handle);

impl Api {
    /// Whether two tables lead to the same functions.
    pub fn is_same(&self, other: &Api) -> bool {
        std::ptr::fn_addr_eq(self.clEnqueueNDRangeKernel, other.clEnqueueNDRangeKernel)
    }

    /// How many platforms there are: the first call of most programs.
    pub fn platforms(&self) -> Result<u32> {
        let mut count = 0;
        // SAFETY: no list is asked for, and the count has its place.
        check("clGetPlatformIDs", unsafe { (self.clGetPlatformIDs)(0, null_mut(), &mut count) })?;
        Ok(count)
    }

    /// Context, queue and kernel on the first device whose "platform / device" name contains `text`, ignoring case.
    pub fn launcher(&self, text: &str) -> Result<Launcher> {
        let (device, name) = self.find(text)?;
        let (mut code, source) = (0, c"kernel void empty(void) {}".as_ptr());
        // SAFETY: out-parameters of the types that CL/cl.h asks for, and handles just made; so below.
        unsafe {
            let context = (self.clCreateContext)(null(), 1, &device, null(), null_mut(), &mut code);
            check("clCreateContext", code)?;
            let queue = (self.clCreateCommandQueue)(context, device, 0, &mut code);
            check("clCreateCommandQueue", code)?;
            let program = (self.clCreateProgramWithSource)(context, 1, &source, null(), &mut code);
            check("clCreateProgramWithSource", code)?;
            let built = (self.clBuildProgram)(program, 1, &device, c"".as_ptr(), null(), null_mut());
            check("clBuildProgram", built)?;
            let kernel = (self.clCreateKernel)(program, c"empty".as_ptr(), &mut code);
            check("clCreateKernel", code)?;
            Ok(Launcher { device: name, context, queue, kernel })
        }
    }

    /// Puts the kernel into the queue.
    #[inline(always)]
    pub fn launch(&self, on: &Launcher) -> i32 {
        // SAFETY: live handles; one dimension of one work-item.
        unsafe {
            (self.clEnqueueNDRangeKernel)(on.queue, on.kernel, 1, null(), &1, null(), 0, null(), null_mut())
        }
    }

    /// The same, with an event.
    #[inline(always)]
    pub fn launch_with_event(&self, on: &Launcher, event: &mut Handle) -> i32 {
        // SAFETY: as above; a place for the event.
        unsafe { (self.clEnqueueNDRangeKernel)(on.queue, on.kernel, 1, null(), &1, null(), 0, null(), event) }
    }

    /// Waits for an event.
    #[inline(always)]
    pub fn wait(&self, event: &Handle) -> i32 {
        // SAFETY: an event of [`Api::launch_with_event`], not yet released.
        unsafe { (self.clWaitForEvents)(1, event) }
    }

    /// Gives an event back.
    #[inline(always)]
    pub fn release(&self, event: &Handle) -> i32 {
        // SAFETY: as above.
        unsafe { (self.clReleaseEvent)(*event) }
    }

    /// Waits for all that is in the queue.
    #[inline(always)]
    pub fn finish(&self, on: &Launcher) -> i32 {
        // SAFETY: a live queue.
        unsafe { (self.clFinish)(on.queue) }
    }

    /// Nothing put into the queue from now on starts before [`Api::let_go`].
    pub fn hold(&self, on: &Launcher) -> Result<Hold> {
        let mut code = 0;
        // SAFETY: live handles, and a place for the error.
        unsafe {
            let event = (self.clCreateUserEvent)(on.context, &mut code);
            check("clCreateUserEvent", code)?;
            let marker = (self.clEnqueueMarkerWithWaitList)(on.queue, 1, &event, null_mut());
            check("clEnqueueMarkerWithWaitList", marker)?;
            Ok(Hold(event))
        }
    }

    /// Lets a held queue go.
    pub fn let_go(&self, hold: Hold) -> Result<()> {
        // SAFETY: a user event whose status has not been set yet; released once.
        unsafe {
            check("clSetUserEventStatus", (self.clSetUserEventStatus)(hold.0, COMPLETE))?;
            check("clReleaseEvent", (self.clReleaseEvent)(hold.0))
        }
    }

    fn find(&self, text: &str) -> Result<(Handle, String)> {
        let wanted = text.to_lowercase();
        // SAFETY: the functions list up to `room` handles at `to` and write how many there are to `count`.
        let platforms =
            list("clGetPlatformIDs", |room, to, count| unsafe { (self.clGetPlatformIDs)(room, to, count) })?;
        for platform in platforms {
            // SAFETY: as above; a platform just listed. So below.
            let devices = list("clGetDeviceIDs", |room, to, count| unsafe {
                (self.clGetDeviceIDs)(platform, DEVICE_TYPE_ALL, room, to, count)
            });
            let of_platform = |what| {
                // SAFETY: writes up to `size` bytes.
                self::text(|size, to| unsafe {
                    (self.clGetPlatformInfo)(platform, what, size, to, null_mut())
                })
            };
            for device in devices.unwrap_or_default() {
                // SAFETY: as above.
                let device_name = self::text(|size, to| unsafe {
                    (self.clGetDeviceInfo)(device, DEVICE_NAME, size, to, null_mut())
                });
                let name = format!("{} / {device_name}", of_platform(PLATFORM_NAME));
                if name.to_lowercase().contains(&wanted) {
                    return Ok((device, format!("{name} ({})", of_platform(PLATFORM_VERSION))));
                }
            }
        }
        bail!("no OpenCL device matches {text:?}")
    }
}

/// Fails unless `code` is `CL_SUCCESS`.
pub fn check(call: &str, code: i32) -> Result<()> {
    ensure!(code == 0, "{call} answered {code}");
    Ok(())
}

fn open(path: &Path) -> Result<Handle> {
    let name = CString::new(path.as_os_str().as_bytes()).context("a NUL in the path")?;
    // SAFETY: a C string. The library's constructors run, as in any program that uses it.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        // SAFETY: no precondition; after a failure there is a text, copied before another call of the loader.
        let why = unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy().into_owned();
        bail!("{why}");
    }
    Ok(library)
}

fn list(call: &str, get: impl Fn(u32, *mut Handle, *mut u32) -> i32) -> Result<Vec<Handle>> {
    let (mut handles, mut count) = ([null_mut(); 16], 0);
    check(call, get(handles.len() as u32, handles.as_mut_ptr(), &mut count))?;
    Ok(handles.into_iter().take(count as usize).collect())
}

fn text(get: impl Fn(usize, *mut c_void) -> i32) -> String {
    let mut bytes = [0u8; 256];
    let code = get(bytes.len(), bytes.as_mut_ptr().cast());
    let text = CStr::from_bytes_until_nul(&bytes).unwrap_or(c"");
    if code == 0 { text.to_string_lossy().trim().to_owned() } else { String::new() }
}
