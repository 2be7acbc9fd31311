//! Where the server's socket may be.

use std::path::{Path, PathBuf};

/// The socket of a server for the whole machine.
pub const SYSTEM: &str = "/run/xsched/xserver.sock";

/// The places to try, the best first: `configured` alone if there is one, else the machine's, else the user's own under
/// `xdg_runtime_dir`. The environment is the caller's to read.
pub fn candidates(configured: Option<&Path>, xdg_runtime_dir: Option<&Path>) -> Vec<PathBuf> {
    match configured {
        Some(path) => vec![path.into()],
        None => {
            let users =
                xdg_runtime_dir.filter(|dir| dir.is_absolute()).map(|dir| dir.join("xsched/xserver.sock"));
            [Some(PathBuf::from(SYSTEM)), users].into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_path_stands_alone_and_the_machines_server_comes_before_the_users() {
        let run = Some(Path::new("/run/user/7"));
        assert_eq!(candidates(Some(Path::new("x.sock")), run), [PathBuf::from("x.sock")]);
        let both = [PathBuf::from(SYSTEM), PathBuf::from("/run/user/7/xsched/xserver.sock")];
        assert_eq!(candidates(None, run), both);
        assert_eq!(candidates(None, Some(Path::new("relative"))), both[..1]);
        assert_eq!(candidates(None, None), both[..1]);
    }
}
