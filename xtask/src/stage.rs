//! Builds release binaries and lays them out the way an installation does.
//!
//! `target/xsched/bin/{xserver,xcli}`, `target/xsched/lib/xsched/{libxsched.so,libOpenCL.so.1,libcuda.so.1}`: xcli finds the
//! libraries relative to itself, in this tree as in an installed one. For those who build with it: `include/xsched`, `lib/cmake/XSched`,
//! `lib/pkgconfig/xsched.pc`, which find the rest relative to themselves. Files are replaced by renaming, so a program that
//! still runs from an older stage keeps the file that it has mapped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Cargo package, the file it builds, and the place of that file in the stage.
const PARTS: [(&str, &str, &str); 7] = [
    ("xserver", "xserver", "bin/xserver"),
    ("xcli", "xcli", "bin/xcli"),
    ("xsched-lib", "libxsched.so", "lib/xsched/libxsched.so"),
    ("xsched-shim-opencl", "libxsched_shim_opencl.so", "lib/xsched/libOpenCL.so.1"),
    ("xsched-shim-opencl-layer", "libxsched_opencl_layer.so", "lib/xsched/libxsched_opencl_layer.so"),
    ("xsched-shim-levelzero", "libxsched_shim_levelzero.so", "lib/xsched/libze_loader.so.1"),
    ("xsched-shim-cuda", "libxsched_shim_cuda.so", "lib/xsched/libcuda.so.1"),
];

/// Names under which programs open a library beside its soname (hashcat asks for this one first), and names by which programs have linked the
/// C++ version's; and what each leads to.
const LINKS: [(&str, &str); 10] = [
    ("lib/xsched/libOpenCL.so", "libOpenCL.so.1"),
    ("lib/xsched/libze_loader.so", "libze_loader.so.1"),
    ("lib/xsched/libcuda.so", "libcuda.so.1"),
    ("lib/xsched/libpreempt.so", "libxsched.so"),
    ("lib/xsched/libhalopencl.so", "libxsched.so"),
    ("lib/xsched/libhallevelzero.so", "libxsched.so"),
    ("lib/xsched/libhalcuda.so", "libxsched.so"),
    ("lib/xsched/libshimopencl.so", "libOpenCL.so.1"),
    ("lib/xsched/libshimlevelzero.so", "libze_loader.so.1"),
    ("lib/xsched/libshimcuda.so", "libcuda.so.1"),
];

/// Files of the tree, and where each goes. `@VERSION@` in them becomes the workspace's version.
const FILES: [(&str, &str); 11] = [
    ("include/xsched/types.h", "include/xsched/types.h"),
    ("include/xsched/xqueue.h", "include/xsched/xqueue.h"),
    ("include/xsched/hint.h", "include/xsched/hint.h"),
    ("include/xsched/process.h", "include/xsched/process.h"),
    ("include/xsched/xsched.h", "include/xsched/xsched.h"),
    ("include/xsched/opencl/hal.h", "include/xsched/opencl/hal.h"),
    ("include/xsched/cuda/hal.h", "include/xsched/cuda/hal.h"),
    ("include/xsched/levelzero/hal.h", "include/xsched/levelzero/hal.h"),
    ("packaging/XSchedConfig.cmake", "lib/cmake/XSched/XSchedConfig.cmake"),
    ("packaging/XSchedConfigVersion.cmake", "lib/cmake/XSched/XSchedConfigVersion.cmake"),
    ("packaging/xsched.pc", "lib/pkgconfig/xsched.pc"),
];

/// Runs the task.
pub(crate) fn run() -> Result<()> {
    println!("{}", stage()?.display());
    Ok(())
}

/// Builds and stages all parts; returns the root of the stage.
pub(crate) fn stage() -> Result<PathBuf> {
    let root = target_dir()?.join("xsched");
    lay_out(&build(&packages())?, &root)?;
    Ok(root)
}

/// The packages that build what is staged.
pub(crate) fn packages() -> [&'static str; PARTS.len()] {
    PARTS.map(|(package, ..)| package)
}

/// The same, each with the file that is wanted of it.
pub(crate) fn parts() -> [(&'static str, &'static str); PARTS.len()] {
    PARTS.map(|(package, file, _)| (package, file))
}

/// Lays out at `root` what was built into `release`.
pub(crate) fn lay_out(release: &Path, root: &Path) -> Result<()> {
    for (_, built, staged) in PARTS {
        replace(&release.join(built), &root.join(staged))?;
    }
    for (from, staged) in FILES {
        let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(from);
        let text = std::fs::read_to_string(&from).with_context(|| format!("reading {}", from.display()))?;
        write(&root.join(staged), &text.replace("@VERSION@", env!("CARGO_PKG_VERSION")))?;
    }
    for (link, to) in LINKS {
        let fresh = root.join(link).with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        std::os::unix::fs::symlink(to, &fresh).with_context(|| format!("linking {}", fresh.display()))?;
        std::fs::rename(&fresh, root.join(link)).with_context(|| format!("replacing {link}"))?;
    }
    Ok(())
}

/// Builds `packages` for release; returns the folder with the results.
pub(crate) fn build(packages: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "--quiet"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command.status().context("starting cargo build")?;
    if !status.success() {
        bail!("cargo build of {} failed ({status})", packages.join(", "));
    }
    Ok(target_dir()?.join("release"))
}

/// Cargo's target folder, wherever `CARGO_TARGET_DIR` or a configuration file puts it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let target = metadata()?["target_directory"].as_str().map(PathBuf::from);
    target.context("cargo metadata names no target_directory")
}

/// What cargo knows about the workspace's own packages.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("starting cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("reading cargo metadata")
}

/// Cargo in the workspace, wherever the task was called from.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}

/// Copies a file, into a folder that is made if it is missing.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    std::fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn replace(from: &Path, to: &Path) -> Result<()> {
    renamed(to, |fresh| {
        std::fs::copy(from, fresh)
            .map(drop)
            .with_context(|| format!("copying {} to {}", from.display(), fresh.display()))
    })
}

fn write(to: &Path, text: &str) -> Result<()> {
    renamed(to, |fresh| std::fs::write(fresh, text).with_context(|| format!("writing {}", fresh.display())))
}

/// Lets `make` make a file, which then takes the place of another.
fn renamed(to: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = to.parent().context("a staged file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let fresh = to.with_extension("new");
    make(&fresh)?;
    std::fs::rename(&fresh, to).with_context(|| format!("replacing {}", to.display()))
}
