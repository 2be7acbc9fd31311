//! The library folder: libxsched.so and the stand-ins for vendors' libraries.
//!
//! A stand-in is a file `lib<name>.so.<number>` in that folder, and `libxsched_<name>_layer.so` a layer, for a vendor's loader that finds its layers
//! by the variable `<NAME>_LAYERS`: which vendors there are is known by looking, so a new platform changes nothing here.

use crate::failure::Failure;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The library that the stand-ins bind.
pub(crate) const CORE: &str = "libxsched.so";

/// The library folder and what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Library {
    /// Its path, absolute and free of symbolic links, so that a nested `xcli run` names it the same way.
    pub(crate) dir: PathBuf,
    /// File names of the stand-ins, in alphabetical order.
    pub(crate) stand_ins: Vec<OsString>,
    /// Variables that name layers, each with the file name of ours, in the order of the files.
    pub(crate) layers: Vec<(String, OsString)>,
}

impl Library {
    /// The folder `given` on the command line; else `../lib/xsched` seen from the folder of `xcli`, else that folder.
    pub(crate) fn find(given: Option<&Path>, xcli: &Path) -> Result<Library, Failure> {
        let bin = xcli.parent().unwrap_or(Path::new("/"));
        let places = match given {
            Some(dir) => vec![dir.to_path_buf()],
            None => vec![bin.parent().unwrap_or(bin).join("lib/xsched"), bin.to_path_buf()],
        };
        let mut tried = String::new();
        for place in &places {
            match Library::at(place) {
                Ok(library) => return Ok(library),
                Err(why) => tried.push_str(&format!("\n  {}: {why}", place.display())),
            }
        }
        let hint = if given.is_some() { "" } else { "\nname the folder that has them with --lib-dir" };
        Err(Failure::failed(format!(
            "cannot put XSched in front of a program: looked for {CORE} and a stand-in for a driver library \
             (lib<name>.so.<number>) beside it in{tried}{hint}"
        )))
    }

    fn at(dir: &Path) -> Result<Library, String> {
        let dir = dir.canonicalize().map_err(|e| e.to_string())?;
        let entries = std::fs::read_dir(&dir).map_err(|e| e.to_string())?;
        let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        if !names.iter().any(|name| name == CORE) {
            return Err(format!("has no {CORE}"));
        }
        let mut layers: Vec<(String, OsString)> = names.iter().filter_map(layer).collect();
        layers.sort();
        let mut stand_ins: Vec<OsString> = names.into_iter().filter(is_stand_in).collect();
        if stand_ins.is_empty() {
            return Err(format!("has {CORE} but no stand-in"));
        }
        stand_ins.sort();
        Ok(Library { dir, stand_ins, layers })
    }
}

/// The variable and the file, if it is a layer.
fn layer(file: &OsString) -> Option<(String, OsString)> {
    let name = file.to_str()?.strip_prefix("libxsched_")?.strip_suffix("_layer.so")?;
    Some((format!("{}_LAYERS", name.to_ascii_uppercase()), file.clone()))
}

fn is_stand_in(name: &OsString) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_prefix("lib")?.split_once(".so."));
    parts.is_some_and(|(name, number)| {
        !name.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn the_folder_beside_bin_comes_before_the_folder_of_xcli() {
        let dir = folder(&[
            "bin/libxsched.so",
            "bin/libfake.so.1",
            "lib/xsched/libxsched.so",
            "lib/xsched/libfake.so.2",
            "lib/xsched/libfake.so.2.0.1",
            "lib/xsched/libfake.so",
            "lib/xsched/libfake.d",
            "lib/xsched/libxsched_fake_layer.so",
        ]);
        let xcli = dir.path().join("bin/xcli");
        let library = Library::find(None, &xcli).unwrap();
        assert_eq!(library.stand_ins, ["libfake.so.2"]);
        assert_eq!(library.layers, [("FAKE_LAYERS".into(), "libxsched_fake_layer.so".into())]);
        assert!(library.dir.ends_with("lib/xsched"));
        std::fs::remove_dir_all(dir.path().join("lib")).unwrap();
        assert_eq!(Library::find(None, &xcli).unwrap().stand_ins, ["libfake.so.1"]);
    }

    #[test]
    fn a_missing_stand_in_is_an_error_that_says_what_was_looked_for_and_where() {
        let dir = folder(&["bin/xcli", "lib/xsched/libxsched.so"]);
        let message = Library::find(None, &dir.path().join("bin/xcli")).unwrap_err().message;
        assert!(message.contains("lib/xsched: has libxsched.so but no stand-in"), "{message}");
        assert!(message.contains("bin: has no libxsched.so"), "{message}");
        assert!(message.contains("--lib-dir"), "{message}");
        let message = Library::find(Some(Path::new("/nowhere")), Path::new("/bin/xcli")).unwrap_err().message;
        assert!(message.contains("/nowhere: No such file"), "{message}");
    }
}
