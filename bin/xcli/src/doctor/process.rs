//! A program that runs already: whether it is scheduled, and if not, why: what only shows afterwards, such as a library that it
//! opened by its absolute path.
//!
//! Everything is read from /proc; the process notices nothing. Deliberately absent: what it could still do; the next look tells.

use crate::context::Context;
use crate::doctor::installation::Survey;
use crate::doctor::report::Report;
use crate::doctor::shell::word;
use crate::launch::diagnose::diagnose;
use crate::launch::environment::{LIBRARY_PATH, PRELOAD};
use crate::launch::library::CORE;
use crate::output::{count, printable};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use xsched_client::{Client, PATIENCE};
use xsched_core::Config;
use xsched_core::probe::{Finding, Platform};

/// The longest command that is suggested.
const LONGEST: usize = 400;

/// A process, as /proc has it.
#[derive(Debug)]
struct Process {
    pid: u32,
    /// Its program.
    exe: PathBuf,
    arguments: Vec<Vec<u8>>,
    environment: Vec<(String, String)>,
    /// The files that it has mapped.
    files: BTreeSet<PathBuf>,
}

/// What a process has of a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Loaded {
    stand_in: bool,
    /// The vendor's own, or what has its name.
    real: Option<PathBuf>,
}

/// Examines it.
pub(crate) fn examine(pid: u32, survey: &Survey, context: &Context, report: &mut Report) {
    let findings = match Process::read(pid) {
        Ok(process) => findings(&process, survey, context),
        Err(finding) => vec![finding],
    };
    report.add("process", &format!("Process {pid}"), findings);
}

fn findings(process: &Process, survey: &Survey, context: &Context) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("program", format!("its program is {}", process.exe.display()))];
    let core = process.files.iter().find(|file| file.file_name() == Some(OsStr::new(CORE)));
    let mut is_any_loaded = false;
    for platform in &survey.platforms {
        let loaded = process.loaded(platform, &survey.library.dir);
        is_any_loaded |= loaded != Loaded::default();
        if core.is_none() {
            findings.extend(without_core(process, platform, &loaded, survey));
        }
    }
    match core {
        Some(core) => {
            findings.extend(installation(core, &survey.library.dir));
            findings.extend(process.settings());
            findings.push(attachment(process, context));
        }
        None if !is_any_loaded => {
            let reasons = diagnose(&process.exe, None).reasons;
            findings.extend(reasons.iter().map(|reason| Finding::problem("program", reason.as_str())));
            let names: Vec<&str> = survey.platforms.iter().map(|platform| platform.title.as_str()).collect();
            let text = format!(
                "it has loaded no library of {}: there is nothing to schedule so far",
                names.join(" or ")
            );
            findings.push(Finding::note("loaded", text));
        }
        None => {}
    }
    findings
}

/// libxsched.so is not in it: no function of a stand-in was called so far.
fn without_core(process: &Process, platform: &Platform, loaded: &Loaded, survey: &Survey) -> Option<Finding> {
    const CHECK: &str = "loaded";
    let title = &platform.title;
    Some(match (loaded.stand_in, &loaded.real) {
        (false, None) => return None,
        (true, None) => {
            Finding::note(CHECK, format!("it has the stand-in for {title}, and has not called it so far"))
        }
        (true, Some(real)) => Finding::problem(
            CHECK,
            format!(
                "it has the stand-in for {title}, but opened {} by a path of its own: what it does there is not scheduled",
                real.display()
            ),
        ),
        (false, Some(real)) if process.was_told(&survey.library.dir) => Finding::problem(
            CHECK,
            format!(
                "it was started with the stand-ins, but has {} and not the one for {title}: it opened that by a path \
                 of its own, or the loader ignored what it was told",
                real.display()
            ),
        ),
        (false, Some(real)) => {
            let text =
                format!("it has {} and was not started by `xcli run`: it is not scheduled", real.display());
            let finding = Finding::problem(CHECK, text);
            match process.command() {
                Some(command) => finding.mend(format!("xcli run -- {command}")),
                None => finding,
            }
        }
    })
}

