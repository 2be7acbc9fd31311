//! What the platforms say about themselves: each look in a process of its own, and what its end means.

use crate::doctor::child::{self, End, Outcome};
use crate::doctor::installation::{Survey, loader_complaints};
use crate::doctor::report::Report;
use std::time::Duration;
use xsched_core::probe::{Finding, Line, Look, Verdict};

/// Lines of a process that came to grief which are shown.
const LAST_WORDS: usize = 3;

/// Examines all platforms.
pub(crate) fn examine(survey: &Survey, patience: Duration, report: &mut Report) {
    let mut is_any_there = false;
    for platform in &survey.platforms {
        is_any_there |= !platform.looks.is_empty();
        report.add(&platform.name, &platform.title, platform.findings.iter().cloned());
        for look in &platform.looks {
            let arguments = [survey.library.dir.as_os_str(), platform.name.as_ref(), look.key.as_ref()];
            match child::run(&arguments, &survey.variables, patience) {
                Ok(outcome) => {
                    for line in &outcome.lines {
                        if let Line::Device(device) = line {
                            report.add_device(&platform.title, device.clone());
                        }
                    }
                    report.add(&platform.name, &platform.title, findings(look, outcome, patience));
                }
                Err(e) => {
                    let text = format!("cannot look at {}: {e}", look.title);
                    report.add(&platform.name, &platform.title, [Finding::problem("look", text)]);
                }
            }
        }
    }
    if !is_any_there && !survey.platforms.is_empty() {
        let names: Vec<&str> = survey.platforms.iter().map(|platform| platform.title.as_str()).collect();
        let text = format!(
            "there is no library of any platform here ({}): nothing can be scheduled",
            names.join(", ")
        );
        report.add("platforms", "Platforms", [Finding::problem("platforms", text)]);
    }
}

fn findings(look: &Look, outcome: Outcome, patience: Duration) -> Vec<Finding> {
    let mut findings = loader_complaints(&outcome.said);
    let mut doing = None;
    for line in &outcome.lines {
        match line {
            Line::Found(finding) => findings.push(finding.clone()),
            Line::Doing(what) => doing = Some(what.as_str()),
            Line::Done => doing = None,
            _ => {}
        }
    }
    // Our own lines are for the user, whoever's library prints the rest.
    let ours = outcome.said.iter().filter_map(|line| line.strip_prefix("xsched: "));
    let is_sound = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
    findings.extend(ours.map(|line| match is_sound {
        true => Finding::note("said", format!("programs say: {line}")),
        false => Finding::problem("said", format!("programs say: {line}")),
    }));
    if outcome.end != End::Done {
        findings.push(grief(look, &outcome, doing, patience));
    }
    findings
}

/// The look did not come to its end.
fn grief(look: &Look, outcome: &Outcome, doing: Option<&str>, patience: Duration) -> Finding {
    let when = doing.map_or_else(|| "at the end of the process".into(), |doing| format!("while {doing}"));
    let what = match outcome.end {
        End::TimedOut => format!("hangs (for more than {patience:?})"),
        end => end.to_string(),
    };
    let said: Vec<&str> =
        outcome.said.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let last = said.get(said.len().saturating_sub(LAST_WORDS)..).unwrap_or_default().join(" / ");
    let last = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
    let text = format!("{} {what} {when}: so does each program that uses it{last}", look.title);
    let check = if matches!(outcome.end, End::TimedOut | End::Stuck(_)) { "hang" } else { "crash" };
    let finding = Finding::problem(check, text);
    match &look.mend {
        Some(mend) => finding.mend(mend),
        None => finding,
    }
}
