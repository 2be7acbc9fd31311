//! What every command is given: where to write, and which server to ask.

use crate::failure::Failure;
use crate::output::Output;
use std::path::PathBuf;
use xsched_client::Client;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where to write.
    pub(crate) output: Output,
    /// The socket given on the command line.
    pub(crate) socket: Option<PathBuf>,
}

impl Context {
    /// Connects to the server: the socket of the command line, of `XSCHED_SOCKET`, or the usual places, in that order.
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        let not_empty = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let configured = self.socket.clone().or_else(|| not_empty("XSCHED_SOCKET"));
        Ok(Client::connect(configured.as_deref(), not_empty("XDG_RUNTIME_DIR").as_deref())?)
    }
}
