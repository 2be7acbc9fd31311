//! `xcli probe`, which only `xcli doctor` starts: asks libxsched.so one question in this process, which may come to grief.
//!
//! Standard output is for the answer alone: what a vendor's library prints there goes to standard error.

use crate::context::Context;
use crate::failure::Failure;
use clap::Args;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::process::{Resource, Rlimit, Signal};
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Take one look at one platform, for `xcli doctor`
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Folder with libxsched.so and the stand-ins
    folder: PathBuf,

    /// The platform to look at; without one, all are named
    #[arg(requires = "look")]
    platform: Option<String>,

    /// What to look at
    look: Option<OsString>,
}

/// Version of the contract of `xsched_probe`.
const ABI: u32 = 1;

type Ask = unsafe extern "C" fn(u32, *const c_char, *const c_char, *const c_char, c_int) -> c_int;

impl Probe {
    pub(crate) fn execute(self, _: &Context) -> Result<(), Failure> {
        // Whoever asked is not to be outlived, and what happens here is no crash to be kept for study.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        // The server's log names it by this.
        let _ = rustix::thread::set_name(c"xcli-doctor");
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::setrlimit(Resource::Core, none);
        let answers =
            take_stdout().map_err(|e| Failure::failed(format!("cannot keep standard output: {e}")))?;

        let library = self.folder.join("libxsched.so");
        let ask = load(&library).map_err(Failure::failed)?;
        let folder = text(self.folder.as_os_str())?;
        let platform = self.platform.as_deref().map(|name| text(OsStr::new(name))).transpose()?;
        let look = self.look.as_deref().map(text).transpose()?;
        let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        // SAFETY: libxsched.so has `xsched_probe` with this signature for every ABI it knows, and answers 1 for others. The texts are
        // C strings, and the fd is open.
        let result =
            unsafe { ask(ABI, folder.as_ptr(), pointer(&platform), pointer(&look), answers.as_raw_fd()) };
        if result != 0 {
            let what = "does not know what xcli asks: is it of another version?";
            return Err(Failure::failed(format!("{} {what}", library.display())));
        }
        Ok(())
    }
}

/// Standard output for us, and standard error in its place for everybody else.
fn take_stdout() -> rustix::io::Result<OwnedFd> {
    let answers = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok(answers)
}

fn load(library: &Path) -> Result<Ask, String> {
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: a C string. The library has no constructor but the standard library's.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(loader_error());
    }
    // SAFETY: a library that is not closed, and a C string.
    let ask = unsafe { libc::dlsym(handle, c"xsched_probe".as_ptr()) };
    if ask.is_null() {
        return Err(format!("{} has no xsched_probe: it is of another version", library.display()));
    }
    // SAFETY: libxsched.so's function of that name has this signature.
    Ok(unsafe { std::mem::transmute::<*mut libc::c_void, Ask>(ask) })
}

fn loader_error() -> String {
    // SAFETY: no precondition.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the loader gives no reason".into();
    }
    // SAFETY: a C string of the loader's, copied before its next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn text(text: &OsStr) -> Result<CString, Failure> {
    CString::new(text.as_bytes()).map_err(|e| Failure::usage(e.to_string()))
}
