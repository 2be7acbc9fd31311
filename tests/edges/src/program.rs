//! A program's file as `xcli run` reads it. xcli is a program without a library, so its reader is built in here from its own source.

use crate::Seed;
use rustix::fs::MemfdFlags;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

#[allow(dead_code, reason = "what is read is looked at by Debug only")]
#[path = "../../../bin/xcli/src/launch/elf.rs"]
mod elf;

pub(crate) fn run(data: &[u8]) {
    let file = rustix::fs::memfd_create("edges", MemfdFlags::CLOEXEC).expect("a memfd");
    let mut rest = data;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest).expect("memory");
        rest = &rest[written..];
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if let Some(elf::Executable::Elf(elf)) = elf::read(&path) {
        assert!(elf.bits == 32 || elf.bits == 64);
        assert!(elf.loader.is_none_or(|loader| loader.as_os_str().len() <= data.len()));
    }
}

/// A program of three segments, as short as one can be.
fn program(is_64: bool) -> Vec<u8> {
    const LOADER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
    let (ehsize, phentsize): (u16, u16) = if is_64 { (64, 56) } else { (52, 32) };
    let word =
        |value: u64| if is_64 { value.to_le_bytes().to_vec() } else { (value as u32).to_le_bytes().to_vec() };
    let at = u64::from(ehsize + 2 * phentsize);
    let segment = |kind: u32, flags: u32| {
        let length = word(LOADER.len() as u64);
        let place = [word(at), word(0), word(0), length.clone(), length].concat();
        match is_64 {
            true => [kind.to_le_bytes().to_vec(), flags.to_le_bytes().to_vec(), place, word(1)].concat(),
            false => [kind.to_le_bytes().to_vec(), place, flags.to_le_bytes().to_vec(), word(1)].concat(),
        }
    };
    let machine: u16 = if is_64 { 62 } else { 3 };
    let header = [
        vec![0x7f, b'E', b'L', b'F', if is_64 { 2 } else { 1 }, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [3u16.to_le_bytes(), machine.to_le_bytes()].concat(),
        1u32.to_le_bytes().to_vec(),
        [word(0), word(u64::from(ehsize)), word(0)].concat(),
        0u32.to_le_bytes().to_vec(),
        [ehsize, phentsize, 2, 0, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect(),
    ]
    .concat();
    [header, segment(3, 4), segment(1, 5), LOADER.to_vec()].concat()
}

pub(crate) fn seeds() -> Vec<Seed> {
    vec![
        ("program-64", program(true)),
        ("program-32", program(false)),
        ("script", b"#!/usr/bin/env -S A=1 python3 -u\nprint(1)\n".to_vec()),
        ("script-bare", b"#!/bin/sh".to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_programs() {
        for (bits, is_64) in [(64, true), (32, false)] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, program(is_64)).unwrap();
            let Some(elf::Executable::Elf(read)) = elf::read(file.path()) else { panic!("{bits}: not read") };
            assert_eq!((read.bits, read.loader), (bits, Some("/lib64/ld-linux-x86-64.so.2".into())));
        }
    }
}
