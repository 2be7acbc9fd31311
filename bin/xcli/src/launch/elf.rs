//! What of a program's file decides whether a library can be put in front of it: the machine it is for, and its loader.

use object::Endianness;
use object::elf::{EM_NONE, FileHeader32, FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::read::{Object, ObjectSymbol, ReadCache};
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A program as far as the loader is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// 32 or 64.
    pub(crate) bits: u8,
    /// `e_machine`.
    pub(crate) machine: u16,
    /// The loader that it names (`PT_INTERP`); a program without one is static.
    pub(crate) loader: Option<PathBuf>,
    /// It is an AppImage: it unpacks the program proper, and starts it with its own environment.
    pub(crate) is_app_image: bool,
}

/// A file that can be executed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Executable {
    Elf(Elf),
    /// A script with the interpreter that it names, and that one's argument.
    Script {
        interpreter: PathBuf,
        argument: Option<String>,
    },
}

/// Whether a file that the kernel does not execute is no text either, by its first line, as shells judge.
pub(crate) fn is_binary(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    read.is_ok() && (line.starts_with(b"\x7fELF") || line.contains(&0))
}

/// Whether a library has this function.
pub(crate) fn exports(library: &Path, function: &str) -> bool {
    // Opening a FIFO would wait.
    if !library.is_file() {
        return false;
    }
    let Ok(file) = File::open(library) else { return false };
    let cache = ReadCache::new(file);
    let Ok(elf) = ElfFile64::<Endianness, _>::parse(&cache) else { return false };
    elf.dynamic_symbols().any(|symbol| symbol.is_definition() && symbol.name() == Ok(function))
}

/// Reads the beginning of a file; `None` if it cannot be read or is something else.
pub(crate) fn read(path: &Path) -> Option<Executable> {
    // Opening a FIFO would wait for somebody who writes to it.
    let mut options = File::options();
    let mut file = options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    // The kernel reads 256 bytes.
    file.by_ref().take(256).read_to_end(&mut head).ok()?;
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(line);
    }
    file.rewind().ok()?;
    let cache = ReadCache::new(file);
    // The AppImage specification: two letters and the type, where ELF has padding.
    let is_app_image = matches!(head.get(8..11), Some(b"AI\x01" | b"AI\x02"));
    match head.get(..5)? {
        b"\x7fELF\x02" => elf::<FileHeader64<Endianness>>(&cache, 64),
        b"\x7fELF\x01" => elf::<FileHeader32<Endianness>>(&cache, 32),
        _ => None,
    }
    .map(|elf| Executable::Elf(Elf { is_app_image, ..elf }))
}

fn script(line: &[u8]) -> Option<Executable> {
    let line = line.split(|b| *b == b'\n').next()?.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at_checked(end)?;
    if interpreter.is_empty() {
        return None;
    }
    let argument = String::from_utf8_lossy(argument.trim_ascii()).into_owned();
    Some(Executable::Script {
        interpreter: OsStr::from_bytes(interpreter).into(),
        argument: Some(argument).filter(|a| !a.is_empty()),
    })
}

fn elf<H: FileHeader<Endian = Endianness>>(cache: &ReadCache<File>, bits: u8) -> Option<Elf> {
    let header = H::parse(cache).ok()?;
    let endian = header.endian().ok()?;
    let machine = header.e_machine(endian);
    let segments = header.program_headers(endian, cache).ok()?;
    // An object file or a core dump is no program.
    let runs = segments.iter().any(|s| s.p_type(endian) == PT_LOAD && s.p_flags(endian) & PF_X != 0);
    if machine == EM_NONE || !runs {
        return None;
    }
    let loader = segments.iter().find_map(|segment| segment.interpreter(endian, cache).ok().flatten());
    let loader = loader.map(|path| OsStr::from_bytes(path).into());
    Some(Elf { bits, machine, loader, is_app_image: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let Some(Executable::Elf(elf)) = read(Path::new("/proc/self/exe")) else { panic!("not ELF") };
        assert!(elf.loader.unwrap().exists());
        assert_eq!(usize::from(elf.bits), usize::BITS as usize);
    }

    #[test]
    fn a_script_names_its_interpreter() {
        let script = |line: &str, interpreter: &str, argument: Option<&str>| {
            let argument = argument.map(String::from);
            assert_eq!(
                super::script(line.as_bytes()),
                Some(Executable::Script { interpreter: interpreter.into(), argument })
            );
        };
        script("/bin/sh\necho", "/bin/sh", None);
        script(" /usr/bin/env  python3 \n", "/usr/bin/env", Some("python3"));
        script("/bin/sh -e -u", "/bin/sh", Some("-e -u"));
        assert_eq!(super::script(b"\n"), None);
    }

    #[test]
    fn a_text_is_no_binary() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, is_binary) in
            [(&b""[..], false), (b"echo a\n\0", false), (b"\x7fELF", true), (b"ab\0c\n", true)]
        {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(super::is_binary(file.path()), is_binary, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_program_is_none() {
        for path in ["/etc/passwd", "/dev/null", "/nonexistent", "/"] {
            assert_eq!(read(Path::new(path)), None, "{path}");
        }
    }
    #[test]
    fn a_fifo_is_no_program_and_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let (sender, answer) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(read(&fifo)));
        assert_eq!(answer.recv_timeout(std::time::Duration::from_secs(20)), Ok(None));
    }
}
