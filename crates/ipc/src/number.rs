//! Fd numbers in a program that knows nothing of them.
//!
//! The program may close what it did not open, as daemons do, and get the same numbers for files of its own. So a number goes with the
//! identity of what it named at first: it is used, and closed, only while it still names that. Kernel objects without an inode of
//! their own (an eventfd) can only be told from files, sockets and pipes. Nothing guards the moment between look and use.

use rustix::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use rustix::io::Errno;

/// The number of an fd of ours. Copies of it are the same fd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number {
    fd: RawFd,
    device: u64,
    inode: u64,
}

impl Number {
    /// Takes an open fd over: it stays open until [`Number::close`], or until the program closes it.
    pub fn new(fd: OwnedFd) -> Result<Number, Errno> {
        let (device, inode) = identity(fd.as_fd())?;
        Ok(Number { fd: fd.into_raw_fd(), device, inode })
    }

    /// The fd, if it is still there. Async-signal-safe, keeps errno.
    #[inline]
    pub fn get(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: a number that is not -1, and the kernel is asked what it names before anything else is done with it.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        (identity(fd) == Ok((self.device, self.inode))).then_some(fd)
    }

    /// Closes the fd, if it is still there. Async-signal-safe, keeps errno.
    pub fn close(self) {
        if self.get().is_some() {
            // SAFETY: it was taken over as an owned fd and is still that one; copies of the number look before they use it.
            unsafe { rustix::io::close(self.fd) };
        }
    }
}

fn identity(fd: BorrowedFd<'_>) -> Result<(u64, u64), Errno> {
    rustix::fs::fstat(fd).map(|about| (about.st_dev, about.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::FromRawFd;

    #[test]
    fn a_number_that_names_something_else_is_neither_used_nor_closed() {
        let (read, _write) = rustix::pipe::pipe().unwrap();
        let number = Number::new(read).unwrap();
        assert!(number.get().is_some());
        // What the program does: its own file under our number.
        let file = tempfile::tempfile().unwrap();
        // SAFETY: the number is open, and from now on `taken` is its only owner.
        let mut taken = unsafe { OwnedFd::from_raw_fd(number.fd) };
        rustix::io::dup2(&file, &mut taken).unwrap();
        assert!(number.get().is_none());
        number.close();
        assert_eq!(identity(taken.as_fd()), identity(file.as_fd()));
    }

    #[test]
    fn a_number_is_closed_once_however_many_copies_there_are() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let number = Number::new(read).unwrap();
        let copy = number;
        number.close();
        assert!(copy.get().is_none());
        copy.close();
        assert_eq!(rustix::io::write(&write, b"x"), Err(Errno::PIPE));
    }
}
