//! Signals as something to wait for: SIGTERM and SIGINT, and SIGHUP.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

/// What signals there were.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Readable once the server is to end.
    pub(crate) end: UnixStream,
    /// Readable when the rules are to be read again.
    pub(crate) reload: UnixStream,
}

impl Signals {
    /// From now on they do nothing but make these readable.
    pub(crate) fn catch() -> io::Result<Signals> {
        Ok(Signals { end: readable_by(&[SIGTERM, SIGINT])?, reload: readable_by(&[SIGHUP])? })
    }

    /// Takes back that the rules are to be read again.
    pub(crate) fn take_reload(&self) {
        let mut stream = &self.reload;
        while stream.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0) {}
    }
}

fn readable_by(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}
