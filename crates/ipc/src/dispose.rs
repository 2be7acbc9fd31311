//! Closing what a stranger sent, without waiting for it.
//!
//! The last close of a file can take as long as the file's owner likes: a TCP socket with SO_LINGER waits for its peer, a FUSE file
//! for its daemon. So the server makes sockets not linger, and leaves what is neither a socket nor memory to a thread that has
//! nothing else to do.

use rustix::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

/// Fds from a stranger: disposed of at the end.
#[derive(Debug, Default)]
pub(crate) struct Strange(pub(crate) Vec<OwnedFd>);

impl Drop for Strange {
    fn drop(&mut self) {
        self.0.drain(..).for_each(dispose);
    }
}

fn dispose(fd: OwnedFd) {
    let is_socket = rustix::net::sockopt::socket_type(&fd).is_ok();
    if is_socket {
        let _ = rustix::net::sockopt::set_socket_linger(&fd, None);
    } else if rustix::fs::fcntl_get_seals(&fd).is_err()
        && let Some(closer) = closer()
    {
        // If the thread is not there any more, the fd comes back in the error and is closed here.
        let _ = closer.send(fd);
    }
}

fn closer() -> Option<&'static Sender<OwnedFd>> {
    static CLOSER: OnceLock<Option<Sender<OwnedFd>>> = OnceLock::new();
    CLOSER
        .get_or_init(|| {
            let (sender, strange) = channel::<OwnedFd>();
            let thread = std::thread::Builder::new().name("xserver-closer".into()).stack_size(64 * 1024);
            thread.spawn(move || strange.into_iter().for_each(drop)).ok().map(|_| sender)
        })
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn a_socket_that_lingers_is_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let full = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        full.set_nonblocking(true).unwrap();
        while std::io::Write::write(&mut &full, &[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&full, Some(Duration::from_secs(20))).unwrap();
        let start = Instant::now();
        drop(Strange(vec![full.into()]));
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    #[test]
    fn other_files_are_closed_in_the_end() {
        let (ours, theirs) = rustix::pipe::pipe().unwrap();
        drop(Strange(vec![theirs]));
        // The end of the pipe shows that the other end is closed; the thread may take its time.
        let mut byte = [0];
        assert_eq!(rustix::io::read(&ours, &mut byte), Ok(0));
    }
}
