//! The drivers that an ICD loader will load, as far as its environment and the folder of registrations tell.

use std::fmt;
use std::path::{Path, PathBuf};
use xsched_runtime::config::vendors_variable;

const FOLDER: &str = "/etc/OpenCL/vendors";

/// A driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The library: a path, or a name that the loader looks for.
    pub(crate) library: String,
    /// What names it.
    origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    File(PathBuf),
    Variable(&'static str),
}

/// `the driver libx.so (/etc/OpenCL/vendors/x.icd)`.
impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(file) => write!(f, "the driver {} ({})", self.library, file.display()),
            Origin::Variable(name) => write!(f, "the driver {} ({name})", self.library),
        }
    }
}

impl Registered {
    /// What to type to be rid of it.
    pub(crate) fn mend(&self) -> Option<String> {
        Some(match &self.origin {
            Origin::File(file) => {
                let file = file.display().to_string().replace('\'', r"'\''");
                format!("sudo mv '{file}' '{file}.off'")
            }
            Origin::Variable(name) => format!("unset {name}"),
        })
    }
}

/// All of them, in the order of the loader's places.
pub(crate) fn registered() -> Vec<Registered> {
    let path = |name| vendors_variable(name).map(PathBuf::from);
    let text = |name| vendors_variable(name).map(|value| value.to_string_lossy().into_owned());
    from(path("OPENCL_VENDOR_PATH"), path("OCL_ICD_VENDORS"), text("OCL_ICD_FILENAMES"))
}

/// `vendor_path` replaces the folder; `vendors` is a folder, a registration, or a library, and wins; `filenames` are libraries
/// or registrations that come before (the Khronos loader knows these).
fn from(
    vendor_path: Option<PathBuf>,
    vendors: Option<PathBuf>,
    filenames: Option<String>,
) -> Vec<Registered> {
    let mut all = Vec::new();
    for name in filenames.iter().flat_map(|names| names.split(':')).filter(|name| !name.is_empty()) {
        all.extend(file_or_library(Path::new(name), "OCL_ICD_FILENAMES"));
    }
    let folder = vendor_path.unwrap_or_else(|| FOLDER.into());
    match vendors {
        None => all.extend(in_folder(&folder)),
        Some(vendors) if vendors.is_dir() => all.extend(in_folder(&vendors)),
        Some(vendors) => {
            let beside = folder.join(&vendors);
            let is_name = vendors.components().count() == 1;
            let file = if is_name && is_registration(&beside) && beside.is_file() { beside } else { vendors };
            all.extend(file_or_library(&file, "OCL_ICD_VENDORS"));
        }
    }
    all
}

fn is_registration(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "icd")
}

fn file_or_library(file: &Path, variable: &'static str) -> Option<Registered> {
    if is_registration(file) {
        return in_file(file);
    }
    Some(Registered { library: file.to_string_lossy().into_owned(), origin: Origin::Variable(variable) })
}

fn in_folder(folder: &Path) -> Vec<Registered> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|file| is_registration(file)).collect();
    files.sort();
    files.iter().filter_map(|file| in_file(file)).collect()
}

/// The library on the first line of a registration.
fn in_file(file: &Path) -> Option<Registered> {
    let text = std::fs::read_to_string(file).ok()?;
    let library = text.lines().next()?.trim();
    (!library.is_empty()).then(|| Registered { library: library.into(), origin: Origin::File(file.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_found_where_loaders_look() {
        let dir = std::env::temp_dir().join(format!("xsched-drivers-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in
            [("b.icd", "libb.so\nmore"), ("a.icd", "/x/liba.so"), ("c.txt", "libc.so"), ("d.icd", "\n")]
        {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let libraries = |path: Option<&Path>, vendors: Option<&Path>, names: Option<&str>| {
            let all = from(path.map(Into::into), vendors.map(Into::into), names.map(Into::into));
            all.into_iter().map(|driver| driver.library).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(libraries(Some(&dir), None, None), "/x/liba.so libb.so");
        assert_eq!(libraries(None, Some(&dir), None), "/x/liba.so libb.so");
        assert_eq!(libraries(Some(&dir), Some(Path::new("b.icd")), None), "libb.so");
        assert_eq!(libraries(None, Some(&dir.join("a.icd")), None), "/x/liba.so");
        assert_eq!(
            libraries(None, Some(Path::new("/y/libd.so")), Some("liby.so::libz.so")),
            "liby.so libz.so /y/libd.so"
        );
        assert_eq!(libraries(Some(Path::new("/nowhere")), None, None), "");
        let off = from(Some(dir.clone()), None, None).remove(0).mend().unwrap();
        assert!(off.starts_with("sudo mv '") && off.ends_with("a.icd.off'"), "{off}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
