//! libxsched at run time: which one, and its functions with their types.
//!
//! Invariant: once found, the library stays open, so its functions may be called for ever. What was not found is looked for again at the next call:
//! a stand-in may have come meanwhile.

use crate::error::{Error, ErrorKind, check};
use std::ffi::{OsString, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

const NAME: &str = "libxsched.so";
/// Beginnings of the names of vendors' libraries under which a stand-in may be here; libxsched lies beside each.
const STAND_INS: &[&str] = &["libOpenCL.so", "libcuda.so", "libze_loader.so"];

/// What C calls for a submitted command.
pub(crate) type LaunchCallback = extern "C" fn(u64, *mut c_void) -> i32;

macro_rules! functions {
    ($(fn $name:ident($($arg:ident: $ty:ty),*);)*) => {
        /// The functions of one libxsched; none where it lacks one.
        #[allow(non_snake_case)]
        pub(crate) struct Library {
            path: PathBuf,
            $($name: Option<unsafe extern "C" fn($($ty),*) -> i32>,)*
        }

        #[allow(non_snake_case)]
        impl Library {
            fn load(path: &Path) -> Result<Library, libloading::Error> {
                // SAFETY: libxsched does nothing when it is loaded but what any library of Rust does.
                let library = unsafe { libloading::Library::new(path)? };
                let functions = Library {
                    path: path.into(),
                    // SAFETY: the types are those of include/xsched, which do not change.
                    $($name: unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }.ok().map(|symbol| *symbol),)*
                };
                std::mem::forget(library);
                Ok(functions)
            }

            $(
                /// As include/xsched says.
                ///
                /// # Safety
                /// Pointers are valid as the header says.
                #[allow(clippy::missing_safety_doc)]
                pub(crate) unsafe fn $name(&self $(, $arg: $ty)*) -> Result<(), Error> {
                    let call = stringify!($name);
                    let function = self.$name.ok_or(Error::Call { call, kind: ErrorKind::NotSupported })?;
                    // SAFETY: by the caller; the library stays open.
                    check(call, unsafe { function($($arg),*) })
                }
            )*
        }
    };
}

functions! {
    fn XQueueCreate(xq: *mut u64, hwq: u64, level: i64, flags: i64);
    fn XQueueDestroy(xq: u64);
    fn XQueueSetPreemptLevel(xq: u64, level: i32);
    fn XQueueSetLaunchConfig(xq: u64, threshold: i64, batch_size: i64);
    fn XQueueSubmit(xq: u64, cmd: u64);
    fn XQueueWait(xq: u64, cmd: u64);
    fn XQueueWaitAll(xq: u64);
    fn XQueueQuery(xq: u64, state: *mut i32);
    fn XQueueSuspend(xq: u64, flags: i64);
    fn XQueueResume(xq: u64, flags: i64);
    fn XQueueProfileHwCommandCount(xq: u64, count: *mut i64);
    fn HwQueueDestroy(hwq: u64);
    fn HwCommandCreateCallback(cmd: *mut u64, launch: LaunchCallback, data: *mut c_void);
    fn HwCommandDestroy(cmd: u64);
    fn XHintSetScheduler(scheduler: i32, policy: i32);
    fn XHintPriority(xq: u64, priority: i32);
    fn XHintUtilization(xq: u64, utilization: i32);
    fn XHintTimeslice(timeslice: i64);
    fn XHintLaxity(xq: u64, laxity: i64, lax_prio: i32, crit_prio: i32);
    fn XHintDeadline(xq: u64, deadline: i64);
    fn XHintKDeadline(k: usize);
    fn XProcessHint(kind: u32, value: i64);
    fn XProcessUnhint(kind: u32);
    fn OclQueueCreate(hwq: *mut u64, queue: *mut c_void);
    fn CudaQueueCreate(hwq: *mut u64, stream: *mut c_void);
    fn ZeQueueCreate(hwq: *mut u64, device: *mut c_void, queue: *mut c_void);
    fn ZeListreate(hwq: *mut u64, device: *mut c_void, list: *mut c_void);
}