/// libxsched.so is in it: which one.
fn installation(core: &Path, folder: &Path) -> Option<Finding> {
    const CHECK: &str = "process_library";
    // The kernel's word for a file that is no longer there.
    if let Some(path) = core.to_str().and_then(|core| core.strip_suffix(" (deleted)")) {
        let text =
            format!("{path} was replaced since it started: it uses the old one until it is started anew");
        return Some(Finding::note(CHECK, text));
    }
    (core.parent() != Some(folder)).then(|| {
        let text = format!("it uses {}, and xcli would use that in {}", core.display(), folder.display());
        Finding::note(CHECK, text)
    })
}

/// What the server says of it.
fn attachment(process: &Process, context: &Context) -> Finding {
    const CHECK: &str = "process_attached";
    let pid = process.pid;
    let clients = match Client::connect(&context.places(), PATIENCE).and_then(|mut client| client.list()) {
        Ok(clients) => clients,
        Err(_) => {
            return Finding::problem(CHECK, "no server says whether it is attached: it runs unscheduled");
        }
    };
    let mut of_pid = clients.iter().filter(|client| client.pid == pid).peekable();
    if of_pid.peek().is_none() {
        let text = "it has libxsched.so, and the server does not know it: it has made no queue so far, or has another server \
                    (XSCHED_SOCKET), or could not be attached, which it said on its standard error";
        return Finding::problem(CHECK, text);
    }
    let queues: Vec<_> = of_pid.flat_map(|client| &client.queues).collect();
    let held = queues.iter().filter(|queue| queue.suspended).count();
    let queues = count(queues.len(), "queue");
    Finding::ok(CHECK, format!("it is attached, with {queues}; held back now: {held}"))
}

impl Process {
    fn read(pid: u32) -> Result<Process, Finding> {
        const CHECK: &str = "program";
        let at = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let refused = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::PermissionDenied => {
                if rustix::process::geteuid().is_root() {
                    let text = "not even root may look at it here, as in a container without CAP_SYS_PTRACE: ask outside of it";
                    return Finding::problem(CHECK, text);
                }
                let text = "it belongs to another user, or hides itself: this user may not look at it";
                Finding::problem(CHECK, text).mend(format!("sudo xcli doctor --pid {pid}"))
            }
            _ => Finding::problem(CHECK, format!("there is no such process ({e})")),
        };
        let exe = std::fs::read_link(at("exe")).map_err(refused)?;
        let maps = std::fs::read(at("maps")).map_err(refused)?;
        let environment = std::fs::read(at("environ")).unwrap_or_default();
        let arguments = std::fs::read(at("cmdline")).unwrap_or_default();
        Ok(Process {
            pid,
            exe,
            arguments: arguments
                .split(|b| *b == 0)
                .filter(|word| !word.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
            environment: variables(&environment),
            files: mapped(&maps),
        })
    }

    fn loaded(&self, platform: &Platform, folder: &Path) -> Loaded {
        let mut loaded = Loaded::default();
        for file in &self.files {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_named = |library: &String| {
                let stem = library.split(".so").next().unwrap_or(library);
                // Python wheels bring their own under longer names.
                name.strip_prefix(stem)
                    .is_some_and(|rest| rest.starts_with(['.', '-']) && rest.contains(".so"))
            };
            if !platform.libraries.iter().any(is_named) {
                continue;
            }
            if platform.libraries.iter().any(|own| self.is_same(file, &folder.join(own))) {
                loaded.stand_in = true;
            } else {
                loaded.real.get_or_insert_with(|| file.clone());
            }
        }
        loaded
    }

    /// Whether its file is ours; it may see the file system from another root.
    fn is_same(&self, its: &Path, ours: &Path) -> bool {
        let its = its.strip_prefix("/").unwrap_or(its);
        let its = Path::new("/proc").join(self.pid.to_string()).join("root").join(its);
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
        identity(&its).is_some() && identity(&its) == identity(ours)
    }

