//! The settings of this process: the only place in a guest that reads the environment.

use std::path::PathBuf;
use std::sync::OnceLock;
use xsched_core::Config;

/// The settings, read at first use. Problems are reported, one line each; what is wrong counts as not given.
pub fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut config = Config::default();
        let ours: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("XSCHED_"))
            .collect();
        for problem in config.apply_env(ours.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            crate::report::once(&problem.to_string());
        }
        config
    })
}

/// `$XDG_RUNTIME_DIR`.
pub(crate) fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The directories of `$LD_LIBRARY_PATH`, in order.
pub fn library_path() -> Vec<PathBuf> {
    std::env::var_os("LD_LIBRARY_PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}
