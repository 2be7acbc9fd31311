//! The real vendor library behind a stand-in: where it is, and its functions.
//!
//! The stand-in carries the vendor's soname, so that name alone finds only ourselves: the real one is found as the loader
//! would have found it without us, and opened by its path.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A loaded library, or functions that stand for one. Never closed: the program may hold addresses from it.
#[derive(Clone, Copy, Debug)]
pub struct Library(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    /// The dynamic loader's handle.
    Loaded(*mut c_void),
    /// Names with addresses.
    Given(&'static [(CString, *mut c_void)]),
}

// SAFETY: a handle of the loader's, or addresses of functions, which may be used by any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// Declares a struct of the real library's functions that a platform calls itself: `struct Name { function: type; }`. Each is `None` where
/// the library is older than the function.
#[macro_export]
macro_rules! real_functions {
    ($(#[$doc:meta])* struct $driver:ident { $($name:ident: $ty:ty;)* }) => {
        $(#[$doc])*
        #[allow(non_snake_case)]
        #[derive(Debug)]
        pub(crate) struct $driver {
            pub(crate) library: $crate::library::Library,
            $(pub(crate) $name: Option<$ty>,)*
        }

        impl $driver {
            fn load(library: $crate::library::Library) -> $driver {
                $driver { library, $($name:
                    // SAFETY: the real library's function of that name has this signature (the vendor's headers).
                    library.function($crate::c_name!($name)).map(|f| unsafe {
                        ::std::mem::transmute::<*mut ::std::ffi::c_void, $ty>(f)
                    }),
                )* }
            }
        }
    };
}

/// Declares which library is the real one, and its functions as the process found them, once: `Struct, soname, variable, setting`, where
/// the struct is one of [`real_functions!`](crate::real_functions). With `load`, a platform whose library is always found by name.
#[macro_export]
macro_rules! real_library {
    ($driver:ident, $soname:literal, $variable:literal, $setting:ident) => {
        /// The vendor's library.
        pub(crate) const SONAME: &str = $soname;

        static DRIVER: ::std::sync::OnceLock<$driver> = ::std::sync::OnceLock::new();

        /// Which library is the real one.
        pub(crate) fn wanted(stand_in: &::std::path::Path) -> $crate::library::Wanted<'_> {
            let configured = ($variable, $crate::config::config().$setting.as_deref());
            $crate::library::Wanted { soname: SONAME, configured, stand_in }
        }

        /// The real library, once it is loaded.
        #[inline]
        pub(crate) fn driver() -> Option<&'static $driver> {
            DRIVER.get()
        }
    };
    ($driver:ident, $soname:literal, $variable:literal, $setting:ident, load) => {
        $crate::real_library!($driver, $soname, $variable, $setting);

        /// Finds the real library, once.
        pub(crate) fn load(stand_in: &::std::path::Path) -> Result<&'static $driver, String> {
            if let Some(driver) = DRIVER.get() {
                return Ok(driver);
            }
            let library = $crate::library::Library::open(wanted(stand_in))?;
            Ok(DRIVER.get_or_init(|| $driver::load(library)))
        }
    };
}

/// The folder of the library that this is in, where the stand-ins are too. Empty if the loader does not say.
pub fn own_folder() -> PathBuf {
    // SAFETY: all zeros is a valid Dl_info: four null pointers.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: any address may be asked for; `info` is ours to write.
    let is_known = unsafe { libc::dladdr(own_folder as *const c_void, &raw mut info) } != 0;
    if !is_known || info.dli_fname.is_null() {
        return PathBuf::new();
    }
    // SAFETY: the loader's own name of a library that is never closed.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    // By whichever name the program has it.
    let file = std::fs::canonicalize(std::ffi::OsStr::from_bytes(name.to_bytes())).unwrap_or_default();
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Which library is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its soname, such as `libfoo.so.1`.
    pub soname: &'a str,
    /// What the user set, and under which name.
    pub configured: (&'a str, Option<&'a Path>),
    /// The folder of the stand-in.
    pub stand_in: &'a Path,
}

/// A place where the real library is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its file.
    pub path: PathBuf,
    /// Who knows it: the program itself, a variable, the loader's cache, or a usual folder.
    pub origin: String,
}

