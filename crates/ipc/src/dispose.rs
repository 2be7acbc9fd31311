//! Closing what a stranger sent, without waiting for it.
//!
//! The last close of a file can take as long as the file's owner likes: a TCP socket with SO_LINGER waits for its peer, a FUSE file
//! for its daemon, a Unix socket may hold either in its queue, and much memory is not given back in a moment. So the server leaves all but
//! a little memory to a thread that has nothing else to do.

use rustix::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// Fds that wait to be closed.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Whether so many fds wait to be closed that somebody seems to keep one from it. Then only root should be let in, for each newcomer may bring
/// more.
pub fn is_stuck() -> bool {
    WAITING.load(Ordering::Relaxed) > 1_000
}

/// Fds from a stranger: disposed of at the end.
#[derive(Debug, Default)]
pub(crate) struct Strange(pub(crate) Vec<OwnedFd>);

impl Drop for Strange {
    fn drop(&mut self) {
        self.0.drain(..).for_each(dispose);
    }
}

fn dispose(fd: OwnedFd) {
    if is_closed_at_once(&fd) {
        return;
    }
    // Spares the thread the plain case; the owner may still undo it.
    let _ = rustix::net::sockopt::set_socket_linger(&fd, None);
    if let Some(closer) = closer() {
        WAITING.fetch_add(1, Ordering::Relaxed);
        // If the thread is not there any more, the fd comes back in the error and is closed here.
        let _ = closer.send(fd);
    }
}

/// Whether it is memory, and so little that it is given back within some microseconds.
fn is_closed_at_once(fd: &OwnedFd) -> bool {
    const LITTLE: i64 = 1 << 20;
    // First, because it never waits, and only memory has seals.
    rustix::fs::fcntl_get_seals(fd).is_ok()
        && rustix::fs::fstat(fd).is_ok_and(|about| about.st_blocks * 512 <= LITTLE)
}

fn close(fd: OwnedFd) {
    drop(fd);
    WAITING.fetch_sub(1, Ordering::Relaxed);
}

fn closer() -> Option<&'static Sender<OwnedFd>> {
    static CLOSER: OnceLock<Option<Sender<OwnedFd>>> = OnceLock::new();
    CLOSER
        .get_or_init(|| {
            let (sender, strange) = channel::<OwnedFd>();
            let thread = std::thread::Builder::new().name("xserver-closer".into()).stack_size(64 * 1024);
            thread.spawn(move || strange.into_iter().for_each(close)).ok().map(|_| sender)
        })
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    /// A socket whose last close takes as long as told, and its peer, which reads nothing.
    fn lingering(time: Duration) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let full = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        full.set_nonblocking(true).unwrap();
        while std::io::Write::write(&mut &full, &[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&full, Some(time)).unwrap();
        (full, peer)
    }

    /// A socket with a packet in its queue that carries `count` fds, the last of them the only one of a lingering socket.
    fn laden(count: usize) -> (OwnedFd, OwnedFd, TcpStream) {
        use rustix::net::{
            AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
        };
        let pair =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.unwrap();
        let (full, peer) = lingering(Duration::from_secs(5));
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut fds = vec![null.as_fd(); count - 1];
        fds.push(full.as_fd());
        let mut space = vec![std::mem::MaybeUninit::uninit(); 2048];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = [std::io::IoSlice::new(b"x")];
        rustix::net::sendmsg(&theirs, &bytes, &mut ancillary, SendFlags::empty()).unwrap();
        (ours, theirs, peer)
    }

    #[test]
    fn a_socket_that_lingers_is_closed_at_once_also_in_the_queue_of_another_or_among_too_many() {
        let start = Instant::now();
        let (full, _peer) = lingering(Duration::from_secs(5));
        drop(Strange(vec![full.into()]));
        let (many, _theirs, _peer) = laden(100);
        let mut packet = crate::socket::try_receive(many.as_fd()).unwrap().unwrap();
        assert!(packet.bytes().is_err() && packet.fds.len() == 100);
        drop(Strange(packet.fds));
        let (nest, _, _peer) = laden(1);
        drop(Strange(vec![nest]));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }

    #[test]
    fn only_a_little_memory_is_closed_by_the_server_itself() {
        use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
        let memory = |length| {
            let fd = memfd_create("t", MemfdFlags::CLOEXEC).unwrap();
            fallocate(&fd, FallocateFlags::KEEP_SIZE, 0, length).unwrap();
            fd
        };
        assert!(is_closed_at_once(&memory(4096)));
        assert!(!is_closed_at_once(&memory(64 << 20)));
        assert!(!is_closed_at_once(&rustix::pipe::pipe().unwrap().0));
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
