//! The OpenCL drivers that programs are tested on: where each is, and how a program is told to use only that one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with Intel's runtime for CPUs, as `cargo xtask test --all` sets it up.
const INTEL: &str = "INTEL_OPENCL";
/// The folder of registrations that OpenCL loaders read in place of the system's.
pub const VENDORS: &str = "OCL_ICD_VENDORS";

/// A driver.
#[derive(Clone, Debug)]
pub struct Driver {
    /// How tests call it.
    pub name: &'static str,
    library: PathBuf,
}

impl Driver {
    /// PoCL, on the CPU.
    pub fn pocl() -> Result<Driver, String> {
        let registered = std::fs::read_to_string("/etc/OpenCL/vendors/pocl.icd")
            .map_err(|e| format!("PoCL is not installed (/etc/OpenCL/vendors/pocl.icd: {e})"))?;
        Ok(Driver { name: "pocl", library: registered.trim().into() })
    }

    /// Intel's runtime, on the CPU.
    pub fn intel() -> Result<Driver, String> {
        let folder = std::env::var_os(INTEL).ok_or(
            "no Intel OpenCL runtime (`cargo xtask test --all` gets it; INTEL_OPENCL names its folder)",
        )?;
        Driver::at("intel", Path::new(&folder).join("libintelocl.so"))
    }

    /// Oclgrind, a simulator that checks each access.
    pub fn oclgrind() -> Result<Driver, String> {
        Driver::at("oclgrind", "/usr/lib/oclgrind/liboclgrind-rt-icd.so".into())
    }

    fn at(name: &'static str, library: PathBuf) -> Result<Driver, String> {
        if library.is_file() {
            Ok(Driver { name, library })
        } else {
            Err(format!("{name}: there is no {}", library.display()))
        }
    }

    /// Lets a program find this driver and no other. `folder` is for a file of ours.
    pub fn alone_in(&self, command: &mut Command, folder: &Path) {
        let vendors = folder.join(format!("only-{}", self.name));
        // Once: a program that was started before may be reading it.
        if !vendors.exists() {
            std::fs::create_dir_all(&vendors).unwrap();
            std::fs::write(vendors.join("driver.icd"), format!("{}\n", self.library.display())).unwrap();
        }
        command.env(VENDORS, vendors);
    }
}

/// Where Intel's runtime is, which comes with Khronos's OpenCL loader.
pub fn intels_folder() -> Result<PathBuf, String> {
    let folder = std::env::var_os(INTEL).filter(|folder| !folder.is_empty());
    let text = "no Intel OpenCL runtime (`cargo xtask test --all` gets it; INTEL_OPENCL names its folder)";
    folder.map(PathBuf::from).ok_or_else(|| text.into())
}
