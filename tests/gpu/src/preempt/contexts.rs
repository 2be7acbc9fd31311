//! Contexts that a program can work in.

use crate::saturate::{Saturate, call};
use anyhow::{Context as _, Result};
use cuda_suite::cu::{Api, Handle};
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Context {
    /// The device's primary one.
    Primary,
    /// One that the program makes.
    Made,
    /// The last of three, each of which has worked.
    Several,
    /// The primary one, after work in it, a reset, and work in another one that is gone again.
    Reset,
    /// A green one, on all multiprocessors.
    Green,
}

/// Makes it; it is nobody's current one.
pub(crate) fn make(cu: &Api, context: Context) -> Result<Handle> {
    match context {
        Context::Primary => primary(cu),
        Context::Made => made(cu),
        Context::Several => {
            let all = [made(cu)?, made(cu)?, made(cu)?];
            all.iter().try_for_each(|context| work(cu, *context))?;
            Ok(all[2])
        }
        Context::Reset => {
            let first = primary(cu)?;
            work(cu, first)?;
            // SAFETY: the primary context of the device, and nobody uses what was in it any more.
            call("cuDevicePrimaryCtxReset", unsafe { (cu.cuDevicePrimaryCtxReset_v2)(0) })?;
            let other = made(cu)?;
            work(cu, other)?;
            // SAFETY: a context of ours that is not used any more.
            call("cuCtxDestroy", unsafe { (cu.cuCtxDestroy_v2)(other) })?;
            primary(cu)
        }
        Context::Green => green(cu),
    }
}

fn primary(cu: &Api) -> Result<Handle> {
    let mut context = null_mut();
    // SAFETY: a place for the answer.
    call("cuDevicePrimaryCtxRetain", unsafe { (cu.cuDevicePrimaryCtxRetain)(&raw mut context, 0) })?;
    Ok(context)
}

fn made(cu: &Api) -> Result<Handle> {
    let mut context = null_mut();
    // SAFETY: a place for the answer.
    call("cuCtxCreate", unsafe { (cu.cuCtxCreate_v2)(&raw mut context, 0, 0) })?;
    Ok(context)
}

/// Some kernels there.
fn work(cu: &Api, context: Handle) -> Result<()> {
    // SAFETY: a context of ours.
    call("cuCtxSetCurrent", unsafe { (cu.cuCtxSetCurrent)(context) })?;
    Saturate::new(cu, 4).map(drop)
}

/// A `CUdevResource`, which is 144 bytes or a few more and has its type first.
#[repr(C, align(8))]
struct Resource([u8; 512]);

/// `CU_DEV_RESOURCE_TYPE_SM`, `CU_GREEN_CTX_DEFAULT_STREAM`.
const MULTIPROCESSORS: c_int = 1;
const WITH_DEFAULT_STREAM: c_uint = 1;

fn green(cu: &Api) -> Result<Handle> {
    type GetResource = unsafe extern "C" fn(c_int, *mut Resource, c_int) -> c_int;
    type Describe = unsafe extern "C" fn(*mut Handle, *mut Resource, c_uint) -> c_int;
    type Create = unsafe extern "C" fn(*mut Handle, Handle, c_int, c_uint) -> c_int;
    type Context = unsafe extern "C" fn(*mut Handle, Handle) -> c_int;
    let find = |name: &str| -> Result<*mut c_void> { cu.symbol(name).with_context(|| format!("no {name}")) };
    let mut all = Resource([0; 512]);
    let (mut description, mut green, mut context) = (null_mut(), null_mut(), null_mut());
    // SAFETY: the functions of these names have these signatures (cuda.h); places for the answers, with room to spare.
    unsafe {
        let get = std::mem::transmute::<Handle, GetResource>(find("cuDeviceGetDevResource")?);
        call("cuDeviceGetDevResource", get(0, &raw mut all, MULTIPROCESSORS))?;
        let describe = std::mem::transmute::<Handle, Describe>(find("cuDevResourceGenerateDesc")?);
        call("cuDevResourceGenerateDesc", describe(&raw mut description, &raw mut all, 1))?;
        let create = std::mem::transmute::<Handle, Create>(find("cuGreenCtxCreate")?);
        call("cuGreenCtxCreate", create(&raw mut green, description, 0, WITH_DEFAULT_STREAM))?;
        let convert = std::mem::transmute::<Handle, Context>(find("cuCtxFromGreenCtx")?);
        call("cuCtxFromGreenCtx", convert(&raw mut context, green))?;
    }
    Ok(context)
}
