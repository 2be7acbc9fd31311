//! Becomes the program: execve(2), and what a shell does when the kernel does not know the file's format.
//!
//! Not execvp(3): it hands whatever the kernel cannot execute to a shell, a program for another machine too.

use crate::launch::elf;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Executes `file` as `name` with these arguments; `set` comes over our environment. Returns only if that fails.
pub(crate) fn exec(file: &Path, name: &OsStr, arguments: &[OsString], set: &[(&str, OsString)]) -> io::Error {
    let error = execve(file, name, arguments, set);
    if error.raw_os_error() != Some(libc::ENOEXEC) || elf::is_binary(file) {
        return error;
    }
    // A script without a first line that says of what.
    let set = set.iter().map(|(name, value)| (name, value));
    Command::new("/bin/sh").arg(file).args(arguments).envs(set).exec()
}

fn execve(file: &Path, name: &OsStr, arguments: &[OsString], set: &[(&str, OsString)]) -> io::Error {
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    environment.extend(set.iter().map(|(name, value)| (OsString::from(name), value.clone())));
    let pair =
        |(name, value): (&OsString, &OsString)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat());
    let words = std::iter::once(name).chain(arguments.iter().map(OsString::as_os_str));
    let prepared = text(file.as_os_str().as_bytes()).and_then(|file| {
        let words = words.map(|word| text(word.as_bytes())).collect::<io::Result<Vec<_>>>()?;
        Ok((file, words, environment.iter().map(pair).collect::<io::Result<Vec<_>>>()?))
    });
    let (file, words, environment) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let (words, environment) = (pointers(&words), pointers(&environment));
    // SAFETY: a signal's default is set, which our own code does not rely on any more: what follows is the program, or one message.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: a C string, and two arrays of C strings with a null at their ends, all alive.
    unsafe { libc::execve(file.as_ptr(), words.as_ptr(), environment.as_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: as above; this is what the standard library had set.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    error
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(io::Error::from)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}
