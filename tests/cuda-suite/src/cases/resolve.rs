//! `cuGetProcAddress`, both of it.

use crate::work::{LEGACY, Line, Work};
use cuda_suite::cu::{Handle, parameters};
use std::ffi::CStr;
use std::ptr::{null, null_mut};

const DEFAULT: u64 = 0;
const PER_THREAD: u64 = 2;

fn new(work: &Work, name: &CStr, version: i32, flags: u64) -> (i32, Handle, i32) {
    let (mut function, mut status) = (null_mut(), -1);
    // SAFETY: a C string and places for the answers; so below.
    let code = unsafe {
        (work.cu.cuGetProcAddress_v2)(name.as_ptr(), &raw mut function, version, flags, &raw mut status)
    };
    (code, function, status)
}

fn old(work: &Work, name: &CStr, version: i32) -> (i32, Handle) {
    let mut function = null_mut();
    // SAFETY: as above.
    let code = unsafe { (work.cu.cuGetProcAddress)(name.as_ptr(), &raw mut function, version, DEFAULT) };
    (code, function)
}

/// The resolver itself has two signatures, by version; names have variants.
pub(crate) fn versions(work: &Work) -> Line {
    let itself = |version| new(work, c"cuGetProcAddress", version, DEFAULT).1;
    let resolvers_differ = itself(11030) != itself(12000);
    let variants_differ =
        new(work, c"cuLaunchKernel", 12000, DEFAULT).1 != new(work, c"cuLaunchKernel", 12000, PER_THREAD).1;
    let revisions_differ =
        new(work, c"cuMemcpyHtoD", 2000, DEFAULT).1 != new(work, c"cuMemcpyHtoD", 3020, DEFAULT).1;
    let both_agree = old(work, c"cuLaunchKernel", 12000).1 == new(work, c"cuLaunchKernel", 12000, DEFAULT).1;
    let same_twice = new(work, c"cuMemcpyDtoH", 12000, DEFAULT) == new(work, c"cuMemcpyDtoH", 12000, DEFAULT);
    let (code, function, status) = new(work, c"cuNoSuchFunction", 12000, DEFAULT);
    let (early, _, reason) = new(work, c"cuLaunchKernelEx", 11000, DEFAULT);
    Ok(format!(
        "resolvers={resolvers_differ} variants={variants_differ} revisions={revisions_differ} both={both_agree} twice={same_twice} \
         unknown={code} {status} {} old={:?} early={early} {reason}",
        function.is_null(),
        old(work, c"cuNoSuchFunction", 12000).0
    ))
}

/// What is resolved does what the export does.
pub(crate) fn and_launch(work: &Work) -> Line {
    type Launch = unsafe extern "C" fn(
        Handle,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        Handle,
        *const *const std::ffi::c_void,
        *const *const std::ffi::c_void,
    ) -> i32;
    let data = work.data(100)?;
    let change = data.change(8);
    let mut codes = Vec::new();
    for flags in [DEFAULT, PER_THREAD] {
        let (_, function, _) = new(work, c"cuLaunchKernel", 12000, flags);
        if function.is_null() {
            return Ok("null".into());
        }
        // SAFETY: the function of that name has this signature.
        let launch = unsafe { std::mem::transmute::<Handle, Launch>(function) };
        // SAFETY: the kernel's parameters.
        codes.push(unsafe {
            launch(work.kernels.add, 4, 1, 1, 64, 1, 1, 0, LEGACY, parameters(&change).as_ptr(), null())
        });
        // SAFETY: no arguments.
        codes.push(unsafe { (work.cu.cuCtxSynchronize)() });
    }
    Ok(format!("codes={codes:?} data={}", data.hash()?))
}