impl Library {
    /// Finds and opens the real library. The error says where it was looked for.
    pub fn open(wanted: Wanted<'_>) -> Result<Library, String> {
        if let (name, Some(path)) = wanted.configured {
            return Library::open_at(path).map_err(|e| format!("{name}={}: {e}", path.display()));
        }
        let mut failures = Vec::new();
        for place in wanted.places() {
            match Library::open_at(&place.path) {
                Ok(library) => return Ok(library),
                Err(e) => failures.push(e),
            }
        }
        Err(if failures.is_empty() { wanted.nowhere() } else { failures.join("; ") })
    }

    /// The address of a function.
    pub fn function(self, name: &CStr) -> Option<*mut c_void> {
        match self.0 {
            Source::Loaded(handle) => {
                // SAFETY: a handle that is never closed, and a C string.
                let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
                (!address.is_null()).then_some(address)
            }
            Source::Given(functions) => {
                functions.iter().find(|(known, _)| known.as_c_str() == name).map(|(_, address)| *address)
            }
        }
    }

    /// A library that consists of these functions. It keeps its memory for the life of the process.
    pub fn of_functions<'a>(functions: impl IntoIterator<Item = (&'a CStr, *mut c_void)>) -> Library {
        let functions: Vec<_> =
            functions.into_iter().map(|(name, address)| (name.to_owned(), address)).collect();
        Library(Source::Given(functions.leak()))
    }

    /// Whether this is such a library.
    pub fn is_of_functions(self) -> bool {
        matches!(self.0, Source::Given(_))
    }

    /// The file that has a function of the library's, as the loader spells it: of this library, or of one that it needs.
    pub fn file_with(self, name: &CStr) -> Option<PathBuf> {
        let address = self.function(name)?;
        // SAFETY: all zeros is a valid Dl_info: four null pointers.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: any address may be asked for; `info` is ours to write.
        let is_known = unsafe { libc::dladdr(address, &raw mut info) } != 0;
        if !is_known || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: the loader's own name of a library that is never closed.
        let name = unsafe { CStr::from_ptr(info.dli_fname) };
        Some(std::ffi::OsStr::from_bytes(name.to_bytes()).into())
    }

    /// Keeps the file that has this function loaded, whoever closes it.
    pub fn keep_file_with(self, name: &CStr) {
        let path = self.file_with(name).and_then(|file| CString::new(file.into_os_string().into_vec()).ok());
        if let Some(path) = path {
            // One more reference, never given back. That there is none to have, because the file is the program itself, does no harm.
            // SAFETY: a C string; nothing is loaded that is not loaded already.
            unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
        }
    }

    /// Opens a library by its path, or by its name as a program does.
    pub fn open_at(path: &Path) -> Result<Library, String> {
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| "a NUL in the path".to_owned())?;
        // SAFETY: a C string. The library's constructors run, as they would without us.
        let handle = unsafe { libc::dlopen(c_path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: no precondition; the text is copied before another call of the loader.
            let text = unsafe { libc::dlerror() };
            // SAFETY: null or a C string.
            let text = if text.is_null() { c"no reason given" } else { unsafe { CStr::from_ptr(text) } };
            return Err(text.to_string_lossy().into_owned());
        }
        Ok(Library(Source::Loaded(handle)))
    }
}

impl Wanted<'_> {
    /// Where it is, in the order in which the places are tried: each file once, the stand-in never.
    pub fn places(&self) -> Vec<Place> {
        let identity = |path: &Path| {
            std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| (m.dev(), m.ino()))
        };
        if let (origin, Some(path)) = self.configured {
            return vec![Place { path: path.into(), origin: origin.into() }];
        }
        let stem = self.soname.split(".so").next().unwrap_or(self.soname);
        let in_folder = |dir: &Path| dir.join(self.soname);
        let all = [
            ("the program itself", loaded(stem)),
            ("LD_LIBRARY_PATH", crate::config::library_path().iter().map(|dir| in_folder(dir)).collect()),
            (CACHE, cached(self.soname)),
            ("a usual folder", DEFAULT_FOLDERS.iter().map(|dir| in_folder(Path::new(dir))).collect()),
        ];
        let mut seen = vec![identity(&in_folder(self.stand_in))];
        let mut places = Vec::new();
        for (origin, path) in
            all.into_iter().flat_map(|(origin, paths)| paths.into_iter().map(move |path| (origin, path)))
        {
            let file = identity(&path);
            if file.is_some() && !seen.contains(&file) {
                seen.push(file);
                places.push(Place { path, origin: origin.into() });
            }
        }
        places
    }

    /// That it is in none of the places.
    pub fn nowhere(&self) -> String {
        format!(
            "no {} besides the stand-in in LD_LIBRARY_PATH, {CACHE} or {}; {} can name it",
            self.soname,
            DEFAULT_FOLDERS.join(", "),
            self.configured.0
        )
    }
}

