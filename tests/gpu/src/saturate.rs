//! Kernels that fill the whole device for a time of one's choice, and whose results say that not one instruction was lost or done twice.

use anyhow::{Context, Result, ensure};
use cuda_suite::cu::{Api, Handle};
use std::ffi::c_int;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

const PTX: &str = concat!(include_str!("saturate.ptx"), "\0");
/// Threads of a block; two blocks of them fill a multiprocessor.
const BLOCK: u32 = 1024;

// SAFETY: handles of the driver's, which any thread may use.
unsafe impl Sync for Saturate<'_> {}

/// The kernel in a context, with what it works on.
pub(crate) struct Saturate<'a> {
    cu: &'a Api,
    function: Handle,
    words: u64,
    blocks: u32,
    rounds_per_ms: u64,
}

/// A driver's call.
pub(crate) fn call(name: &str, code: i32) -> Result<()> {
    ensure!(code == 0, "{name} answers {code}");
    Ok(())
}

impl<'a> Saturate<'a> {
    /// In the current context. Measures how fast the device is.
    pub(crate) fn new(cu: &'a Api, multiprocessors: u32) -> Result<Saturate<'a>> {
        let (mut module, mut function, mut words) = (null_mut(), null_mut(), 0);
        let blocks = multiprocessors * 2;
        // SAFETY: PTX with a NUL at its end; places for the answers.
        unsafe {
            call("cuModuleLoadData", (cu.cuModuleLoadData)(&raw mut module, PTX.as_ptr().cast()))?;
            call(
                "cuModuleGetFunction",
                (cu.cuModuleGetFunction)(&raw mut function, module, c"work".as_ptr()),
            )?;
            call("cuMemAlloc", (cu.cuMemAlloc_v2)(&raw mut words, (blocks * BLOCK) as usize * 4))?;
        }
        let mut work = Saturate { cu, function, words, blocks, rounds_per_ms: 1000 };
        work.launch_rounds(1000, null_mut())?;
        work.wait()?;
        let begun = Instant::now();
        work.launch_rounds(20_000, null_mut())?;
        work.wait()?;
        work.rounds_per_ms = (20_000.0 / begun.elapsed().as_secs_f64() / 1000.0) as u64;
        work.reset()?;
        Ok(work)
    }

    /// Begins to count again.
    pub(crate) fn reset(&self) -> Result<()> {
        // SAFETY: words of its own.
        let code = unsafe { (self.cu.cuMemsetD32_v2)(self.words, 0, (self.blocks * BLOCK) as usize) };
        call("cuMemsetD32", code)?;
        self.wait()
    }

    /// The rounds that take this long, if the device is not shared.
    pub(crate) fn rounds(&self, time: Duration) -> u64 {
        ((time.as_secs_f64() * 1000.0 * self.rounds_per_ms as f64) as u64).max(1)
    }

    pub(crate) fn launch_rounds(&self, rounds: u64, stream: Handle) -> Result<()> {
        let parameters = [(&raw const self.words).cast(), (&raw const rounds).cast()];
        // SAFETY: the kernel's parameters.
        let code = unsafe {
            let launch = self.cu.cuLaunchKernel;
            launch(self.function, self.blocks, 1, 1, BLOCK, 1, 1, 0, stream, parameters.as_ptr(), null())
        };
        call("cuLaunchKernel", code)
    }

    /// Waits for the whole context.
    pub(crate) fn wait(&self) -> Result<()> {
        // SAFETY: no preconditions.
        call("cuCtxSynchronize", unsafe { (self.cu.cuCtxSynchronize)() })
    }

    /// That each thread did all rounds since the start, each once.
    pub(crate) fn check(&self, rounds: u64) -> Result<()> {
        let mut words = vec![0u32; (self.blocks * BLOCK) as usize];
        // SAFETY: room for as much as is copied.
        let code =
            unsafe { (self.cu.cuMemcpyDtoH_v2)(words.as_mut_ptr().cast(), self.words, words.len() * 4) };
        call("cuMemcpyDtoH", code)?;
        let wrong = words.iter().filter(|word| **word != rounds as u32).count();
        ensure!(wrong == 0, "{wrong} of {} threads have not done {rounds} rounds", words.len());
        Ok(())
    }
}

/// Multiprocessors of the first device.
pub(crate) fn multiprocessors(cu: &Api) -> Result<u32> {
    type Get = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    const MULTIPROCESSOR_COUNT: c_int = 16;
    let address = cu.symbol("cuDeviceGetAttribute").context("no cuDeviceGetAttribute")?;
    let mut count = 0;
    // SAFETY: the function of that name has this signature (cuda.h); a place for the answer.
    let code =
        unsafe { std::mem::transmute::<Handle, Get>(address)(&raw mut count, MULTIPROCESSOR_COUNT, 0) };
    call("cuDeviceGetAttribute", code)?;
    Ok(u32::try_from(count)?)
}
