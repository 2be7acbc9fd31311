//! Which C library programs need, as the versions of the symbols say that they use.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::read::elf::{Dyn, ElfFile64, Sym};

/// A version of glibc, as in `GLIBC_2.31`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Libraries that every system with glibc has. What needs another one would not start everywhere.
const EVERYWHERE: &[&str] = &[
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
];

/// The oldest glibc that something runs with, and what asks for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Needed {
    pub(super) version: Version,
    /// A file and a symbol.
    pub(super) by: String,
}

/// The oldest glibc that all programs and libraries of a tree run with.
pub(super) fn needed_by(tree: &Path) -> Result<Needed> {
    let mut needed = Needed::default();
    for file in super::tree::binaries(tree)? {
        let data = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let of_file = needs(&data).with_context(|| format!("in {}", file.display()))?;
        let by = format!("{} by {}", file.strip_prefix(tree)?.display(), of_file.by);
        needed = needed.max(Needed { by, ..of_file });
    }
    Ok(needed)
}

/// The same of one file. Fails if it needs a library that not every system has, or a symbol that no library had when it was linked.
fn needs(data: &[u8]) -> Result<Needed> {
    let elf = ElfFile64::<Endianness>::parse(data)?;
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    if let Some((entries, strings)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(object::elf::DT_NEEDED)) {
            check(std::str::from_utf8(entry.string(endian, strings)?)?)?;
        }
    }
    let mut needed = Needed::default();
    let Some(versions) = sections.versions(endian, data)? else { return Ok(needed) };
    let symbols = sections.symbols(endian, data, object::elf::SHT_DYNSYM)?;
    for (index, symbol) in symbols.enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
        let name = std::str::from_utf8(symbol.name(endian, symbols.strings())?)?;
        match versions.version(versions.version_index(endian, index))? {
            Some(version) => {
                if let Some(file) = version.file() {
                    check(std::str::from_utf8(file)?)?;
                }
                let version = parse(std::str::from_utf8(version.name())?)?;
                needed = needed.max(Needed { version, by: name.into() });
            }
            // A weak one may be missing.
            None if name.is_empty() || symbol.st_bind() == object::elf::STB_WEAK => {}
            None => bail!("it needs {name}, which no library had when it was linked"),
        }
    }
    Ok(needed)
}

fn check(library: &str) -> Result<()> {
    if EVERYWHERE.contains(&library) {
        return Ok(());
    }
    bail!("it needs {library}, which not every system has")
}

/// `GLIBC_2.2.5` is 2.2; versions of other libraries are none of glibc's.
fn parse(name: &str) -> Result<Version> {
    let Some(numbers) = name.strip_prefix("GLIBC_") else { return Ok(Version::default()) };
    let mut numbers = numbers.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok(Version(major, minor)),
        // GLIBC_PRIVATE, GLIBC_ABI_DT_RELR and whatever comes.
        _ => bail!("it needs {name}, which is no version that can be compared"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let of = |name| parse(name).unwrap();
        assert_eq!((of("GLIBC_2.2.5"), of("GCC_3.0")), (Version(2, 2), Version(0, 0)));
        assert!(of("GLIBC_2.31") > of("GLIBC_2.4"));
        assert_eq!(of("GLIBC_2.31").to_string(), "2.31");
        assert!(parse("GLIBC_PRIVATE").is_err());
    }

    /// This test itself is a program of which readelf says the same.
    #[test]
    fn what_a_program_needs_is_what_readelf_says() {
        let program = std::env::current_exe().unwrap();
        let Ok(output) = std::process::Command::new("readelf").arg("-VW").arg(&program).output() else {
            println!("left out: there is no readelf");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = text.split_whitespace().filter(|word| word.starts_with("GLIBC_"));
        let newest = words.map(|word| parse(word).unwrap()).max().unwrap();
        let needed = needs(&std::fs::read(program).unwrap()).unwrap();
        assert_eq!(needed.version, newest);
        assert!(!needed.by.is_empty());
    }

    #[test]
    fn a_library_that_is_not_everywhere_is_named() {
        let error = check("libX11.so.6").unwrap_err().to_string();
        assert!(error.contains("libX11.so.6"), "{error}");
    }

    #[test]
    fn a_library_that_asks_for_what_no_library_has_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("lib.so");
        std::fs::write(
            folder.path().join("lib.c"),
            "int of_no_library(void);\n\
             __attribute__((weak)) int perhaps(void); int f(void) { return of_no_library() + (perhaps ? perhaps() : 0); }\n\
             #include <stdlib.h>\nchar *g(void) { return getenv(\"HOME\"); }\n",
        )
        .unwrap();
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(folder.path().join("lib.c"));
        assert!(compiler.status().unwrap().success());
        let error = needs(&std::fs::read(library).unwrap()).unwrap_err().to_string();
        assert!(error.contains("it needs of_no_library, which no library had"), "{error}");
    }
}
