//! The least of an HTTP client, over a unix socket: a question, an answer, and that is all.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection.
pub(crate) struct Http(UnixStream);

impl Http {
    pub(crate) fn connect(path: &Path) -> Result<Http> {
        let stream =
            UnixStream::connect(path).with_context(|| format!("connecting to {}", path.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).context("a time limit")?;
        Ok(Http(stream))
    }

    /// Asks, and reads the answer to its end; fails unless it is a 200.
    pub(crate) fn get(mut self, path: &str) -> Result<Vec<u8>> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
        let answer = self.rest()?;
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        ensure!(line.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(line));
        Ok(answer)
    }

    /// Sends what may be no HTTP at all.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).context("sending")
    }

    /// All that comes until the other end closes.
    pub(crate) fn rest(mut self) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).context("reading an answer")?;
        Ok(answer)
    }
}
