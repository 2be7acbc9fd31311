//! The driver's functions, by `dlopen` and `dlsym`, so that `LD_LIBRARY_PATH` and `LD_PRELOAD` decide which library answers.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};

/// Any object of the driver's.
pub type Handle = *mut c_void;
/// A `CUresult`.
pub type Code = c_int;

macro_rules! api {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        /// A library.
        #[allow(non_snake_case, missing_docs)]
        #[derive(Clone, Copy)]
        pub struct Api { library: *mut c_void, $(pub $name: unsafe extern "C" fn($($ty),*) -> Code,)* }

        impl Api {
            /// Opens a library by its name or path. The error says what is missing.
            pub fn open(library: &str) -> Result<Api, String> {
                let name = CString::new(library).map_err(|e| e.to_string())?;
                // SAFETY: a C string.
                let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
                if library.is_null() {
                    return Err(format!("{name:?} cannot be opened"));
                }
                Ok(Api { library, $($name: {
                    let address = symbol(library, stringify!($name)).ok_or(concat!("no ", stringify!($name)))?;
                    // SAFETY: the function of that name has this signature (cuda.h).
                    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($ty),*) -> Code>(address) }
                },)* })
            }
        }
    };
}

// SAFETY: functions, which any thread may call.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

fn symbol(library: *mut c_void, name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: a handle of dlopen's, and a C string.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

impl Api {
    /// Another function of the library's.
    pub fn symbol(&self, name: &str) -> Option<*mut c_void> {
        symbol(self.library, name)
    }
}

/// `CUlaunchConfig`.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs)]
pub struct LaunchConfig {
    pub grid: [c_uint; 3],
    pub block: [c_uint; 3],
    pub shared: c_uint,
    pub stream: Handle,
    pub attributes: *const c_void,
    pub count: c_uint,
}

/// `CUipcEventHandle`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IpcEvent(pub [u8; 64]);

/// `CUhostFn`.
pub type HostFn = unsafe extern "C" fn(*mut c_void);

api! {
    cuInit(flags: c_uint);
    cuDriverGetVersion(version: *mut c_int);
    cuDeviceGetCount(count: *mut c_int);
    cuDeviceGet(device: *mut c_int, number: c_int);
    cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int);
    cuDevicePrimaryCtxRelease_v2(device: c_int);
    cuDevicePrimaryCtxReset_v2(device: c_int);
    cuCtxCreate_v2(context: *mut Handle, flags: c_uint, device: c_int);
    cuCtxDestroy_v2(context: Handle);
    cuCtxGetCurrent(context: *mut Handle);
    cuCtxSetCurrent(context: Handle);
    cuCtxSynchronize();
    cuModuleLoadData(module: *mut Handle, image: *const c_void);
    cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char);
    cuMemAlloc_v2(memory: *mut u64, size: usize);
    cuMemFree_v2(memory: u64);
    cuMemHostAlloc(memory: *mut Handle, size: usize, flags: c_uint);
    cuMemFreeHost(memory: Handle);
    cuMemcpyHtoD_v2(to: u64, from: *const c_void, size: usize);
    cuMemcpyDtoH_v2(to: *mut c_void, from: u64, size: usize);
    cuMemcpyDtoH_v2_ptds(to: *mut c_void, from: u64, size: usize);
    cuMemcpyDtoD_v2(to: u64, from: u64, size: usize);
    cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, size: usize, stream: Handle);
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, size: usize, stream: Handle);
    cuMemcpyDtoDAsync_v2(to: u64, from: u64, size: usize, stream: Handle);
    cuMemsetD32_v2(to: u64, value: c_uint, count: usize);
    cuMemsetD8Async(to: u64, value: u8, count: usize, stream: Handle);
    cuMemsetD32Async(to: u64, value: c_uint, count: usize, stream: Handle);
    cuMemAllocAsync(memory: *mut u64, size: usize, stream: Handle);
    cuMemFreeAsync(memory: u64, stream: Handle);
    cuStreamCreate(stream: *mut Handle, flags: c_uint);
    cuStreamDestroy_v2(stream: Handle);
    cuStreamSynchronize(stream: Handle);
    cuStreamSynchronize_ptsz(stream: Handle);
    cuStreamQuery(stream: Handle);
    cuStreamWaitEvent(stream: Handle, event: Handle, flags: c_uint);
    cuStreamWaitValue32_v2(stream: Handle, address: u64, value: c_uint, flags: c_uint);
    cuStreamWriteValue32_v2(stream: Handle, address: u64, value: c_uint, flags: c_uint);
    cuStreamBeginCapture_v2(stream: Handle, mode: c_int);
    cuStreamEndCapture(stream: Handle, graph: *mut Handle);
    cuStreamIsCapturing(stream: Handle, status: *mut c_int);
    cuThreadExchangeStreamCaptureMode(mode: *mut c_int);
    cuEventCreate(event: *mut Handle, flags: c_uint);
    cuIpcGetEventHandle(handle: *mut IpcEvent, event: Handle);
    cuIpcOpenEventHandle(event: *mut Handle, handle: IpcEvent);
    cuEventDestroy_v2(event: Handle);
    cuEventRecord(event: Handle, stream: Handle);
    cuEventQuery(event: Handle);
    cuEventSynchronize(event: Handle);
    cuGraphInstantiateWithFlags(exec: *mut Handle, graph: Handle, flags: u64);
    cuGraphLaunch(exec: Handle, stream: Handle);
    cuGraphDestroy(graph: Handle);
    cuGraphExecDestroy(exec: Handle);
    cuGraphGetNodes(graph: Handle, nodes: *mut Handle, count: *mut usize);
    cuLaunchKernel(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, parameters: *const *const c_void, extra: *const *const c_void);
    cuLaunchKernel_ptsz(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, parameters: *const *const c_void, extra: *const *const c_void);
    cuLaunchCooperativeKernel(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, parameters: *const *const c_void);
    cuLaunchKernelEx(config: *const LaunchConfig, function: Handle, parameters: *const *const c_void, extra: *const *const c_void);
    cuLaunchHostFunc(stream: Handle, callback: HostFn, user: *mut c_void);
    cuGetProcAddress(symbol: *const c_char, function: *mut Handle, version: c_int, flags: u64);
    cuGetProcAddress_v2(symbol: *const c_char, function: *mut Handle, version: c_int, flags: u64, status: *mut c_int);
}

