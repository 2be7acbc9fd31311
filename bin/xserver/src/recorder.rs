//! The file of a recording, and the thread that writes it.
//!
//! The file is new: made by this process, for its user alone. What is to be written waits in a line of bounded length; whoever puts
//! something in never waits. When writing fails, the thread says so in the log and ends, and the next one who comes learns it.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Chunks that may wait: 16 MiB.
const LINE: usize = 256;
/// For how long the end of the server waits for the end of the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes a file behind the back of whoever has something to write.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    line: SyncSender<Vec<u8>>,
    /// Closed when all is written.
    is_done: Receiver<()>,
}

/// Why a recording cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Too much is waiting to be written.
    Behind,
    /// Writing failed. This is in the log already.
    Failed,
}

impl Recorder {
    /// Makes the file. In its name, `%p` stands for the process and `%t` for the time, in seconds since 1970.
    pub(crate) fn create(path: &Path) -> Result<Recorder> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = expanded(path, std::process::id(), now.as_secs())?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot make the recording {}", path.display()))?;
        // A limit on the size of files is to be an error, and not the end of the process.
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
            .context("cannot catch SIGXFSZ")?;
        let (line, chunks) = sync_channel(LINE);
        let (done, is_done) = sync_channel(0);
        let name = path.display().to_string();
        let write = move || {
            if let Err(error) = write_all(file, &chunks) {
                tracing::warn!("{name}: cannot write the recording, it ends: {error}");
            }
            drop(done);
        };
        std::thread::Builder::new()
            .name("xserver-record".into())
            .spawn(write)
            .context("cannot start a thread for the recording")?;
        Ok(Recorder { path, line, is_done })
    }

    /// The file's name, for people.
    pub(crate) fn name(&self) -> impl std::fmt::Display + '_ {
        self.path.display()
    }

    /// Has the bytes written, in a while.
    pub(crate) fn write(&self, bytes: Vec<u8>) -> Result<(), Trouble> {
        self.line.try_send(bytes).map_err(|error| match error {
            TrySendError::Full(_) => Trouble::Behind,
            TrySendError::Disconnected(_) => Trouble::Failed,
        })
    }

    /// Waits until all is written; not for long, because the disk may be stuck.
    pub(crate) fn finish(self) {
        drop(self.line);
        let _ = self.is_done.recv_timeout(PATIENCE);
    }
}

fn write_all(mut file: File, chunks: &Receiver<Vec<u8>>) -> std::io::Result<()> {
    chunks.iter().try_for_each(|chunk| file.write_all(&chunk))
}

/// The path with its marks replaced.
fn expanded(path: &Path, pid: u32, seconds: u64) -> Result<PathBuf> {
    let mut bytes = path.as_os_str().as_bytes().iter();
    let mut out = Vec::new();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'p') => out.extend(pid.to_string().bytes()),
            Some(b't') => out.extend(seconds.to_string().bytes()),
            Some(b'%') => out.push(b'%'),
            _ => bail!(
                "record: in {}, % is followed by none of p (the process), t (the time) and %",
                path.display()
            ),
        }
    }
    Ok(OsString::from_vec(out).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_new_and_its_makers_alone_and_has_all_that_was_written_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a%%b.trace");
        let recorder = Recorder::create(&path).unwrap();
        (0..100u8).for_each(|n| recorder.write(vec![n; 3]).unwrap());
        recorder.finish();
        let path = folder.path().join("a%b.trace");
        let wanted: Vec<u8> = (0..100).flat_map(|n| [n; 3]).collect();
        assert_eq!(std::fs::read(&path).unwrap(), wanted);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = Recorder::create(&folder.path().join("a%%b.trace")).unwrap_err();
        assert!(error.to_string().contains("a%b.trace"), "{error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), wanted, "what is there is not touched");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Recorder::create(&link).is_err() && !target.exists());
    }

    #[test]
    fn marks_in_the_name_are_replaced_and_others_are_refused() {
        let name = |text: &str| expanded(Path::new(text), 7, 1_700_000_000);
        assert_eq!(name("/x/%t-%p.trace").unwrap(), Path::new("/x/1700000000-7.trace"));
        assert_eq!(name("/x/100%%").unwrap(), Path::new("/x/100%"));
        assert!(name("/x/%d").is_err() && name("/x/%").is_err());
    }

    #[test]
    fn a_full_disk_is_found_out_and_ends_the_recording() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (line, chunks) = sync_channel(4);
        line.try_send(vec![1]).unwrap();
        assert!(write_all(full, &chunks).is_err());
        drop(chunks);
        let (_, is_done) = sync_channel(0);
        let recorder = Recorder { path: "x".into(), line, is_done };
        assert_eq!(recorder.write(vec![2]), Err(Trouble::Failed));
    }

    #[test]
    fn a_disk_that_does_not_keep_up_is_found_out_and_nobody_waits_for_it() {
        let (line, _chunks) = sync_channel(2);
        let (_, is_done) = sync_channel(0);
        let recorder = Recorder { path: "x".into(), line, is_done };
        assert_eq!([0, 1, 2].map(|n| recorder.write(vec![n])), [Ok(()), Ok(()), Err(Trouble::Behind)]);
    }
}
