//! The C interface: `include/xsched` says what each function does, here is how. One topic, one file.
//!
//! Invariant: whatever a program passes as a handle is looked up, never believed, so a stale, foreign or made-up one is answered with an error.
//! Nothing here waits while a lock of this module is held. Deliberately absent: any scheduling, which is `xsched_runtime`'s.

pub mod command;
pub mod hal;
mod handles;
pub mod hint;
pub mod process;
pub mod queue;
pub mod types;

use std::ffi::c_void;
use types::XResult;
use xsched_runtime::claim::Error;
use xsched_runtime::report;

/// Declares functions of the C interface by `fn name(arguments) = body;`, and their prototypes for the comparison with the headers. A
/// body takes the same arguments, which are as the program gave them.
macro_rules! exports {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) = $body:path;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As the header says; a pointer is null or valid.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case)]
            pub unsafe extern "C" fn $name($($arg: $ty),*) -> $crate::capi::types::XResult {
                let body: unsafe fn($($ty),*) -> $crate::capi::Answer = $body;
                // SAFETY: by the caller.
                $crate::capi::answer(unsafe { body($($arg),*) })
            }
        )*

        /// What is declared here: the functions' names and the types of their arguments.
        #[cfg(test)]
        pub(super) const PROTOTYPES: &[$crate::capi::Prototype] = &[$((stringify!($name), &[$(stringify!($ty)),*])),*];
    };
}
use exports;

#[cfg(test)]
type Prototype = (&'static str, &'static [&'static str]);

/// What a body answers.
type Answer = Result<(), Failure>;

/// Why a function fails.
#[derive(Debug)]
enum Failure {
    /// With this.
    Code(XResult),
    /// The queue says so.
    Queue(Error),
}

impl From<XResult> for Failure {
    fn from(code: XResult) -> Failure {
        Failure::Code(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Queue(error)
    }
}

/// As C sees it. What the program cannot guess is told in a line, once.
fn answer(answer: Answer) -> XResult {
    use xsched_hal::Error as Device;
    match answer {
        Ok(()) => XResult::SUCCESS,
        Err(Failure::Code(code)) => code,
        Err(Failure::Queue(error)) => match error {
            Error::Gone => XResult::NOT_FOUND,
            Error::InCallback(_) => XResult::NOT_ALLOWED,
            Error::Device(Device::Vendor { call: command::CALLBACK, code }) => {
                i32::try_from(code).map_or(XResult::UNKNOWN, XResult)
            }
            Error::Device(Device::Vendor { .. } | Device::Lost { .. }) => XResult::HARDWARE,
            Error::Device(Device::Discarded) => XResult::NOT_FOUND,
            Error::Device(Device::NotAllowed { .. }) => XResult::NOT_ALLOWED,
            Error::Device(Device::Value { .. } | Device::Platform { .. }) => XResult::INVALID_VALUE,
            Error::Level { .. } | Error::Device(Device::Level { .. }) => {
                report::once(&error.to_string());
                XResult::NOT_SUPPORTED
            }
            Error::Device(Device::Panicked | Device::Thread { .. }) => {
                report::once(&error.to_string());
                XResult::UNKNOWN
            }
        },
    }
}

/// A place of the program's for an answer.
///
/// # Safety
/// Null, or a place for a `T`.
unsafe fn place<'a, T>(place: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: by the caller. Whatever is in there is not read.
    unsafe { place.as_mut() }.ok_or(Failure::Code(XResult::INVALID_VALUE))
}

/// A pointer of the program's, which is only handed back to it.
#[derive(Clone, Copy, Debug)]
struct Data(*mut c_void);

// SAFETY: never looked at; that its threads may use it is the program's matter, as the header says.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

#[cfg(test)]
mod tests;
