//! The Debian package, with nothing but dpkg-deb: the tree under /usr, units, settings and the scripts of packaging/debian.
//!
//! Why not cargo-deb: what is packed comes from seven crates and none of them, and is laid out already.

use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::glibc::Version;
use super::{moment, root, succeed, tree};

/// What of the tree goes elsewhere than to the same place under /usr.
const ELSEWHERE: &[(&str, &str)] = &[
    ("share/xsched/systemd/xserver.service", "usr/lib/systemd/system/xserver.service"),
    ("share/xsched/systemd/xserver.socket", "usr/lib/systemd/system/xserver.socket"),
    ("share/xsched/systemd/sysusers.conf", "usr/lib/sysusers.d/xsched.conf"),
    ("share/xsched/systemd/tmpfiles.conf", "usr/lib/tmpfiles.d/xsched.conf"),
    ("share/xsched/xserver.toml", "etc/xsched/xserver.toml"),
    ("share/xsched/prometheus/xsched-alerts.yml", "usr/share/doc/xsched/examples/xsched-alerts.yml"),
    ("share/xsched/grafana/xsched.json", "usr/share/doc/xsched/examples/grafana.json"),
    ("share/doc/xsched/CHANGELOG.md", "usr/share/doc/xsched/changelog"),
    // Libraries are not in a folder of one machine's kind either, so neither is what leads to them.
    ("lib/pkgconfig/xsched.pc", "usr/share/pkgconfig/xsched.pc"),
    ("share/zsh/site-functions/_xcli", "usr/share/zsh/vendor-completions/_xcli"),
    ("share/zsh/site-functions/_xserver", "usr/share/zsh/vendor-completions/_xserver"),
];
/// What Debian has in a place of its own.
const LEFT_OUT: &str = "share/doc/xsched/LICENSE";

/// Scripts of the package.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Packs the tree into a folder; returns the path.
pub(super) fn pack(from: &Path, folder: &Path, version: &str, glibc: Version) -> Result<PathBuf> {
    let package = folder.join("deb");
    if package.exists() {
        std::fs::remove_dir_all(&package).with_context(|| format!("removing {}", package.display()))?;
    }
    for file in tree::files(from)? {
        let place = file.strip_prefix(from)?.to_str().context("names of ours are text")?;
        if place == LEFT_OUT {
            continue;
        }
        let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == place).map(|(_, to)| (*to).to_owned());
        tree::copy(&file, &package.join(elsewhere.unwrap_or_else(|| format!("usr/{place}"))))?;
    }
    fill(&package.join("usr/lib/systemd/system/xserver.service"), &[("@BINDIR@", "/usr/bin")])?;
    let doc = package.join("usr/share/doc/xsched");
    tree::copy(&debian("copyright"), &doc.join("copyright"))?;
    tree::copy(&debian("changelog"), &doc.join("changelog.Debian"))?;
    tree::copy(&debian("lintian-overrides"), &package.join("usr/share/lintian/overrides/xsched"))?;
    fill(&doc.join("changelog.Debian"), &[("@VERSION@", version), ("@DATE@", &date()?)])?;
    compress(&package)?;
    let (size, sums) = sums(&package)?;
    let control = package.join("DEBIAN");
    tree::copy(&debian("control"), &control.join("control"))?;
    let values = [("@VERSION@", version), ("@SIZE@", &size.to_string()), ("@GLIBC@", &glibc.to_string())];
    fill(&control.join("control"), &values)?;
    std::fs::write(control.join("md5sums"), sums)?;
    std::fs::write(control.join("conffiles"), "/etc/xsched/xserver.toml\n")?;
    for script in SCRIPTS {
        tree::copy(&debian(script), &control.join(script))?;
    }
    set_modes(&package)?;
    let archive = folder.join(format!("xsched_{version}_amd64.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&package).arg(&archive);
    succeed(build.env("SOURCE_DATE_EPOCH", moment()?).stdout(Stdio::null()))?;
    Ok(archive)
}

fn debian(file: &str) -> PathBuf {
    root().join("packaging/debian").join(file)
}

fn fill(file: &Path, values: &[(&str, &str)]) -> Result<()> {
    let mut text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    values.iter().for_each(|(gap, value)| text = text.replace(gap, value));
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// Man pages and the changelog, as Debian wants them.
fn compress(package: &Path) -> Result<()> {
    let mut files = tree::files(&package.join("usr/share/man"))?;
    files.extend(
        ["changelog", "changelog.Debian"].map(|file| package.join("usr/share/doc/xsched").join(file)),
    );
    succeed(Command::new("gzip").args(["-n", "-9"]).args(files))
}

/// When the sources are from, as Debian's changelogs have it.
fn date() -> Result<String> {
    let mut date = Command::new("date");
    let output =
        date.args(["-u", "-R", "-d", &format!("@{}", moment()?)]).output().context("starting date")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Kibibytes in all, and a checksum for each file.
fn sums(package: &Path) -> Result<(u64, String)> {
    let (mut size, mut sums) = (0, String::new());
    for file in tree::files(package)?.into_iter().filter(|file| !file.is_symlink()) {
        let place = file.strip_prefix(package)?.display().to_string();
        size += std::fs::metadata(&file)?.len().div_ceil(1024);
        if !place.starts_with("etc/") {
            writeln!(sums, "{}  {place}", md5(&std::fs::read(&file)?)?)?;
        }
    }
    Ok((size, sums))
}

fn md5(data: &[u8]) -> Result<String> {
    let mut child = Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("a pipe")?.write_all(data)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "md5sum failed ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().next().context("md5sum said nothing")?.to_owned())
}

/// Whatever the umask was: programs and scripts are executable, libraries and the rest are not.
fn set_modes(package: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    succeed(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(package))?;
    for file in tree::files(package)?.into_iter().filter(|file| !file.is_symlink()) {
        let place = file.strip_prefix(package)?;
        let is_script = SCRIPTS.iter().any(|script| place == Path::new("DEBIAN").join(script));
        let mode = if place.starts_with("usr/bin") || is_script { 0o755 } else { 0o644 };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
