//! The token that changes need: in a file that only the server's user can read, made when there is none.

use crate::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use subtle::ConstantTimeEq;

/// Shorter ones are not taken.
const SHORTEST: usize = 16;
/// Longer ones neither.
const LONGEST: u64 = 1024;

/// The token.
pub(crate) struct Token(Vec<u8>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Token, Error> {
        let failed = |why: String| Error::Token { path: path.into(), why };
        match make(path) {
            Ok(token) => return Ok(token),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(format!("cannot be made: {error}"))),
        }
        read(path).map_err(failed)
    }

    /// Whether this is it. How long that takes does not depend on where they differ.
    pub(crate) fn is(&self, said: &[u8]) -> bool {
        self.0.ct_eq(said).into()
    }
}

fn make(path: &Path) -> io::Result<Token> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut random = [0u8; 32];
    let mut rest = random.as_mut_slice();
    while !rest.is_empty() {
        let count = rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty())?;
        rest = rest.get_mut(count..).unwrap_or_default();
    }
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(format!("{text}\n").as_bytes())?;
    Ok(Token(text.into_bytes()))
}

fn read(path: &Path) -> Result<Token, String> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path);
    let file: File = file.map_err(|error| format!("cannot be read: {error}"))?;
    let status = file.metadata().map_err(|error| error.to_string())?;
    if !status.is_file() || status.uid() != rustix::process::geteuid().as_raw() {
        return Err("is not a file of the server's user".into());
    }
    if status.mode() & 0o077 != 0 {
        return Err(format!(
            "has mode {:03o}, so that others may read it; expected 600",
            status.mode() & 0o777
        ));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    let text = text.trim_ascii().to_vec();
    if text.len() < SHORTEST || !text.iter().all(u8::is_ascii_graphic) {
        return Err(format!("holds no token; expected {SHORTEST} or more letters and digits in one word"));
    }
    Ok(Token(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_for_its_user_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = Token::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().len(), 64);
        let again = Token::open(&path).unwrap();
        assert!(token.is(text.trim().as_bytes()) && again.is(text.trim().as_bytes()));
        for wrong in [&b""[..], b"x", &text.as_bytes()[..63], text.as_bytes()] {
            assert!(!token.is(wrong));
        }
        assert_eq!(format!("{token:?}"), "Token", "it is in no log");
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        Token::open(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(Token::open(&path).unwrap_err().to_string().contains("mode 640"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Token::open(&link).is_err());
        assert!(Token::open(folder.path()).is_err());
        let short = folder.path().join("short");
        std::fs::write(&short, "abc").unwrap();
        std::fs::set_permissions(&short, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(Token::open(&short).unwrap_err().to_string().contains("no token"));
    }
}
