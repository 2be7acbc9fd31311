//! The settings of this process: the only place in a guest that reads the environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use xsched_core::Config;

/// The settings, read at first use. Problems are reported, one line each; what is wrong counts as not given.
pub fn config() -> &'static Config {
    &environment().config
}

/// `$XDG_RUNTIME_DIR`.
pub(crate) fn runtime_dir() -> Option<&'static Path> {
    environment().runtime_dir.as_deref()
}

/// The directories of `$LD_LIBRARY_PATH`, in order.
pub fn library_path() -> Vec<PathBuf> {
    variable("LD_LIBRARY_PATH", is_secure()).map(|path| split(&path)).unwrap_or_default()
}

/// As the loader does: a semicolon separates too, and an empty entry is the current directory. That one is spelled out, for a path
/// without a slash would be looked for by name again.
fn split(path: &OsStr) -> Vec<PathBuf> {
    let entries = path.as_bytes().split(|b| matches!(b, b':' | b';'));
    entries
        .map(|entry| if entry.is_empty() { b"." } else { entry })
        .map(|dir| OsStr::from_bytes(dir).into())
        .collect()
}

/// A variable by which the vendor's own library is told something, as it is now.
pub fn vendors_variable(name: &str) -> Option<OsString> {
    variable(name, is_secure()).filter(|value| !value.is_empty())
}

/// What the environment says, as far as a thread of ours may ask for it again: only the program's own threads may read the environment
/// itself, because the program may change it at any time and no lock is known to both.
struct Environment {
    config: Config,
    runtime_dir: Option<PathBuf>,
}

fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut config = Config::default();
        let ours: Vec<(String, String)> = variables(is_secure())
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("XSCHED_"))
            .collect();
        for problem in config.apply_env(ours.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            crate::report::once(&problem.to_string());
        }
        let runtime_dir =
            variable("XDG_RUNTIME_DIR", is_secure()).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        Environment { config, runtime_dir }
    })
}

/// Whether this program has rights that its user does not have (setuid, file capabilities). Its environment is not to be trusted: it
/// names libraries that are loaded.
fn is_secure() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

fn variables(is_secure: bool) -> impl Iterator<Item = (OsString, OsString)> {
    (!is_secure).then(std::env::vars_os).into_iter().flatten()
}

fn variable(name: &str, is_secure: bool) -> Option<OsString> {
    (!is_secure).then(|| std::env::var_os(name)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_once_because_the_program_may_change_it_any_time() {
        let before = runtime_dir().map(Path::to_owned);
        // SAFETY: no other test of this crate uses this variable, and Rust's own lock is held by all who read others.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", "/somewhere/else") };
        assert_eq!(runtime_dir(), before.as_deref());
    }

    #[test]
    fn an_empty_entry_of_the_library_path_is_the_current_directory() {
        let dirs = |path: &str| split(OsStr::new(path));
        assert_eq!(dirs("/a;b:"), [Path::new("/a"), Path::new("b"), Path::new(".")]);
    }

    #[test]
    fn a_program_with_more_rights_than_its_user_takes_no_settings_from_him() {
        assert!(!is_secure() && variable("PATH", false).is_some() && variables(false).next().is_some());
        assert!(variable("PATH", true).is_none() && variables(true).next().is_none());
    }
}
