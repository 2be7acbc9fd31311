//! A file whose filesystem does not answer is refused all the same, at once: xserver looks at files that strangers lend.
//!
//! The filesystem is one of this test's own (FUSE), with one file; it needs root and /dev/fuse, and without them there is nothing to test.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;
use xsched_cuda_control::{Control, Refusal};

/// `FUSE_ROOT_ID`, and the number of the only file.
const ROOT: u64 = 1;
const THE_FILE: u64 = 2;

/// Requests of the kernel's (`enum fuse_opcode`).
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const INIT: u32 = 26;

/// Answers requests until the filesystem is gone, but none for the file's attributes.
fn serve(mut device: File) {
    let mut request = vec![0; 256 * 1024];
    while device.read(&mut request).is_ok_and(|length| length >= 40) {
        let opcode = u32::from_le_bytes(request[4..8].try_into().unwrap());
        let node = u64::from_le_bytes(request[16..24].try_into().unwrap());
        let answer = match (opcode, node) {
            (FORGET, _) | (GETATTR, THE_FILE) => continue,
            (INIT, _) => Ok(init()),
            (LOOKUP, _) => {
                Ok([&THE_FILE.to_le_bytes()[..], &[0; 32], &attributes(THE_FILE, libc::S_IFREG)].concat())
            }
            (GETATTR, _) => Ok([&[0; 16][..], &attributes(ROOT, libc::S_IFDIR)].concat()),
            (OPEN, _) => Ok(vec![0; 16]),
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = answer.map_or_else(|errno| (-errno, vec![]), |body| (0, body));
        let size = 16 + u32::try_from(body.len()).unwrap();
        let packet = [&size.to_le_bytes()[..], &error.to_le_bytes(), &request[8..16], &body].concat();
        // It fails if the request was interrupted meanwhile.
        let _ = device.write(&packet);
    }
}

/// `struct fuse_init_out` of version 7.31, with 4096 as `max_write`.
fn init() -> Vec<u8> {
    let mut out = vec![0; 64];
    (out[0], out[4]) = (7, 31);
    out[20..24].copy_from_slice(&4096u32.to_le_bytes());
    out
}

/// `struct fuse_attr`.
fn attributes(node: u64, kind: libc::mode_t) -> Vec<u8> {
    let mut out = vec![0; 88];
    out[..8].copy_from_slice(&node.to_le_bytes());
    out[60..64].copy_from_slice(&(kind | 0o755).to_le_bytes());
    out[64] = 1;
    out
}

/// A mounted filesystem, unmounted at the end.
struct Mounted(CString);

impl Mounted {
    fn new(at: &Path) -> Option<Mounted> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let (at, options) = (CString::new(at.to_str()?).ok()?, CString::new(options).ok()?);
        // SAFETY: C strings, all of them.
        let result = unsafe {
            let flags = libc::MS_NOSUID | libc::MS_NODEV;
            libc::mount(c"test".as_ptr(), at.as_ptr(), c"fuse".as_ptr(), flags, options.as_ptr().cast())
        };
        (result == 0).then(|| {
            std::thread::spawn(move || serve(device));
            Mounted(at)
        })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever waits for an answer is sent away.
        // SAFETY: a C string.
        unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_FORCE | libc::MNT_DETACH) };
    }
}

#[test]
fn a_file_whose_filesystem_does_not_answer_is_refused_at_once() {
    let folder = std::env::temp_dir().join(format!("xsched-slow-file-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let Some(mounted) = Mounted::new(&folder) else {
        std::fs::remove_dir(&folder).unwrap();
        eprintln!("skipped: a filesystem of one's own needs root and /dev/fuse");
        return;
    };
    let (answer, answered) = channel();
    let path = folder.join("file");
    std::thread::spawn(move || {
        let file = File::open(path).unwrap();
        let _ = answer.send(Control::new(file.as_fd()).map(|_| ()));
    });
    let answered = answered.recv_timeout(Duration::from_secs(5));
    drop(mounted);
    let _ = std::fs::remove_dir(&folder);
    assert_eq!(answered, Ok(Err(Refusal::File)));
}
