//! How the simulated functions are declared, and what all of them do.

use std::cell::Cell;
use std::ffi::c_int;

pub(crate) const CUDA_SUCCESS: c_int = 0;
pub(crate) const CUDA_ERROR_INVALID_VALUE: c_int = 1;
pub(crate) const CUDA_ERROR_OUT_OF_MEMORY: c_int = 2;
pub(crate) const CUDA_ERROR_NOT_INITIALIZED: c_int = 3;
pub(crate) const CUDA_ERROR_INVALID_DEVICE: c_int = 101;
pub(crate) const CUDA_ERROR_INVALID_CONTEXT: c_int = 201;
pub(crate) const CUDA_ERROR_INVALID_HANDLE: c_int = 400;
pub(crate) const CUDA_ERROR_NOT_FOUND: c_int = 500;
pub(crate) const CUDA_ERROR_NOT_READY: c_int = 600;
pub(crate) const CUDA_ERROR_ILLEGAL_ADDRESS: c_int = 700;
pub(crate) const CUDA_ERROR_NOT_PERMITTED: c_int = 800;
pub(crate) const CUDA_ERROR_NOT_SUPPORTED: c_int = 801;
pub(crate) const CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: c_int = 900;
pub(crate) const CUDA_ERROR_STREAM_CAPTURE_INVALIDATED: c_int = 901;
pub(crate) const CUDA_ERROR_ILLEGAL_STATE: c_int = 401;
pub(crate) const CUDA_ERROR_STREAM_CAPTURE_IMPLICIT: c_int = 906;

/// The outcome of a simulated call; the error is a `CUresult`.
pub(crate) type Outcome = Result<(), c_int>;

/// What a null stream means to a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Null {
    Legacy,
    PerThread,
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs a callback of the program's; whatever it calls of ours is refused.
pub(crate) fn in_callback(callback: impl FnOnce()) {
    IN_CALLBACK.set(true);
    callback();
    IN_CALLBACK.set(false);
}

/// What every function does: refuses callbacks, and turns its outcome into a number.
pub(crate) fn call(body: impl FnOnce() -> Outcome) -> c_int {
    if IN_CALLBACK.get() {
        return CUDA_ERROR_NOT_PERMITTED;
    }
    match body() {
        Ok(()) => CUDA_SUCCESS,
        Err(code) => code,
    }
}

/// Stores an answer where the program wants it.
pub(crate) fn answer<T>(place: *mut T, value: T) -> Outcome {
    if place.is_null() {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: the program's place for the answer.
    unsafe { place.write(value) };
    Ok(())
}

/// Declares functions: `name(arguments) body;`, and `name | twin (null; arguments) body;` for those with a twin of per-thread default
/// streams, where `null` says what a null stream means.
macro_rules! functions {
    (
        plain { $($name:ident($($arg:ident: $ty:ty),*) $body:block)* }
        twins { $($one:ident | $two:ident ($null:ident; $($a:ident: $t:ty),*) $b:block)* }
    ) => {
        /// The functions of this file.
        pub(crate) const FUNCTIONS: fn() -> Vec<$crate::Named> = || vec![
            $({
                extern "C" fn $name($($arg: $ty),*) -> std::ffi::c_int {
                    $crate::function::call(move || $body)
                }
                (stringify!($name), $name as *const std::ffi::c_void)
            },)*
            $(
                {
                    extern "C" fn $one($($a: $t),*) -> std::ffi::c_int {
                        let $null = $crate::function::Null::Legacy;
                        $crate::function::call(move || $b)
                    }
                    (stringify!($one), $one as *const std::ffi::c_void)
                },
                {
                    extern "C" fn $two($($a: $t),*) -> std::ffi::c_int {
                        let $null = $crate::function::Null::PerThread;
                        $crate::function::call(move || $b)
                    }
                    (stringify!($two), $two as *const std::ffi::c_void)
                },
            )*
        ];
    };
}