/// The loader's list of libraries.
const CACHE: &str = "/etc/ld.so.cache";

const DEFAULT_FOLDERS: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// Whether the process has loaded a library of that name, without its `.so`.
pub fn is_loaded(stem: &str) -> bool {
    !loaded(stem).is_empty()
}

/// Paths of libraries of that name that the process has loaded already, by the name of the file (Python wheels bring their own under longer
/// names) or by the soname (tools that stand in for a vendor's library themselves have a name of their own).
fn loaded(stem: &str) -> Vec<PathBuf> {
    struct Search<'a> {
        stem: &'a str,
        found: Vec<PathBuf>,
    }
    unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
        // SAFETY: `search` is the one below, borrowed for the walk; `info` is the loader's, valid during this call.
        let (search, info) = unsafe { (&mut *search.cast::<Search<'_>>(), &*info) };
        if !info.dlpi_name.is_null() {
            // SAFETY: the loader's own C string.
            let name = unsafe { CStr::from_ptr(info.dlpi_name.cast::<c_char>()) };
            let path = PathBuf::from(std::ffi::OsString::from_vec(name.to_bytes().to_vec()));
            let has_name = |name: &[u8]| {
                name.strip_prefix(search.stem.as_bytes())
                    .is_some_and(|rest| rest.starts_with(b".") || rest.starts_with(b"-"))
            };
            let file = path.file_name().is_some_and(|file| has_name(file.as_bytes()));
            // SAFETY: a loaded object's own description.
            if file || unsafe { soname(info) }.is_some_and(|soname| has_name(soname.to_bytes())) {
                search.found.push(path);
            }
        }
        0
    }
    let mut search = Search { stem, found: Vec::new() };
    // SAFETY: the callback matches and does not unwind; `search` outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
    search.found
}

/// The soname of a loaded object: what its dynamic section has as `DT_SONAME`, a place in its `DT_STRTAB`.
///
/// # Safety
/// `info` describes a loaded object, which stays loaded.
unsafe fn soname<'a>(info: &libc::dl_phdr_info) -> Option<&'a CStr> {
    const DT_NULL: u64 = 0;
    const DT_STRTAB: u64 = 5;
    const DT_SONAME: u64 = 14;
    // SAFETY: as many headers as the loader says; so for the entries of the dynamic section, which end with DT_NULL.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let dynamic = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC)?;
    let mut entry = (info.dlpi_addr + dynamic.p_vaddr) as *const [u64; 2];
    let (mut texts, mut place) = (None, None);
    loop {
        // SAFETY: as above.
        match unsafe { entry.read() } {
            [DT_NULL, _] => break,
            [DT_STRTAB, at] => texts = Some(at),
            [DT_SONAME, at] => place = Some(at),
            _ => {}
        }
        // SAFETY: as above: this was not the last one.
        entry = unsafe { entry.add(1) };
    }
    // The loader has made an address of it; the kernel's own library, which it has not loaded, is left with a distance.
    let texts = texts.filter(|at| *at >= info.dlpi_addr)?;
    // SAFETY: the object's strings, each with a NUL at its end.
    Some(unsafe { CStr::from_ptr((texts + place?) as *const c_char) })
}

/// Where the loader's cache has the library.
fn cached(soname: &str) -> Vec<PathBuf> {
    std::fs::read(CACHE).map(|cache| parse_cache(&cache, soname)).unwrap_or_default()
}

