//! Variables that decide what programs started from here get.

use crate::doctor::installation::Survey;
use crate::doctor::report::Report;
use crate::doctor::shell::word;
use crate::launch::elf;
use crate::launch::environment::{LIBRARY_PATH, PRELOAD, settings};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use xsched_core::Config;
use xsched_core::config::Scheduler;
use xsched_core::probe::{Finding, Platform};

/// Examines it.
pub(crate) fn examine(survey: Option<&Survey>, report: &mut Report) {
    let mut findings = own_settings(&settings());
    let entries = |name: &str, is_separator: fn(&u8) -> bool| -> Vec<PathBuf> {
        let value = std::env::var_os(name).unwrap_or_default();
        let entries = value.as_bytes().split(is_separator).filter(|entry| !entry.is_empty());
        entries.map(|entry| OsStr::from_bytes(entry).into()).collect()
    };
    findings.extend(preload(&entries(PRELOAD, |b| matches!(b, b':' | b' ')), survey));
    for (name, file) in survey.iter().flat_map(|survey| &survey.library.layers) {
        let others = entries(name, |b| *b == b':');
        findings.extend(others.iter().filter_map(|entry| layer(name, entry, file)));
    }
    findings.extend(library_path(&entries(LIBRARY_PATH, |b| matches!(b, b':' | b';')), survey));
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "no variable here keeps programs from being scheduled"));
    }
    report.add("environment", "Environment", findings);
}

/// `XSCHED_*`.
fn own_settings(env: &[(String, String)]) -> Vec<Finding> {
    const CHECK: &str = "settings";
    let mut config = Config::default();
    let problems = config.apply_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut findings: Vec<Finding> = problems
        .iter()
        .map(|problem| {
            Finding::problem(CHECK, problem.to_string()).mend(format!("unset {}", word(&problem.place)))
        })
        .collect();
    if !config.auto_xqueue {
        let text = "XSCHED_AUTO_XQUEUE is off: programs from here run unscheduled";
        findings.push(Finding::note(CHECK, text).mend("unset XSCHED_AUTO_XQUEUE"));
    }
    if config.scheduler == Scheduler::App {
        let text =
            "XSCHED_SCHEDULER is APP: programs from here are not scheduled unless they ask for it themselves";
        findings.push(Finding::note(CHECK, text).mend("unset XSCHED_SCHEDULER"));
    }
    findings
}

/// Other libraries that are loaded into everything.
fn preload(entries: &[PathBuf], survey: Option<&Survey>) -> Vec<Finding> {
    let ours = survey.map(|survey| survey.library.dir.as_path());
    let is_ours = |entry: &Path| ours.is_some_and(|dir| entry.parent() == Some(dir));
    let mut findings = Vec::new();
    for entry in entries.iter().filter(|entry| !is_ours(entry)) {
        let shown = entry.display();
        let is_path = entry.as_os_str().as_bytes().contains(&b'/');
        if is_path && !entry.exists() {
            let text =
                format!("LD_PRELOAD names {shown}, which is not there: each program complains about that");
            findings.push(Finding::note("preload", text).mend("unset LD_PRELOAD"));
        } else if let Some(platform) = stands_for(entry, survey) {
            findings.push(implementation(entry, platform));
        } else {
            let text = format!("LD_PRELOAD has {shown}: it is loaded behind the stand-ins");
            findings.push(Finding::note("preload", text));
        }
    }
    findings
}

/// A library in `LD_PRELOAD` that has a platform's functions itself.
fn implementation(entry: &Path, platform: &Platform) -> Finding {
    const CHECK: &str = "preload";
    let (shown, title) = (entry.display(), &platform.title);
    let is_same = |real: &String| entry.canonicalize().ok() == Path::new(real).canonicalize().ok();
    if platform.real.as_ref().is_some_and(is_same) {
        return Finding::ok(
            CHECK,
            format!("LD_PRELOAD has {shown}: under `xcli run` it is the real library of {title}"),
        );
    }
    let text = format!(
        "LD_PRELOAD has {shown}, which has functions of {title} itself; the stand-in comes before it, so under `xcli run` \
         it is not called unless it is named as the real library"
    );
    Finding::note(CHECK, text).mend(format!("export {}={}", platform.setting, word(entry)))
}

/// A layer that somebody else put into a vendor's loader.
fn layer(variable: &str, entry: &Path, ours: &OsStr) -> Option<Finding> {
    const CHECK: &str = "layer";
    let shown = entry.display();
    if entry.file_name() == Some(ours) {
        return None;
    }
    let is_path = entry.as_os_str().as_bytes().contains(&b'/');
    Some(if is_path && !entry.exists() {
        Finding::note(CHECK, format!("{variable} names {shown}, which is not there"))
            .mend(format!("unset {variable}"))
    } else {
        Finding::note(
            CHECK,
            format!("{variable} has {shown}: it hears the program's calls before XSched's layer does"),
        )
    })
}

