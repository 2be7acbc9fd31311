//! What every command is given: where to write, and which server to ask.

use crate::failure::Failure;
use crate::output::Output;
use std::path::PathBuf;
use xsched_client::{Client, PATIENCE, address};

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where to write.
    pub(crate) output: Output,
    /// The socket given on the command line.
    pub(crate) socket: Option<PathBuf>,
}

impl Context {
    /// Where the server may be: the socket of the command line, of `XSCHED_SOCKET`, or the usual places, in that order.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        address::candidates(self.configured().as_deref(), self.runtime_dir().as_deref())
    }

    /// Whether one place was named, so that the usual ones do not count.
    pub(crate) fn is_socket_configured(&self) -> bool {
        self.configured().is_some()
    }

    /// `$XDG_RUNTIME_DIR`.
    pub(crate) fn runtime_dir(&self) -> Option<PathBuf> {
        not_empty("XDG_RUNTIME_DIR")
    }

    fn configured(&self) -> Option<PathBuf> {
        self.socket.clone().or_else(|| not_empty("XSCHED_SOCKET"))
    }

    /// Connects to the first server that answers there.
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.places(), PATIENCE)?)
    }
}

fn not_empty(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
