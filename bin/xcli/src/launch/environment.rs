//! The variables by which the loader finds the stand-ins first, and vendors' loaders our layers. Values that are already there are kept, and
//! a nested `xcli run` adds nothing twice.

use crate::failure::Failure;
use crate::launch::library::Library;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use xsched_core::config::KEYS;

/// Where the loader looks for libraries, before its usual places.
pub(crate) const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
/// What the loader loads before the program's own libraries.
pub(crate) const PRELOAD: &str = "LD_PRELOAD";

/// The variables that put the stand-ins of this folder first in this environment.
pub(crate) fn loading(
    library: &Library,
    with_preload: bool,
) -> Result<Vec<(&'static str, OsString)>, Failure> {
    let path = library_path(library, std::env::var_os(LIBRARY_PATH).as_deref()).ok_or_else(|| {
        Failure::failed(format!(
            "the loader cannot be told the folder {}: its path has a colon, semicolon or dollar sign in it",
            library.dir.display()
        ))
    })?;
    let preload = with_preload.then(|| (PRELOAD, preload(library, std::env::var_os(PRELOAD).as_deref())));
    Ok([(LIBRARY_PATH, path)].into_iter().chain(preload).collect())
}

/// The variables that name our layers to vendors' loaders. Ours come first, next to the driver: a layer of the user's own then sees the program's
/// calls, and not ours.
pub(crate) fn layers(library: &Library) -> Vec<(&str, OsString)> {
    let value = |(name, file): &'_ (String, OsString)| {
        let current = std::env::var_os(name);
        put_first(&[library.dir.join(file).into()], current.as_deref(), is_layer_separator)
    };
    library.layers.iter().map(|layer| (layer.0.as_str(), value(layer))).collect()
}

/// The same variables without the stand-ins of this folder, as far as they are there: for a program whose loader would fail on them.
pub(crate) fn kept_away(library: &Library) -> Vec<(&str, OsString)> {
    let ours = |entry: &OsStr| {
        Path::new(entry) == library.dir
            || library
                .stand_ins
                .iter()
                .chain(library.layers.iter().map(|(_, file)| file))
                .any(|file| entry == file || library.dir.join(file) == Path::new(entry))
    };
    let without = |name, is_separator: fn(&u8) -> bool| {
        let value = std::env::var_os(name)?;
        let entries = value.as_bytes().split(is_separator).map(OsStr::from_bytes);
        let kept: Vec<&OsStr> = entries.filter(|entry| !ours(entry)).collect();
        Some((name, kept.join(OsStr::new(":"))))
    };
    let both = [without(LIBRARY_PATH, is_path_separator), without(PRELOAD, is_preload_separator)];
    let layers = library.layers.iter().map(|(name, _)| without(name.as_str(), is_layer_separator));
    both.into_iter().chain(layers).flatten().collect()
}

/// The variable that hands the server's socket on, as an absolute path: the program may work in another folder.
pub(crate) fn socket(given: &Path) -> Result<(&'static str, OsString), Failure> {
    let socket = std::path::absolute(given)
        .map_err(|e| Failure::failed(format!("--socket {}: {e}", given.display())))?;
    Ok((variable("socket"), socket.into()))
}

/// The environment variable of a setting.
pub(crate) fn variable(name: &str) -> &'static str {
    KEYS.iter().find(|key| key.name == name).map_or("", |key| key.env)
}

/// Every variable whose name and value are text, as `Config::apply_env` takes them; what is not is replaced.
pub(crate) fn settings() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

/// The value of `LD_LIBRARY_PATH` with the library folder at its head; `None` if the loader cannot be told this folder,
/// because its path has a separator in it.
pub(crate) fn library_path(library: &Library, current: Option<&OsStr>) -> Option<OsString> {
    let dir = library.dir.as_os_str();
    // A `$` would begin a token such as $ORIGIN.
    let is_plain = !dir.as_bytes().iter().any(|b| is_path_separator(b) || *b == b'$');
    is_plain.then(|| put_first(&[dir.to_owned()], current, is_path_separator))
}

/// The value of `LD_PRELOAD` with all stand-ins at its head.
pub(crate) fn preload(library: &Library, current: Option<&OsStr>) -> OsString {
    // Here a space separates too; a stand-in that cannot be named by its path is found by name along LD_LIBRARY_PATH.
    let is_plain = !library.dir.as_os_str().as_bytes().iter().any(is_preload_separator);
    let name = |file: &OsString| if is_plain { library.dir.join(file).into() } else { file.clone() };
    let stand_ins: Vec<OsString> = library.stand_ins.iter().map(name).collect();
    put_first(&stand_ins, current, is_preload_separator)
}

fn is_path_separator(b: &u8) -> bool {
    matches!(b, b':' | b';')
}

fn is_layer_separator(b: &u8) -> bool {
    *b == b':'
}

fn is_preload_separator(b: &u8) -> bool {
    matches!(b, b':' | b' ')
}

/// `first`, then the entries of `current` which are not in `first`, with colons between them.
fn put_first(first: &[OsString], current: Option<&OsStr>, is_separator: fn(&u8) -> bool) -> OsString {
    let current = current.map(OsStr::as_bytes).filter(|value| !value.is_empty());
    let entries = current.into_iter().flat_map(|value| value.split(is_separator)).map(OsStr::from_bytes);
    let kept = entries.filter(|entry| !first.iter().any(|new| new == entry));
    let all: Vec<&OsStr> = first.iter().map(OsString::as_os_str).chain(kept).collect();
    all.join(OsStr::new(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(dir: &str) -> Library {
        let layers = vec![("XSCHED_TEST_LAYERS".into(), "libxsched_test_layer.so".into())];
        Library { dir: dir.into(), stand_ins: vec!["liba.so.1".into(), "libb.so.2".into()], layers }
    }

    #[test]
    fn values_that_are_there_stay_behind_ours() {
        let library = library("/opt/x");
        let path = |current: &str| library_path(&library, Some(OsStr::new(current))).unwrap();
        assert_eq!(library_path(&library, None).unwrap(), "/opt/x");
        assert_eq!(path(""), "/opt/x");
        assert_eq!(path("/usr/a:/usr/b"), "/opt/x:/usr/a:/usr/b");
        assert_eq!(path("/usr/a;:"), "/opt/x:/usr/a::", "an empty entry is the current folder");
        let preload = |current: &str| preload(&library, Some(OsStr::new(current)));
        assert_eq!(preload(""), "/opt/x/liba.so.1:/opt/x/libb.so.2");
        assert_eq!(preload("libm.so.6 /l/c.so"), "/opt/x/liba.so.1:/opt/x/libb.so.2:libm.so.6:/l/c.so");
    }

    #[test]
    fn doing_it_twice_changes_nothing() {
        for current in ["", "/usr/a", "/usr/a:/opt/x", "/opt/x:/usr/a"] {
            let library = library("/opt/x");
            let once = library_path(&library, Some(OsStr::new(current))).unwrap();
            assert_eq!(library_path(&library, Some(&once)), Some(once));
            let once = preload(&library, Some(OsStr::new(current)));
            assert_eq!(preload(&library, Some(&once)), once);
        }
    }

    #[test]
    fn a_folder_with_a_space_is_preloaded_by_name_and_one_with_a_colon_is_refused() {
        assert_eq!(preload(&library("/my x"), None), "liba.so.1:libb.so.2");
        assert_eq!(library_path(&library("/my x"), None).unwrap(), "/my x");
        assert_eq!(library_path(&library("/a:b"), None), None);
    }
}
