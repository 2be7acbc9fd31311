//! Where this program's companions are: in its own folder.

use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::ffi::{c_char, c_int};
use std::path::{Path, PathBuf};
use xsched_core::DeviceKey;

/// The folder that this program is in.
pub(crate) fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    Ok(program.parent().context("a program is in a folder")?.to_path_buf())
}

/// Tells the system tests' machinery where XSched is.
pub(crate) fn enter() -> Result<()> {
    let stage = folder()?.join("xsched");
    ensure!(stage.join("bin/xserver").is_file(), "no bin/xserver in {}", stage.display());
    // SAFETY: this process has one thread so far.
    unsafe { std::env::set_var("STAGED_XSCHED", &stage) };
    Ok(())
}

/// The stand-in.
pub(crate) fn stand_in() -> Result<PathBuf> {
    Ok(folder()?.join("xsched/lib/xsched/libcuda.so.1"))
}

/// A program or file of the bundle.
pub(crate) fn file(name: impl AsRef<Path>) -> Result<PathBuf> {
    let path = folder()?.join(name);
    ensure!(path.exists(), "no {}", path.display());
    Ok(path)
}

/// What the first GPU is called, by the scheduler and by its maker.
pub(crate) fn device(cu: &Api) -> Result<(DeviceKey, String, c_int)> {
    type Text = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    let text = |function: &str| -> Result<String> {
        let address = cu.symbol(function).with_context(|| format!("no {function}"))?;
        // SAFETY: the function of that name has this signature (cuda.h).
        let get = unsafe { std::mem::transmute::<*mut std::ffi::c_void, Text>(address) };
        let mut bytes = [0u8; 256];
        // SAFETY: room for a text of this length.
        let code = unsafe { get(bytes.as_mut_ptr().cast(), 255, 0) };
        ensure!(code == 0, "{function} answers {code}");
        let text = std::ffi::CStr::from_bytes_until_nul(&bytes).context("a text")?;
        Ok(text.to_string_lossy().into_owned())
    };
    // SAFETY: flags must be 0.
    let code = unsafe { (cu.cuInit)(0) };
    ensure!(code == 0, "cuInit answers {code}: is there a GPU?");
    let mut version = 0;
    // SAFETY: a place for the answer.
    unsafe { (cu.cuDriverGetVersion)(&raw mut version) };
    let key = format!("pci:{}", text("cuDeviceGetPCIBusId")?.to_ascii_lowercase());
    let key = DeviceKey::try_from(key.clone()).map_err(|_| anyhow::anyhow!("{key} is no device"))?;
    Ok((key, text("cuDeviceGetName")?, version))
}

/// When and where this runs: the first line of a table.
pub(crate) fn circumstances(cu: &Api) -> Result<String> {
    let (_, name, version) = device(cu)?;
    let said = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().ok();
        output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
    };
    let driver = said("nvidia-smi", &["--query-gpu=driver_version", "--format=csv,noheader"]);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(format!(
        "Measured {} on one {name}, driver {driver} (CUDA {}.{}), {cores} cores, Linux {}.",
        said("date", &["+%F"]),
        version / 1000,
        version % 1000 / 10,
        said("uname", &["-r"])
    ))
}
