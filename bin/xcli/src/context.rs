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
    /// The address and the port of HTTP given on the command line, one of them at least.
    pub(crate) http: Option<String>,
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

    /// Connects to the server at the address that was given, or to the first one that answers at the [`places`](Context::places).
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        Ok(match &self.http {
            Some(address) => Client::over_http(address, self.token()?, PATIENCE)?,
            None => Client::connect(&self.places(), PATIENCE)?,
        })
    }

    /// What changes over HTTP need: from the file that `XSCHED_HTTP_TOKEN` names, which has to be there then, or from one beside a socket.
    fn token(&self) -> Result<Option<String>, Failure> {
        let read = |path: &PathBuf| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
        if let Some(path) = not_empty("XSCHED_HTTP_TOKEN") {
            let why = |error| Failure::failed(format!("XSCHED_HTTP_TOKEN {}: {error}", path.display()));
            return read(&path).map(Some).map_err(why);
        }
        let beside = |socket: &PathBuf| read(&socket.with_file_name("http-token")).ok();
        Ok(self.places().iter().find_map(beside))
    }
}

fn not_empty(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