    /// Whether its environment named the stand-ins when it started.
    fn was_told(&self, folder: &Path) -> bool {
        let folder = folder.to_string_lossy();
        let loader = self.environment.iter().filter(|(name, _)| name == PRELOAD || name == LIBRARY_PATH);
        loader.into_iter().any(|(_, value)| value.contains(folder.as_ref()))
    }

    /// What is wrong with the settings that it was started with.
    fn settings(&self) -> Vec<Finding> {
        const CHECK: &str = "process_settings";
        let mut config = Config::default();
        let env = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let problems = config.apply_env(env);
        let mut findings: Vec<Finding> = problems
            .iter()
            .map(|problem| Finding::problem(CHECK, format!("it was started with {problem}")))
            .collect();
        if !config.auto_xqueue || config.scheduler != Config::default().scheduler {
            let text = "it was started with XSCHED_AUTO_XQUEUE off, or XSCHED_SCHEDULER APP: its queues are not scheduled";
            findings.push(Finding::problem(CHECK, text));
        }
        findings
    }

    /// How it was started, as a shell's command.
    fn command(&self) -> Option<String> {
        let words = self.arguments.iter().map(|bytes| word(OsStr::from_bytes(bytes)));
        let command = words.collect::<Vec<_>>().join(" ");
        let is_fit = !command.is_empty() && command.len() <= LONGEST && command == printable(&command);
        is_fit.then_some(command)
    }
}

fn variables(environ: &[u8]) -> Vec<(String, String)> {
    let entries = environ.split(|b| *b == 0).map(String::from_utf8_lossy);
    entries
        .filter_map(|entry| entry.split_once('=').map(|(name, value)| (name.into(), value.into())))
        .collect()
}

/// Files in a /proc/PID/maps: what follows five fields.
fn mapped(maps: &[u8]) -> BTreeSet<PathBuf> {
    let path = |line: &[u8]| {
        let start = line.iter().position(|b| *b == b'/')?;
        Some(PathBuf::from(OsStr::from_bytes(line.get(start..)?)))
    };
    maps.split(|b| *b == b'\n').filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_the_ends_of_lines() {
        let maps = b"55 r-xp 00 08:01 12   /usr/bin/a b\n7f rw-p 00 00:00 0 \n7f r--p 0 08:01 3 /l/x.so (deleted)\n7f r 0 0 0 [stack]\n";
        let files: Vec<PathBuf> = mapped(maps).into_iter().collect();
        assert_eq!(files, [PathBuf::from("/l/x.so (deleted)"), PathBuf::from("/usr/bin/a b")]);
    }

    #[test]
    fn this_process_can_be_read() {
        let process = Process::read(std::process::id()).unwrap();
        assert!(process.files.contains(&process.exe) && process.command().is_some(), "{process:?}");
        assert!(process.is_same(&process.exe, &std::env::current_exe().unwrap()));
        assert_eq!(Process::read(u32::MAX).unwrap_err().check, "program");
    }

    #[test]
    fn the_vendors_library_is_known_by_its_name_also_in_a_wheel() {
        let platform = Platform {
            name: "fake".into(),
            title: "Fake".into(),
            libraries: vec!["libfake.so.1".into(), "libfake.so".into()],
            function: "fake_init".into(),
            real: None,
            setting: "XSCHED_FAKE_LIB".into(),
            looks: vec![],
            findings: vec![],
        };
        let process = |file: &str| Process {
            pid: std::process::id(),
            exe: "/x".into(),
            arguments: vec![],
            environment: vec![],
            files: [PathBuf::from(file)].into(),
        };
        let real = |file: &str| process(file).loaded(&platform, Path::new("/ours")).real.is_some();
        assert!(real("/l/libfake.so.1.0.0") && real("/wheel/libfake-1234.so.1"));
        assert!(!real("/l/libfaker.so.1") && !real("/l/libfake.txt"));
    }
}
