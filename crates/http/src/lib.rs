//! HTTP for xserver: versioned JSON, metrics, live data and the page, for whoever does not speak the control socket.
//!
//! Two threads: one hears HTTP (tokio, current-thread; the only asynchronous code here), the other asks the server over its own control
//! socket, as xcli does ([`asker`]). So the thread that decides does not know that there is HTTP. Invariant: nothing that comes in over
//! HTTP makes this use more than a bounded amount of memory, files or questions to the server. Deliberately absent: TLS, other machines,
//! logins; who wants these puts a proxy in front.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod address;
mod asker;
mod guard;
mod listen;
mod live;
mod metrics;
mod page;
mod refusal;
mod routes;
mod snapshot;
mod token;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use metrics::MOST_PROCESSES;

use std::path::PathBuf;

/// What [`start`] needs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub address: Address,
    /// Whether all users may connect to a unix socket.
    pub is_public: bool,
    /// The server's control socket.
    pub control: PathBuf,
    /// The file with the token; made if there is none.
    pub token: PathBuf,
}

/// Why there is no HTTP.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("cannot listen for HTTP on {address}: {error}")]
    Listen {
        /// Where.
        address: Address,
        /// Why.
        error: std::io::Error,
    },
    /// The token's file cannot be used.
    #[error("the HTTP token {}: {why}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A thread or the runtime cannot be made.
    #[error("cannot start HTTP: {0}")]
    Start(std::io::Error),
}

/// Listens, and serves from threads of its own for as long as this process lives. Answers where: a port 0 is given as the one that was found.
pub fn start(options: &Options) -> Result<Address, Error> {
    let token = token::Token::open(&options.token)?;
    let listener = listen::bind(&options.address, options.is_public)
        .map_err(|error| Error::Listen { address: options.address.clone(), error })?;
    let address = listener.address().unwrap_or_else(|| options.address.clone());
    let asker = asker::Asker::start(&options.control).map_err(Error::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let refusals = guard::Refusals::default();
    let state = routes::State::new(asker, token, address.clone(), refusals);
    std::thread::Builder::new()
        .name("xserver-http".into())
        .spawn(move || {
            be_ordinary();
            runtime.block_on(listen::serve(listener, state));
        })
        .map_err(Error::Start)?;
    Ok(address)
}

/// The thread that decides has the first turn at the CPU, and threads inherit that.
fn be_ordinary() {
    let _ = rustix::process::setpriority_process(None, 0);
    let _ = rustix::thread::set_current_timer_slack(None);
}
