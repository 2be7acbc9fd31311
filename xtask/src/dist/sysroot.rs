//! The C library that what is given out is linked with: that of Debian 11, so that it runs on all systems since.
//!
//! A folder with four packages of Debian 11, unpacked: its C library, and what its compiler links into everything. They are got by apt
//! with lists of its own (no root needed, signatures checked); the machine's own packages are not touched. Only the linker sees the folder:
//! what is compiled has no headers, and rustc's objects ask for symbols without a version, which the library gives them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::glibc::Version;
use crate::stage;

/// Its C library, the newest that anything given out may need.
pub(super) const FLOOR: Version = Version(2, 31);
/// The Debian that has it.
const SUITE: &str = "bullseye";
/// Its C library and compiler's parts.
const PACKAGES: [&str; 4] = ["libc6", "libc6-dev", "libgcc-s1", "libgcc-10-dev"];
/// Where the compiler of Debian 11 keeps its parts, and where its libraries are.
const OF_THE_COMPILER: &str = "usr/lib/gcc/x86_64-linux-gnu/10";
const LIBRARIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
/// Where packages are: first as long as it is supported, then for ever.
const MIRRORS: [&str; 2] = ["http://deb.debian.org/debian", "http://archive.debian.org/debian"];
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Builds for release and links against the old C library: packages, and the program or library that is wanted of each. Returns the folder
/// with the results.
///
/// Only what is linked differs from a build as ever, so everything else is built once for both.
pub(super) fn build(parts: &[(&str, &str)]) -> Result<PathBuf> {
    let target = stage::target_dir()?;
    let flags = flags(&get(&target)?);
    for (package, file) in parts {
        let mut command = stage::cargo();
        command.args(["rustc", "--release", "--quiet", "--package", package]);
        match file.ends_with(".so") {
            true => command.arg("--lib"),
            false => command.args(["--bin", file]),
        };
        super::succeed(command.arg("--").args(&flags))?;
    }
    Ok(target.join("release"))
}

/// What the linker is told.
fn flags(root: &Path) -> Vec<String> {
    let compiler = root.join(OF_THE_COMPILER);
    let libraries = LIBRARIES.map(|folder| root.join(folder));
    let mut flags = vec![format!("--sysroot={}", root.display())];
    // The unwinder of a newer compiler asks for a newer C library, and so does what a newer one starts programs with.
    flags.extend([&compiler, &libraries[0]].map(|folder| format!("-B{}", folder.display())));
    // A compiler looks beside itself before it looks below the root that it is told.
    flags.extend(libraries.iter().map(|folder| format!("-L{}", folder.display())));
    flags.iter().map(|flag| format!("-Clink-arg={flag}")).collect()
}

/// The folder, which is made if it is missing.
fn get(target: &Path) -> Result<PathBuf> {
    let folder = target.join(format!("debian-{SUITE}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    ensure!(
        Path::new(KEYS).is_file(),
        "what is given out is linked with the C library of Debian 11, whose packages are checked with {KEYS} (Debian, Ubuntu: \
         debian-archive-keyring), which is not there; `--here` links with this machine's"
    );
    let work = tempfile::tempdir_in(target).context("making a folder")?;
    let tried = MIRRORS.map(|mirror| unpack(mirror, work.path()));
    let [first, second] = &tried;
    if let (Err(first), Err(second)) = (first, second) {
        bail!(
            "the C library of Debian 11 cannot be had ({first:#}; {second:#}); `--here` links with this machine's"
        );
    }
    std::fs::rename(work.path().join("root"), &folder)
        .with_context(|| format!("naming {}", folder.display()))?;
    Ok(folder)
}

/// Gets the packages from a mirror, and unpacks them into `root` of a folder.
fn unpack(mirror: &str, work: &Path) -> Result<()> {
    let root = work.join("root");
    if root.exists() {
        return Ok(());
    }
    for folder in ["lists/partial", "archives/partial"] {
        std::fs::create_dir_all(work.join(folder))?;
    }
    std::fs::write(work.join("status"), "")?;
    std::fs::write(work.join("sources"), format!("deb [signed-by={KEYS}] {mirror} {SUITE} main\n"))?;
    apt(work, &["update"])?;
    apt(work, &["download"].iter().chain(&PACKAGES).copied().collect::<Vec<_>>())?;
    let fresh = work.join("fresh");
    for entry in std::fs::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            super::succeed(Command::new("dpkg-deb").arg("-x").args([&path, &fresh]))?;
        }
    }
    make_links_relative(&fresh)?;
    std::fs::rename(fresh, root).context("naming what was unpacked")
}

/// apt with all its files in a folder.
fn apt(work: &Path, arguments: &[&str]) -> Result<()> {
    let place = |name: &str| work.join(name).display().to_string();
    let mut command = Command::new("apt-get");
    for (option, value) in [
        ("Dir::Etc::SourceList", place("sources")),
        ("Dir::Etc::SourceParts", "/dev/null".into()),
        ("Dir::State", place("")),
        ("Dir::State::Lists", place("lists")),
        ("Dir::State::Status", place("status")),
        ("Dir::Cache", place("")),
        ("APT::Architecture", "amd64".into()),
        // As old as it is, it says of itself that it is no longer fresh.
        ("Acquire::Check-Valid-Until", "false".into()),
        // Else root reads with the rights of somebody who may not look into the folder.
        ("APT::Sandbox::User", "root".into()),
    ] {
        command.arg("-o").arg(format!("{option}={value}"));
    }
    let output = command.arg("-qq").args(arguments).current_dir(work).output().context("starting apt-get")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "apt-get {} failed ({}): {}",
        arguments.join(" "),
        output.status,
        said.trim()
    );
    Ok(())
}

/// Links that begin at the root would lead out of the folder, to this machine's libraries.
fn make_links_relative(root: &Path) -> Result<()> {
    for link in super::tree::files(root)?.into_iter().filter(|file| file.is_symlink()) {
        let to = std::fs::read_link(&link)?;
        let Ok(to) = to.strip_prefix("/") else { continue };
        let depth = link.strip_prefix(root)?.components().count() - 1;
        let up: PathBuf = std::iter::repeat_n("..", depth).collect();
        std::fs::remove_file(&link)
            .and_then(|()| symlink(up.join(to), &link))
            .with_context(|| format!("linking {}", link.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_from_the_root_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("usr/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib/libm.so.6"), "m").unwrap();
        symlink("/lib/libm.so.6", lib.join("libm.so")).unwrap();
        symlink("libm.so", lib.join("again.so")).unwrap();
        make_links_relative(folder.path()).unwrap();
        assert_eq!(std::fs::read_link(lib.join("libm.so")).unwrap(), Path::new("../../lib/libm.so.6"));
        assert_eq!(std::fs::read_link(lib.join("again.so")).unwrap(), Path::new("libm.so"));
        assert_eq!(std::fs::read_to_string(lib.join("libm.so")).unwrap(), "m");
    }
}
