//! Connections: so many at a time, each with a head that comes soon and an answer that is read soon.

use crate::address::Address;
use crate::guard::Source;
use crate::routes::{self, State};
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// Connections at a time.
const MOST: usize = 256;
/// Until the head of a request is there; also how long a connection may be kept without one.
const HEAD: Duration = Duration::from_secs(5);
/// Until somebody reads what he asked for.
const UNREAD: Duration = Duration::from_secs(10);
/// Bytes of a head.
const LONGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// What is listened on.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    /// Where it is, if that is TCP.
    pub(crate) fn address(&self) -> Option<Address> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok().map(Address::Tcp),
            Listener::Unix(_) => None,
        }
    }
}

/// Before there is a second thread.
pub(crate) fn bind(address: &Address, is_public: bool) -> io::Result<Listener> {
    match address {
        Address::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(listener))
        }
        Address::Unix(path) => {
            remove_stale(path)?;
            let mask = if is_public { 0o111 } else { 0o177 };
            let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
            let listener = std::os::unix::net::UnixListener::bind(path);
            rustix::process::umask(before);
            let listener = listener?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(listener))
        }
    }
}

/// A socket that nobody listens on is left over from a server that is gone.
fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(status) if !status.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is not a socket"))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            Err(error) => Err(error),
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there")),
        },
    }
}

/// Serves for ever.
pub(crate) async fn serve(listener: Listener, state: State) {
    let places = Arc::new(Semaphore::new(MOST));
    let served = match listener {
        Listener::Tcp(listener) => match TcpListener::from_std(listener) {
            Ok(listener) => loop {
                match listener.accept().await {
                    Ok((stream, peer)) => take(stream, Source::Ip(peer.ip()), &places, &state),
                    Err(error) => pause(&error).await,
                }
            },
            Err(error) => error,
        },
        Listener::Unix(listener) => match UnixListener::from_std(listener) {
            Ok(listener) => loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                        take(stream, Source::User(uid), &places, &state);
                    }
                    Err(error) => pause(&error).await,
                }
            },
            Err(error) => error,
        },
    };
    tracing::error!("HTTP ends: {served}");
}

/// No file is left for the next one, most likely.
async fn pause(error: &io::Error) {
    tracing::debug!("HTTP: accept: {error}");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn take<S>(stream: S, source: Source, places: &Arc<Semaphore>, state: &State)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let Ok(place) = places.clone().try_acquire_owned() else {
        state.refusals().note(&source, StatusCode::SERVICE_UNAVAILABLE, "too many connections");
        return;
    };
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD));
    let (router, state) = (routes::router(state), state.clone());
    tokio::spawn(async move {
        let from = source.clone();
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(from.clone());
            TowerToHyperService::new(router.clone()).call(request)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_headers(MOST_HEADERS)
            .max_buf_size(LONGEST_HEAD);
        if let Err(error) = http.serve_connection(TokioIo::new(Box::pin(stream)), service).await {
            if error.is_parse() || error.is_parse_too_large() {
                state.refusals().note(
                    &source,
                    StatusCode::BAD_REQUEST,
                    "what is not HTTP, or too large a head",
                );
            } else if error.is_timeout() {
                state.refusals().note(&source, StatusCode::REQUEST_TIMEOUT, "a head that did not come");
            } else if is_unread(&error) {
                state.refusals().note(&source, StatusCode::REQUEST_TIMEOUT, "an answer that nobody read");
            }
        }
        drop(place);
    });
}

/// Whether it ended because the other side took nothing for [`UNREAD`].
fn is_unread(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
