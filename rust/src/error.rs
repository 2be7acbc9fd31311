//! What can go wrong.

use crate::generated::Code;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no libxsched: it is neither in this process, nor named, nor installed.
    #[error(
        "libxsched.so is not in this process and was not found; start the program with `xcli run`, or name the library by XSCHED_LIB. \
         Looked at:{}", .tried.iter().map(|place| format!("\n  {place}")).collect::<String>()
    )]
    NoLibrary {
        /// Each place with what was wrong there.
        tried: Vec<String>,
    },
    /// libxsched answered an error.
    #[error("{call}: {kind}")]
    Call {
        /// The function of the C interface.
        call: &'static str,
        /// What it answered.
        kind: ErrorKind,
    },
    /// A value does not fit into the C interface.
    #[error("{what}: {value} is out of range; expected {expected}")]
    OutOfRange {
        /// What it was for.
        what: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A submitted closure panicked, with this message.
    #[error("a submitted closure panicked: {0}")]
    Panicked(String),
}

/// What libxsched answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The vendor's library, or the device, failed.
    #[error("the vendor's library, or the device, failed")]
    Hardware,
    /// A value is out of its range.
    #[error("a value is out of its range")]
    InvalidValue,
    /// No such queue, stream or command (any more), or one that is not known to XSched.
    #[error("no such queue, stream or command, or one that XSched does not know")]
    NotFound,
    /// Not in this state, or not from here: the call would wait for itself.
    #[error("not allowed here: it would wait for itself, or the state forbids it")]
    NotAllowed,
    /// The device, or this libxsched, cannot do that.
    #[error("the device, or this libxsched, cannot do that")]
    NotSupported,
    /// The other side answered something that makes no sense.
    #[error("the other side answered something that makes no sense")]
    BadResponse,
    /// Anything else; libxsched says more on standard error.
    #[error("failed for a reason that libxsched says on standard error")]
    Unknown,
}

impl Error {
    /// What libxsched answered, if it did.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Error::Call { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// Whether there is no libxsched, so that the program runs unscheduled.
    pub fn is_no_library(&self) -> bool {
        matches!(self, Error::NoLibrary { .. })
    }
}

/// An answer of the C interface as a result.
pub(crate) fn check(call: &'static str, answer: i32) -> Result<(), Error> {
    if answer == Code::Success as i32 {
        return Ok(());
    }
    let code = Code::ALL.iter().find(|code| **code as i32 == answer);
    let kind = match code {
        Some(Code::ErrorHardware) => ErrorKind::Hardware,
        Some(Code::ErrorInvalidValue) => ErrorKind::InvalidValue,
        Some(Code::ErrorNotFound) => ErrorKind::NotFound,
        Some(Code::ErrorNotAllowed) => ErrorKind::NotAllowed,
        Some(Code::ErrorNotSupported) => ErrorKind::NotSupported,
        Some(Code::ErrorBadResponse) => ErrorKind::BadResponse,
        Some(Code::Success | Code::ErrorUnknown) | None => ErrorKind::Unknown,
    };
    Err(Error::Call { call, kind })
}
