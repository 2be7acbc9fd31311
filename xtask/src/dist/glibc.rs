//! Which C library programs need, as the versions of the symbols say that they use.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::read::elf::{Dyn, ElfFile64};

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

/// The oldest glibc that all programs and libraries of a tree run with.
pub(super) fn needed_by(tree: &Path) -> Result<Version> {
    let mut needed = Version::default();
    for file in super::tree::binaries(tree)? {
        let data = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let of_file = needs(&data).with_context(|| format!("in {}", file.display()))?;
        needed = needed.max(of_file);
    }
    Ok(needed)
}

/// The same of one file. Fails if it needs a library that not every system has.
fn needs(data: &[u8]) -> Result<Version> {
    let elf = ElfFile64::<Endianness>::parse(data)?;
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    if let Some((entries, strings)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(object::elf::DT_NEEDED)) {
            check(std::str::from_utf8(entry.string(endian, strings)?)?)?;
        }
    }
    let mut needed = Version::default();
    let Some((mut files, strings)) = sections.gnu_verneed(endian, data)? else { return Ok(needed) };
    let strings = sections.strings(endian, data, strings)?;
    while let Some((file, mut versions)) = files.next()? {
        check(std::str::from_utf8(file.file(endian, strings)?)?)?;
        while let Some(version) = versions.next()? {
            let name = std::str::from_utf8(version.name(endian, strings)?)?;
            needed = needed.max(parse(name)?);
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
        assert_eq!(needs(&std::fs::read(program).unwrap()).unwrap(), newest);
    }

    #[test]
    fn a_library_that_is_not_everywhere_is_named() {
        let error = check("libX11.so.6").unwrap_err().to_string();
        assert!(error.contains("libX11.so.6"), "{error}");
    }
}
