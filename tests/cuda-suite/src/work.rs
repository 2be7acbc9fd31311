//! What cases start from: the driver with a primary context, kernels, data, streams.

use cuda_suite::cu::{Api, Change, Code, Handle, IpcEvent, Kernels, done};
use std::ffi::c_uint;
use std::ptr::null_mut;

/// A case's result: what follows its name in the line, or the code that ended it.
pub(crate) type Line = Result<String, Code>;

/// The driver, with the primary context of the first device current to the thread.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) cu: Api,
    pub(crate) context: usize,
    pub(crate) kernels: Kernels,
}

/// `CU_STREAM_NON_BLOCKING`.
pub(crate) const NON_BLOCKING: c_uint = 1;
/// `CU_STREAM_PER_THREAD`.
pub(crate) const PER_THREAD: Handle = 2 as Handle;
pub(crate) const LEGACY: Handle = null_mut();

impl Work {
    pub(crate) fn new(cu: Api) -> Result<Work, Code> {
        let mut context = null_mut();
        // SAFETY: places for the answers; so in all this program: what is passed is alive, and has the size that is told.
        unsafe {
            done((cu.cuInit)(0))?;
            let mut device = 0;
            done((cu.cuDeviceGet)(&raw mut device, 0))?;
            done((cu.cuDevicePrimaryCtxRetain)(&raw mut context, device))?;
            done((cu.cuCtxSetCurrent)(context))?;
        }
        Ok(Work { cu, context: context as usize, kernels: cu.kernels()? })
    }

    /// Makes the context current to another thread.
    pub(crate) fn enter(&self) -> Result<(), Code> {
        // SAFETY: see `new`.
        done(unsafe { (self.cu.cuCtxSetCurrent)(self.context as Handle) })
    }

    /// Hands an event to another process by a file, or takes theirs if the file is there.
    pub(crate) fn share(&self, file: &std::path::Path) -> Result<(), String> {
        const INTERPROCESS_WITHOUT_TIMING: c_uint = 4 | 2;
        let failed = |code| format!("{code}");
        let mut event = null_mut();
        if let Ok(bytes) = std::fs::read(file) {
            let handle = IpcEvent(bytes.try_into().map_err(|_| "is no handle")?);
            // SAFETY: see `new`.
            return done(unsafe { (self.cu.cuIpcOpenEventHandle)(&raw mut event, handle) }).map_err(failed);
        }
        let mut handle = IpcEvent([0; 64]);
        // SAFETY: see `new`.
        unsafe {
            done((self.cu.cuEventCreate)(&raw mut event, INTERPROCESS_WITHOUT_TIMING)).map_err(failed)?;
            done((self.cu.cuIpcGetEventHandle)(&raw mut handle, event)).map_err(failed)?;
        }
        // Whole, or not there.
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, handle.0)
            .and_then(|()| std::fs::rename(&fresh, file))
            .map_err(|e| e.to_string())
    }

    pub(crate) fn stream(&self, flags: c_uint) -> Result<Handle, Code> {
        let mut stream = null_mut();
        // SAFETY: see `new`.
        done(unsafe { (self.cu.cuStreamCreate)(&raw mut stream, flags) })?;
        Ok(stream)
    }

    pub(crate) fn event(&self) -> Result<Handle, Code> {
        let mut event = null_mut();
        // SAFETY: see `new`.
        done(unsafe { (self.cu.cuEventCreate)(&raw mut event, 2) })?;
        Ok(event)
    }

    pub(crate) fn sync(&self, stream: Handle) -> Result<(), Code> {
        // SAFETY: see `new`.
        done(unsafe { (self.cu.cuStreamSynchronize)(stream) })
    }

    pub(crate) fn spin(&self, microseconds: u64, stream: Handle) -> Result<(), Code> {
        done(self.cu.spin(&self.kernels, microseconds * 1000, stream))
    }

    pub(crate) fn add(&self, data: &Data, value: u32, stream: Handle) -> Result<(), Code> {
        done(self.cu.change(self.kernels.add, data.change(value), stream))
    }

    pub(crate) fn scale(&self, data: &Data, value: u32, stream: Handle) -> Result<(), Code> {
        done(self.cu.change(self.kernels.scale, data.change(value), stream))
    }

    /// Zeroed numbers on the device.
    pub(crate) fn data(&self, count: u32) -> Result<Data, Code> {
        let mut address = 0;
        // SAFETY: see `new`.
        unsafe {
            done((self.cu.cuMemAlloc_v2)(&raw mut address, count as usize * 4))?;
            done((self.cu.cuMemsetD32_v2)(address, 0, count as usize))?;
            done((self.cu.cuCtxSynchronize)())?;
        }
        Ok(Data { cu: self.cu, address, count })
    }
}

/// Numbers on the device.
pub(crate) struct Data {
    cu: Api,
    pub(crate) address: u64,
    pub(crate) count: u32,
}

impl Data {
    pub(crate) fn change(&self, value: u32) -> Change {
        Change { data: self.address, count: self.count, value }
    }

    /// A hash of the numbers, after all that was launched into streams that wait for the default stream.
    pub(crate) fn hash(&self) -> Result<String, Code> {
        let mut host = vec![0u32; self.count as usize];
        // SAFETY: room for all of them.
        done(unsafe { (self.cu.cuMemcpyDtoH_v2)(host.as_mut_ptr().cast(), self.address, host.len() * 4) })?;
        Ok(hash(&host))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: allocated by this case.
        unsafe { (self.cu.cuMemFree_v2)(self.address) };
    }
}

/// FNV-1a.
pub(crate) fn hash(numbers: &[u32]) -> String {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
