//! What daemons do: close all fds that they did not open, and open files of their own, which then have the old numbers.

use std::fs::File;
use std::io::Write;
use std::os::fd::{IntoRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

const NAME: &str = "own-file";
const TEXT: &str = "nobody but the program writes here\n";

/// The lowest and the highest number of the file.
static NUMBERS: [AtomicI32; 2] = [const { AtomicI32::new(-1) }; 2];

/// Closes all fds but the three of standard input and output.
pub(crate) fn close_all() {
    // By its number, because C libraries have a function for it only since 2.34.
    // SAFETY: whose fds they are is what the test is about.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Opens a file and gives it every fd number below the limit that is free.
pub(crate) fn open() -> Result<(), String> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(NAME);
    let mut file = file.map_err(|e| e.to_string())?;
    file.write_all(TEXT.as_bytes()).map_err(|e| e.to_string())?;
    let fd = file.into_raw_fd();
    NUMBERS[0].store(fd, Ordering::Relaxed);
    // Each takes the lowest number that is free.
    loop {
        // SAFETY: an open fd.
        match unsafe { libc::dup(fd) } {
            -1 => return Ok(()),
            copy => NUMBERS[1].fetch_max(copy, Ordering::Relaxed),
        };
    }
}

/// Whether the file is as it was, and all numbers are still its own: `kept`, or what is wrong.
pub(crate) fn check() -> String {
    let [first, last] = [&NUMBERS[0], &NUMBERS[1]].map(|number| number.load(Ordering::Relaxed));
    let mut bytes = [0u8; 256];
    // SAFETY: the buffer is as long as said.
    let length = unsafe { libc::pread(first, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    let bytes = &bytes[..usize::try_from(length).unwrap_or(0)];
    if bytes != TEXT.as_bytes() {
        return format!("changed to {:?}", String::from_utf8_lossy(bytes));
    }
    let own = inode(first);
    let lost: Vec<RawFd> = (first..=last).filter(|fd| inode(*fd) != own).collect();
    if lost.is_empty() { "kept".into() } else { format!("lost {lost:?}") }
}

fn inode(fd: RawFd) -> Option<(u64, u64)> {
    // SAFETY: plain data, which the call fills in.
    unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut about) == 0).then_some((about.st_dev, about.st_ino))
    }
}
