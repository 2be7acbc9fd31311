//! Whether the library folder has what it must have, of one version, and nothing that anybody else could put there.

use crate::doctor::child::{self, End, Outcome};
use crate::doctor::report::Report;
use crate::doctor::shell::word;
use crate::launch::environment::{layers, loading, socket};
use crate::launch::library::{CORE, Library};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use xsched_core::probe::{Finding, Line, Platform};

const SECTION: &str = "installation";
const TITLE: &str = "Installation";

/// What can be looked at further.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) library: Library,
    /// The environment of a scheduled program, as far as it differs from ours.
    pub(crate) variables: Vec<(String, OsString)>,
    pub(crate) platforms: Vec<Platform>,
}

/// Examines it; `None` if there is nothing that could be looked at further.
pub(crate) fn examine(
    lib_dir: Option<&Path>,
    server: Option<&Path>,
    patience: Duration,
    report: &mut Report,
) -> Option<Survey> {
    let mut add = |findings: Vec<Finding>| report.add(SECTION, TITLE, findings);
    let found = std::env::current_exe()
        .map_err(|e| format!("cannot find where xcli itself is: {e}"))
        .and_then(|xcli| Library::find(lib_dir, &xcli).map_err(|failure| failure.message));
    let library = match found {
        Ok(library) => library,
        Err(why) => {
            add(vec![Finding::problem("library", why)]);
            return None;
        }
    };
    add(rights(&library));
    let variables = loading(&library, true).and_then(|mut variables| {
        variables.extend(server.map(socket).transpose()?);
        variables.extend(layers(&library));
        Ok(variables)
    });
    let variables: Vec<(String, OsString)> = match variables {
        Ok(variables) => variables.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        Err(failure) => {
            add(vec![Finding::problem("library", failure.message)]);
            return None;
        }
    };
    let outcome = match child::run(&[&library.dir], &variables, patience) {
        Ok(outcome) => outcome,
        Err(e) => {
            add(vec![Finding::problem("library", format!("cannot start xcli again: {e}"))]);
            return None;
        }
    };
    add(loader_complaints(&outcome.said));
    let (platforms, findings) = answers(&library, outcome);
    add(findings);
    add(stand_ins(&library, &platforms));
    Some(Survey { library, variables, platforms })
}

/// What libxsched.so says about itself.
fn answers(library: &Library, outcome: Outcome) -> (Vec<Platform>, Vec<Finding>) {
    let place = library.dir.join(CORE);
    let place = place.display();
    let mut platforms = Vec::new();
    let mut version = None;
    for line in outcome.lines {
        match line {
            Line::Library { version: theirs } => version = Some(theirs),
            Line::Platform(platform) => platforms.push(platform),
            _ => {}
        }
    }
    let ours = env!("CARGO_PKG_VERSION");
    let finding = match (outcome.end, version) {
        (End::Done, Some(version)) if version == ours => {
            Finding::ok("library", format!("{place} is version {version}"))
        }
        (End::Done, version) => {
            let version = version.unwrap_or_else(|| "unknown".into());
            Finding::problem(
                "library",
                format!("{place} is version {version}, xcli is {ours}: install both from one release"),
            )
        }
        (end, _) => {
            // The last line is the reason, behind whatever came before.
            let why =
                outcome.said.iter().rev().find_map(|line| line.strip_prefix("xcli: ")).map(String::from);
            let why = why.unwrap_or_else(|| end.to_string());
            Finding::problem("library", format!("{place} cannot be used: {why}"))
        }
    };
    (platforms, vec![finding])
}

/// Lines of the dynamic loader about what it was to load first.
pub(crate) fn loader_complaints(said: &[String]) -> Vec<Finding> {
    let complaints = said.iter().filter(|line| line.contains("LD_PRELOAD cannot be preloaded"));
    complaints.map(|line| Finding::problem("preload", line.as_str())).collect()
}

/// Each platform needs its stand-in under every name by which programs open the vendor's library.
fn stand_ins(library: &Library, platforms: &[Platform]) -> Vec<Finding> {
    const CHECK: &str = "stand_in";
    let mut findings = Vec::new();
    for platform in platforms {
        let Some((soname, others)) = platform.libraries.split_first() else { continue };
        let file = library.dir.join(soname);
        let title = &platform.title;
        // Without the vendor's library there is nothing to look at, and nothing to lose.
        let is_needed = !platform.looks.is_empty();
        if !file.is_file() {
            let text = format!("there is no {}: programs that use {title} run unscheduled", file.display());
            findings.push(match is_needed {
                true => Finding::problem(CHECK, text),
                false => Finding::note(CHECK, text),
            });
            continue;
        }
        for name in others.iter().filter(|name| !library.dir.join(name).is_file()) {
            let link = library.dir.join(name);
            let text = format!(
                "there is no {}: programs that open {title} by that name run unscheduled",
                link.display()
            );
            findings.push(Finding::problem(CHECK, text).mend(format!(
                "ln -sf {} {}",
                word(soname),
                word(link)
            )));
        }
        findings.push(Finding::ok(CHECK, format!("{soname}, the stand-in for {title}, lies beside it")));
    }
    for (variable, file) in &library.layers {
        let text = format!("{}, a layer, lies beside it; `xcli run` names it in {variable}", file.display());
        findings.push(Finding::ok("layer", text));
    }
    let is_known =
        |file: &OsString| platforms.iter().any(|p| p.libraries.iter().any(|name| file == name.as_str()));
    for file in library.stand_ins.iter().filter(|file| !platforms.is_empty() && !is_known(file)) {
        let path = library.dir.join(file);
        let text = format!(
            "{} is no stand-in that libxsched.so knows, and `xcli run` loads it into each program",
            path.display()
        );
        findings.push(Finding::problem(CHECK, text).mend(format!("rm {}", word(path))));
    }
    findings
}

/// Whoever may write here is in every program that is run by `xcli run`.
fn rights(library: &Library) -> Vec<Finding> {
    let layers = library.layers.iter().map(|(_, file)| file);
    let files = library.stand_ins.iter().chain(layers).map(|name| library.dir.join(name));
    let files = files.chain([library.dir.join(CORE)]);
    let open = files.chain([library.dir.clone()]).filter(|path| {
        // A symbolic link says that everybody may write, and means its end.
        path.metadata().is_ok_and(|about| about.mode() & 0o002 != 0)
    });
    open.map(|path| {
        let text = format!("everybody may write to {}, and it is loaded into programs", path.display());
        Finding::problem("library_rights", text).mend(format!("chmod o-w {}", word(path)))
    })
    .collect()
}
