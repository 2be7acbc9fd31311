//! Where this program's companions are: in its own folder.

use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::ffi::{CStr, c_char, c_int, c_void};
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

/// `CU_DEVICE_ATTRIBUTE_PCI_{BUS,DEVICE,DOMAIN}_ID`.
const PCI_BUS_ID: c_int = 33;
const PCI_DEVICE_ID: c_int = 34;
const PCI_DOMAIN_ID: c_int = 50;

/// A function of the driver's, of this type.
macro_rules! function {
    ($cu:ident, $name:literal as $ty:ty) => {{
        let address = $cu.symbol($name).context(concat!("no ", $name))?;
        // SAFETY: the function of that name has this signature (cuda.h).
        unsafe { std::mem::transmute::<*mut c_void, $ty>(address) }
    }};
}

/// What the first GPU is called, by the scheduler and by its maker.
pub(crate) fn device(cu: &Api) -> Result<(DeviceKey, String, c_int)> {
    // SAFETY: flags must be 0.
    let code = unsafe { (cu.cuInit)(0) };
    ensure!(code == 0, "cuInit answers {code}: is there a GPU?");
    let mut version = 0;
    // SAFETY: a place for the answer; so below.
    unsafe { (cu.cuDriverGetVersion)(&raw mut version) };
    let get =
        function!(cu, "cuDeviceGetAttribute" as unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int);
    let attribute = |name: c_int| -> Result<u32> {
        let mut value = 0;
        // SAFETY: as above.
        let code = unsafe { get(&raw mut value, name, 0) };
        ensure!(code == 0, "cuDeviceGetAttribute({name}) answers {code}");
        u32::try_from(value).with_context(|| format!("cuDeviceGetAttribute({name}) says {value}"))
    };
    let (bus, slot) = (attribute(PCI_BUS_ID)?.try_into()?, attribute(PCI_DEVICE_ID)?.try_into()?);
    let key = DeviceKey::pci(attribute(PCI_DOMAIN_ID)?, bus, slot, 0);
    let get = function!(cu, "cuDeviceGetName" as unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int);
    let mut bytes = [0u8; 256];
    // SAFETY: room for a text of this length.
    let code = unsafe { get(bytes.as_mut_ptr().cast(), 255, 0) };
    let name = CStr::from_bytes_until_nul(&bytes).ok().filter(|_| code == 0);
    // The simulated driver has none.
    Ok((key, name.map_or("GPU without a name".into(), |name| name.to_string_lossy().into_owned()), version))
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
