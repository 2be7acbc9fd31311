//! The one C function between `xcli doctor` and this library.

use crate::platforms::{PLATFORMS, Platform};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use xsched_core::probe::{self, Finding, Line};
use xsched_runtime::probe::Report;

/// Version of this contract.
const ABI: u32 = 1;

/// Looks, and writes what it finds to `fd`: lines of JSON, each an `xsched_core::probe::Line`. `folder` is that of the stand-ins. Without a
/// `platform`, all platforms are named, and nothing of their vendors' is loaded. Else one look is taken at that platform, `look`, as
/// a program would; that may end or hang the process, so it is to be one of its own. Returns 0, or 1 if it does not know what is wanted.
///
/// # Safety
/// `folder`, `platform` and `look` are C strings; the latter two may be null. `fd` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xsched_probe(
    abi: u32,
    folder: *const c_char,
    platform: *const c_char,
    look: *const c_char,
    fd: c_int,
) -> c_int {
    if abi != ABI || folder.is_null() {
        return 1;
    }
    // SAFETY: open, by the caller.
    let report = Report::new(unsafe { BorrowedFd::borrow_raw(fd) });
    // SAFETY: null or a C string, by the caller.
    let text = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
    let folder = Path::new(OsStr::from_bytes(text(folder).unwrap_or_default().to_bytes()));
    match (text(platform), text(look)) {
        (None, _) => survey(folder, &report),
        (Some(name), Some(look)) => {
            let Some(platform) = PLATFORMS.iter().find(|platform| platform.name == name) else { return 1 };
            platform.probe.look(&look.to_string_lossy(), folder, &report);
            report.attachment();
        }
        (Some(_), None) => return 1,
    }
    report.line(&Line::Done);
    0
}

fn survey(folder: &Path, report: &Report<'_>) {
    report.line(&Line::Library { version: env!("CARGO_PKG_VERSION").into() });
    for platform in PLATFORMS {
        report.line(&Line::Platform(describe(platform, folder)));
    }
}

fn describe(platform: &Platform, folder: &Path) -> probe::Platform {
    let probe = platform.probe;
    let findings = vec![real_library(platform, folder)];
    // Without the vendor's library there is nothing to look at.
    let looks = if probe.wanted(folder).places().is_empty() { Vec::new() } else { probe.looks() };
    probe::Platform {
        name: platform.name.to_string_lossy().into_owned(),
        title: probe.title().into(),
        function: probe.function().to_string_lossy().into_owned(),
        real: probe.wanted(folder).places().first().map(|place| place.path.display().to_string()),
        setting: probe.wanted(folder).configured.0.into(),
        libraries: probe.libraries().iter().map(|name| (*name).into()).collect(),
        findings,
        looks,
    }
}

/// Which real library programs get: the same search as at the first call.
fn real_library(platform: &Platform, folder: &Path) -> Finding {
    const CHECK: &str = "real_library";
    let wanted = platform.probe.wanted(folder);
    let (setting, configured) = wanted.configured;
    let places = wanted.places();
    let Some(place) = places.first() else {
        let finding = Finding::note(CHECK, wanted.nowhere());
        return match platform.probe.install() {
            Some(line) => finding.mend(line),
            None => finding,
        };
    };
    let path = place.path.display();
    if configured.is_some() && !place.path.is_file() {
        let text = format!("{setting} names {path}, which is not a file");
        return Finding::problem(CHECK, text).mend(format!("unset {setting}"));
    }
    let others: String =
        places.iter().skip(1).map(|other| format!("; behind it {}", other.path.display())).collect();
    Finding::ok(CHECK, format!("the real library is {path} ({}){others}", place.origin))
}