/// Kernels of a context.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Kernels {
    pub spin: Handle,
    pub add: Handle,
    pub scale: Handle,
    pub fault: Handle,
}

// SAFETY: handles, which any thread may use.
unsafe impl Send for Kernels {}
// SAFETY: as above.
unsafe impl Sync for Kernels {}

/// Parameters of `add` and `scale`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Change {
    pub data: u64,
    pub count: u32,
    pub value: u32,
}

impl Api {
    /// Loads the kernels into the current context.
    pub fn kernels(&self) -> Result<Kernels, Code> {
        let mut module = null_mut();
        // SAFETY: PTX with a NUL at its end.
        done(unsafe { (self.cuModuleLoadData)(&raw mut module, crate::kernels::PTX.as_ptr().cast()) })?;
        let get = |name: &std::ffi::CStr| -> Result<Handle, Code> {
            let mut function = null_mut();
            // SAFETY: a module and a C string.
            done(unsafe { (self.cuModuleGetFunction)(&raw mut function, module, name.as_ptr()) })?;
            Ok(function)
        };
        Ok(Kernels { spin: get(c"spin")?, add: get(c"add")?, scale: get(c"scale")?, fault: get(c"fault")? })
    }

    /// Launches `spin`.
    pub fn spin(&self, kernels: &Kernels, nanoseconds: u64, stream: Handle) -> Code {
        let parameters = [(&raw const nanoseconds).cast()];
        // SAFETY: the kernel's parameters.
        unsafe {
            (self.cuLaunchKernel)(kernels.spin, 1, 1, 1, 1, 1, 1, 0, stream, parameters.as_ptr(), null())
        }
    }

    /// Launches `add` or `scale`.
    pub fn change(&self, kernel: Handle, change: Change, stream: Handle) -> Code {
        let parameters = parameters(&change);
        // SAFETY: as above.
        unsafe { (self.cuLaunchKernel)(kernel, 4, 1, 1, 64, 1, 1, 0, stream, parameters.as_ptr(), null()) }
    }
}

/// Places of a change's parameters.
pub fn parameters(change: &Change) -> [*const c_void; 3] {
    [(&raw const change.data).cast(), (&raw const change.count).cast(), (&raw const change.value).cast()]
}

/// An error code as an error.
pub fn done(code: Code) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(code) }
}
