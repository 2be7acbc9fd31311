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
        let configured = self.socket.clone().or_else(|| not_empty("XSCHED_SOCKET"));
        address::candidates(configured.as_deref(), not_empty("XDG_RUNTIME_DIR").as_deref())
    }

    /// Connects to the first server that answers there.
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.places(), PATIENCE)?)
    }
}

fn not_empty(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
