//! How much memory the first GPU has left.

use crate::player::enter;
use crate::saturate::call;
use anyhow::{Context, Result};
use cuda_suite::cu::{Api, Handle};

/// What a driver answers that does not have a function.
const NOT_SUPPORTED: i32 = 801;

/// Bytes, of all that programs can have; 0 on the simulated driver, whose memory has no size.
pub(crate) fn free_memory(cu: &Api) -> Result<usize> {
    type Get = unsafe extern "C" fn(*mut usize, *mut usize) -> i32;
    enter(cu)?;
    let address = cu.symbol("cuMemGetInfo_v2").context("no cuMemGetInfo")?;
    let (mut free, mut all) = (0, 0);
    // SAFETY: the function of that name has this signature (cuda.h); places for the answers.
    let code = unsafe { std::mem::transmute::<Handle, Get>(address)(&raw mut free, &raw mut all) };
    if code == NOT_SUPPORTED {
        return Ok(0);
    }
    call("cuMemGetInfo", code)?;
    Ok(free)
}
