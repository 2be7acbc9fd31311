//! `cuGetProcAddress`: the answers of a real driver, which are exports for names, flags and versions.

use crate::export;
use crate::function::*;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Lines of "name flags version export", from driver 580.159.04.
const ANSWERS: &str = include_str!("../answers.txt");

const CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND: c_int = 1;

fn find(symbol: *const c_char, place: *mut *mut c_void, version: c_int, flags: u64) -> Outcome {
    if symbol.is_null() || place.is_null() || flags > 2 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: a C string.
    let symbol = unsafe { CStr::from_ptr(symbol) }.to_string_lossy();
    let mut best: Option<(c_int, &str)> = None;
    for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(name), Some(flag), Some(from), Some(export)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let from = from.parse().unwrap_or(c_int::MAX);
        let fits = name == symbol && flag.parse() == Ok(flags) && from <= version;
        if fits && best.is_none_or(|(known, _)| known <= from) {
            best = Some((from, export));
        }
    }
    let address = best.and_then(|(_, name)| export(name)).unwrap_or(std::ptr::null_mut());
    answer(place, address)?;
    if address.is_null() { Err(CUDA_ERROR_NOT_FOUND) } else { Ok(()) }
}

functions! {
    plain {
        cuGetProcAddress(symbol: *const c_char, place: *mut *mut c_void, version: c_int, flags: u64) {
            find(symbol, place, version, flags)
        }
        cuGetProcAddress_v2(symbol: *const c_char, place: *mut *mut c_void, version: c_int, flags: u64, status: *mut c_int) {
            let found = find(symbol, place, version, flags);
            if !status.is_null() {
                answer(status, if found.is_ok() { 0 } else { CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND })?;
            }
            // A symbol that is not found is no error to this one.
            if found == Err(CUDA_ERROR_NOT_FOUND) && !status.is_null() { Ok(()) } else { found }
        }
    }
    twins {}
}