/// The format of glibc's `ld.so.cache`, version 1.1 (`struct cache_file_new`, glibc ≥ 2.2): a header of 48 bytes with the number of
/// entries at 20, then entries of 24 bytes {flags, key, value, …}, where key and value are offsets of C strings from the start.
fn parse_cache(cache: &[u8], soname: &str) -> Vec<PathBuf> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const X86_64_LIBC6: u32 = 0x0303;
    let word = |at: usize| Some(u32::from_le_bytes(*cache.get(at..)?.first_chunk()?));
    let text = |at: u32| cache.get(at as usize..).and_then(|rest| rest.split(|b| *b == 0).next());
    if !cache.starts_with(MAGIC) {
        return Vec::new();
    }
    let count = word(20).unwrap_or(0).min(1 << 20) as usize;
    let entry = |i: usize| {
        let at = 48 + i * 24;
        let (flags, key, value) = (word(at)?, text(word(at + 4)?)?, text(word(at + 8)?)?);
        (flags == X86_64_LIBC6 && key == soname.as_bytes())
            .then(|| PathBuf::from(std::ffi::OsStr::from_bytes(value)))
    };
    (0..count).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_library_is_found_by_its_file_and_by_its_soname() {
        assert!(loaded("libc").iter().any(|path| path.is_file()));
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("another-name.so");
        let libm = cached("libm.so.6").into_iter().find(|path| path.is_file()).unwrap();
        std::fs::copy(libm, &other).unwrap();
        Library::open_at(&other).unwrap();
        assert!(loaded("libm").contains(&other), "{:?}", loaded("libm"));
        assert!(loaded("libno-such").is_empty());
    }

    #[test]
    fn the_cache_of_this_machine_knows_libc() {
        assert!(cached("libc.so.6").iter().any(|path| path.is_file()));
        assert!(cached("libno-such.so.6").is_empty());
    }

    #[test]
    fn a_cut_or_foreign_cache_has_nothing() {
        let cache = std::fs::read("/etc/ld.so.cache").unwrap();
        for end in [0, 10, 20, 30, 60, 100] {
            assert!(parse_cache(&cache[..end.min(cache.len())], "libc.so.6").is_empty());
        }
        assert!(parse_cache(&[0xff; 4096], "libc.so.6").is_empty());
    }

    #[test]
    fn places_are_files_that_are_not_the_stand_in_each_once() {
        let wanted = |stand_in| Wanted { soname: "libc.so.6", configured: ("XSCHED_NO_LIB", None), stand_in };
        let places = wanted(Path::new("/nowhere")).places();
        assert_eq!(places.len(), 1, "{places:?}");
        let folder = places[0].path.parent().unwrap();
        assert_eq!(wanted(folder).places(), [], "its folder is the stand-in's");
        let configured = ("XSCHED_NO_LIB", Some(Path::new("/no/such/file")));
        let [place] = Wanted { configured, ..wanted(folder) }.places().try_into().unwrap();
        assert_eq!(
            (place.path.as_path(), place.origin.as_str()),
            (Path::new("/no/such/file"), "XSCHED_NO_LIB")
        );
    }

    #[test]
    fn a_function_is_in_its_file() {
        let libc = Library::open_at(Path::new("libc.so.6")).unwrap();
        assert!(libc.file_with(c"fopen").unwrap().ends_with("libc.so.6"));
        assert_eq!(libc.file_with(c"no_such_function"), None);
    }

    #[test]
    fn a_library_that_is_not_there_is_named_with_the_places() {
        let wanted = Wanted {
            soname: "libno-such.so.9",
            configured: ("XSCHED_NO_LIB", None),
            stand_in: Path::new("/nowhere"),
        };
        let text = Library::open(wanted).unwrap_err();
        assert!(text.contains("libno-such.so.9") && text.contains("XSCHED_NO_LIB"), "{text}");
        let missing = Some(Path::new("/no/such/file"));
        let text = Library::open(Wanted { configured: ("XSCHED_NO_LIB", missing), ..wanted }).unwrap_err();
        assert!(text.starts_with("XSCHED_NO_LIB=/no/such/file: "), "{text}");
    }
}
