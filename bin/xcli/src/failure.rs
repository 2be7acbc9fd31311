//! How a command ends when it does not succeed: one message, one exit code, as text or as JSON.
//!
//! Invariant: every way to fail has one of the kinds below, and the exit code follows from the kind alone.

use serde::Serialize;
use xsched_core::Problem;

/// Why a command failed; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The server refused, or something went wrong: 1.
    Failed,
    /// The command line is wrong: 2.
    Usage,
    /// There is no server: 3.
    NoServer,
    /// The program to run cannot be executed: 126, as in a shell.
    NotExecutable,
    /// The program to run is not there: 127, as in a shell.
    NotFound,
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Why, in one word.
    pub(crate) kind: Kind,
    /// Why, for a person; further lines say more.
    pub(crate) message: String,
    /// Settings that cannot be used, where the command is about settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), problems: Vec::new() }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, message)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NoServer => 3,
            Kind::NotExecutable => 126,
            Kind::NotFound => 127,
        }
    }
}

impl From<xsched_client::Error> for Failure {
    fn from(error: xsched_client::Error) -> Failure {
        let kind = if error.is_no_server() { Kind::NoServer } else { Kind::Failed };
        Failure::new(kind, error.to_string())
    }
}