/// Folders that hide the stand-ins where somebody has set the variable by hand.
fn library_path(entries: &[PathBuf], survey: Option<&Survey>) -> Vec<Finding> {
    let Some(survey) = survey else { return Vec::new() };
    let dir = &survey.library.dir;
    let Some(own) = entries.iter().position(|entry| entry.canonicalize().is_ok_and(|entry| entry == *dir))
    else {
        return Vec::new();
    };
    let names = survey.platforms.iter().flat_map(|platform| &platform.libraries);
    let hides = |folder: &Path| names.clone().find(|name| folder.join(name).is_file());
    let hidden = entries.iter().take(own).find_map(|folder| Some((folder, hides(folder)?)));
    let finding = hidden.map(|(folder, name)| {
        let text = format!(
            "in LD_LIBRARY_PATH, {} comes before {} and has a {name}: without `xcli run`, programs get that",
            folder.display(),
            dir.display()
        );
        Finding::problem("library_path", text)
            .mend(format!("export LD_LIBRARY_PATH={}:$LD_LIBRARY_PATH", word(dir)))
    });
    finding.into_iter().collect()
}

/// The platform whose functions a library has.
fn stands_for<'a>(file: &Path, survey: Option<&'a Survey>) -> Option<&'a Platform> {
    survey?.platforms.iter().find(|platform| elf::exports(file, &platform.function))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::library::Library;
    use xsched_core::probe::Verdict;

    fn survey(dir: &Path) -> Survey {
        let platform = Platform {
            name: "fake".into(),
            title: "Fake".into(),
            libraries: vec!["libfake.so.1".into(), "libfake.so".into()],
            function: "gnu_get_libc_version".into(),
            real: None,
            setting: "XSCHED_FAKE_LIB".into(),
            looks: vec![],
            findings: vec![],
        };
        let library = Library { dir: dir.into(), stand_ins: vec![], layers: vec![] };
        Survey { library, variables: vec![], platforms: vec![platform] }
    }

    #[test]
    fn settings_that_cannot_be_used_are_problems_and_those_that_switch_us_off_are_notes() {
        let own = |name: &str, value: &str| own_settings(&[(name.into(), value.into())]);
        assert_eq!(own("XSCHED_GROUP", "a"), []);
        assert_eq!(own("XSCHED_GRUOP", "a")[0].mend.as_deref(), Some("unset XSCHED_GRUOP"));
        assert_eq!(own("XSCHED_GRUOP", "a")[0].verdict, Verdict::Problem);
        for (name, value) in [("XSCHED_AUTO_XQUEUE", "off"), ("XSCHED_SCHEDULER", "APP")] {
            assert_eq!(own(name, value)[0].verdict, Verdict::Note, "{name}");
        }
    }

    #[test]
    fn other_libraries_in_ld_preload_are_told_apart() {
        // It has the function that `survey` says.
        let libc = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"].map(Path::new);
        let other = libc.into_iter().find(|file| file.exists()).unwrap();
        let ours = survey(Path::new("/ours"));
        let say = |entry: &Path| preload(&[entry.to_owned()], Some(&ours)).pop().map(|finding| finding.text);
        assert_eq!(say(Path::new("/ours/libfake.so.1")), None);
        assert!(say(other).unwrap().contains("has functions of Fake itself"));
        let mut named = survey(Path::new("/ours"));
        named.platforms[0].real = Some(other.display().to_string());
        let [finding] = preload(&[other.to_owned()], Some(&named)).try_into().unwrap();
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
        assert!(say(Path::new("/no/such.so")).unwrap().contains("not there"));
        assert!(say(Path::new("libm.so.6")).unwrap().contains("behind the stand-ins"));
    }

    #[test]
    fn layers_of_others_are_named_and_ours_is_not() {
        let say = |entry: &str| layer("FAKE_LAYERS", Path::new(entry), OsStr::new("libxsched_fake_layer.so"));
        assert_eq!(say("/x/libxsched_fake_layer.so"), None);
        assert!(say("/no/such.so").unwrap().text.contains("not there"));
        assert!(say("libother.so").unwrap().text.contains("before XSched's"));
    }

    #[test]
    fn a_folder_that_hides_the_stand_in_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (dir.path().join("ours"), dir.path().join("other"));
        for folder in [&ours, &other] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("libfake.so.1"), "").unwrap();
        }
        let survey = survey(&ours.canonicalize().unwrap());
        let look = |entries: &[&PathBuf]| {
            library_path(&entries.iter().map(|e| (*e).clone()).collect::<Vec<_>>(), Some(&survey))
        };
        assert_eq!(look(&[&other, &ours])[0].verdict, Verdict::Problem);
        assert_eq!(look(&[&ours, &other]), []);
        assert_eq!(look(&[&other]), [], "nobody meant ours");
    }
}