/// The libxsched of this process; opened at the first call that finds one.
pub(crate) fn library() -> Result<&'static Library, Error> {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    static FINDING: Mutex<()> = Mutex::new(());
    if let Some(library) = LIBRARY.get() {
        return Ok(library);
    }
    let _one_at_a_time = FINDING.lock();
    match LIBRARY.get() {
        Some(library) => Ok(library),
        None => find().map(|found| LIBRARY.get_or_init(|| found)),
    }
}

/// The file of the libxsched of this process.
pub fn library_path() -> Result<PathBuf, Error> {
    library().map(|library| library.path.clone())
}

fn find() -> Result<Library, Error> {
    let mut tried = Vec::new();
    for (path, why) in places() {
        match Library::load(&path) {
            Ok(library) => return Ok(library),
            Err(error) => tried.push(format!("{} ({why}): {error}", path.display())),
        }
    }
    Err(Error::NoLibrary { tried })
}

fn places() -> Vec<(PathBuf, &'static str)> {
    let mapped = mapped(&std::fs::read("/proc/self/maps").unwrap_or_default());
    let is_named = |path: &Path, names: &[&str]| {
        let name = path.file_name().unwrap_or_default().as_bytes();
        names.iter().any(|start| name.starts_with(start.as_bytes()))
    };
    let ours = mapped.iter().filter(|path| is_named(path, &[NAME]));
    let mut places: Vec<_> = ours.map(|path| (path.clone(), "in this process")).collect();
    let stand_ins = mapped.iter().filter(|path| is_named(path, STAND_INS));
    let beside = stand_ins.map(|path| path.with_file_name(NAME)).filter(|path| path.exists());
    places.extend(beside.map(|path| (path, "beside a stand-in in this process")));
    if let Some(named) = variable("XSCHED_LIB") {
        places.push((named.into(), "named by XSCHED_LIB"));
        return places;
    }
    let library_path = variable("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = std::env::split_paths(&library_path).filter(|folder| !folder.as_os_str().is_empty());
    let in_folders = folders.map(|folder| folder.join(NAME)).filter(|path| path.exists());
    places.extend(in_folders.map(|path| (path, "in LD_LIBRARY_PATH")));
    let search_path = variable("PATH").unwrap_or_default();
    let mut xclis = std::env::split_paths(&search_path).map(|folder| folder.join("xcli"));
    let xcli = xclis.find(|xcli| xcli.is_file()).and_then(|xcli| xcli.canonicalize().ok());
    if let Some(root) = xcli.as_deref().and_then(Path::parent).and_then(Path::parent) {
        places.push((root.join("lib/xsched").join(NAME), "installed with xcli"));
    }
    places.push((NAME.into(), "as the loader finds it"));
    places
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The files in a list of mappings, each once.
fn mapped(maps: &[u8]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for line in maps.split(|byte| *byte == b'\n') {
        // Addresses, rights, offset, device and inode come before it, and none of them has a slash.
        let Some(start) = line.iter().position(|byte| *byte == b'/') else { continue };
        let path = PathBuf::from(OsString::from_vec(line[start..].to_vec()));
        if paths.last() != Some(&path) && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn files_of_mappings_are_read_with_whatever_is_in_their_names() {
        let maps = b"7f0-7f1 r-xp 00000000 08:01 123   /opt/a b/libxsched.so\n7f1-7f2 r--p 00001000 08:01 123   /opt/a b/libxsched.so\n\
                     7f3-7f4 rw-p 00000000 00:00 0     [heap]\n7f5-7f6 r-xp 00000000 08:01 9     /x/\xff.so\n";
        let paths = mapped(maps);
        assert_eq!(paths, [Path::new("/opt/a b/libxsched.so"), Path::new(OsStr::from_bytes(b"/x/\xff.so"))]);
        let this = mapped(&std::fs::read("/proc/self/maps").unwrap());
        assert!(
            this.iter()
                .any(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc")))
        );
    }
}
