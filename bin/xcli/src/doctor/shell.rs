//! Text for a shell's command line.

use std::ffi::OsStr;
use std::path::Path;

/// The path as one word of a shell's command.
pub(crate) fn word(path: impl AsRef<Path>) -> String {
    let text = AsRef::<OsStr>::as_ref(path.as_ref()).to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("/usr/lib/a-b_c.so.1"), "/usr/lib/a-b_c.so.1");
        assert_eq!(word("/my folder/$x"), "'/my folder/$x'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
