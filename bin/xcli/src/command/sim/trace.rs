//! `xcli sim --trace`: a recording of xserver, told again to the same policy or to another one.

use super::{nanos, short};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Table, count, printable, width};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use xsched_core::{Operation, Time, Value};
use xsched_sched::PolicyKind;
use xsched_sim::replay::{self, Difference, Held, Recording, Replayed};
use xsched_sim::svg::{self, Words};

/// What was asked for.
pub(super) struct Asked<'a> {
    pub(super) file: &'a Path,
    pub(super) policy: Option<PolicyKind>,
    pub(super) svg: Option<&'a Path>,
    pub(super) draw: Option<(Duration, Duration)>,
}

/// The shape of its JSON. Times are in nanoseconds.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    policy: String,
    duration_ns: u64,
    events: u64,
    decisions: u64,
    policy_changes: u64,
    cut_off: Option<&'a str>,
    is_full: bool,
    programs: Vec<ShownProgram<'a>>,
    /// The same recording under another policy, if one was given.
    what_if: Option<WhatIf<'a>>,
}

#[derive(Debug, Serialize)]
struct WhatIf<'a> {
    policy: String,
    decisions: u64,
    programs: Vec<ShownProgram<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownProgram<'a> {
    name: &'a str,
    ready_ns: u64,
    held_ns: u64,
    longest_held_ns: u64,
    preemptions: u64,
}

pub(super) fn execute(asked: &Asked<'_>, context: &Context) -> Result<(), Failure> {
    let name = asked.file.display().to_string();
    let bytes =
        std::fs::read(asked.file).map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
    let recording = Recording::read(&bytes).map_err(|why| Failure::failed(format!("{name}: {why}")))?;
    if let Some((_, to)) = asked.draw.filter(|(_, to)| *to > recording.duration()) {
        let end = recording.duration().show();
        return Err(Failure::usage(format!(
            "--draw: {} lies behind the end of the recording, {end}",
            to.show()
        )));
    }
    let recorded = replay::replay(&recording, asked.draw);
    if let Some(difference) = &recorded.difference {
        let said = said(difference, recording.policy);
        match asked.policy {
            None => return Err(Failure::failed(format!("{name}: {said}"))),
            Some(_) => context.output.warning(&format!("{name}: {said}")),
        }
    }
    if let Some(policy) =
        asked.policy.filter(|policy| !policy.info().wants.is_empty() && !recording.has_facts())
    {
        context.output.warning(&format!(
            "{policy} goes by what the system says of processes, and the recording has nothing of that: to it, all are alike"
        ));
    }
    let other = asked.policy.map(|policy| replay::what_if(&recording, policy, asked.draw));
    if let Some(path) = asked.svg {
        let replayed = other.as_ref().unwrap_or(&recorded);
        let picture = svg::draw(&replayed.timeline, &words(replayed, other.is_some(), asked.file));
        std::fs::write(path, picture)
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    let shown = Shown {
        policy: recording.policy.to_string(),
        duration_ns: nanos(recorded.duration),
        events: recorded.events,
        decisions: recorded.decisions,
        policy_changes: recorded.policy_changes,
        cut_off: recording.cut_off.as_deref(),
        is_full: recording.is_full,
        programs: recorded.lanes.iter().map(ShownProgram::of).collect(),
        what_if: other.as_ref().map(WhatIf::of),
    };
    context.output.result(&shown, || text(&recording, &recorded, other.as_ref()))
}

/// The first decision that comes out otherwise, in lines.
fn said(difference: &Difference, policy: PolicyKind) -> String {
    let side = |(operations, next): &(Vec<Operation>, Option<Time>)| {
        const MOST: usize = 12;
        let mut text = String::new();
        for operation in operations.iter().take(MOST) {
            let _ = write!(text, "\n    {operation:?}");
        }
        if operations.len() > MOST {
            let _ = write!(text, "\n    and {} more", operations.len() - MOST);
        }
        if operations.is_empty() {
            text += "\n    nothing";
        }
        let next = next.map_or_else(|| "not".into(), |next| format!("at {next}"));
        format!("{text}\n    and to be asked again: {next}")
    };
    format!(
        "the decision at byte {}, {} after the beginning, comes out otherwise (policy {policy} at first):\n  recorded:{}\n  \
         replayed:{}",
        difference.offset,
        short(difference.at),
        side(&difference.recorded),
        side(&difference.replayed)
    )
}

fn words(replayed: &Replayed, is_other: bool, file: &Path) -> Words {
    let file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let how = if is_other { "The recorded requests under policy" } else { "As recorded, policy" };
    let note = |held: &Held| match held.ready.is_zero() {
        true => String::new(),
        false => {
            let part = 100.0 * held.held.as_secs_f64() / held.ready.as_secs_f64();
            format!("held {part:.1} %")
        }
    };
    Words {
        title: file,
        subtitle: format!("{how} {}, {}", replayed.policy, short(replayed.duration)),
        notes: replayed.lanes.iter().map(note).take(replayed.timeline.lanes.len()).collect(),
        is_replay: true,
    }
}

fn text(recording: &Recording, recorded: &Replayed, other: Option<&Replayed>) -> String {
    let mut columns = vec![Column::CutEnd("PROGRAM")];
    columns.extend(["READY", "HELD", "LONGEST", "PREEMPTED"].map(Column::Number));
    if other.is_some() {
        columns.extend(["WOULD BE HELD", "LONGEST", "PREEMPTED"].map(Column::Number));
    }
    let cells = |held: &Held| [short(held.held), short(held.longest_held), held.preemptions.to_string()];
    let mut table = Table::new(&columns);
    for (index, lane) in recorded.lanes.iter().enumerate() {
        let mut row = vec![printable(&lane.name), short(lane.ready)];
        row.extend(cells(lane));
        // Both were told of the same queues.
        row.extend(other.and_then(|other| other.lanes.get(index)).map(cells).into_iter().flatten());
        table.row(row);
    }
    let mut text = table.render(width());
    text.push('\n');
    let outcome = match recorded.difference {
        Some(_) => "not all decisions come out as recorded".to_owned(),
        None => format!("all {} come out as recorded", count(recorded.decisions as usize, "decision")),
    };
    let changes = match recorded.policy_changes {
        0 => String::new(),
        changes => format!(", changed {} later", count(changes as usize, "time")),
    };
    let _ = writeln!(
        text,
        "policy {}{changes}, {} recorded, {}: {outcome}",
        recording.policy,
        short(recorded.duration),
        count(recorded.events as usize, "event")
    );
    if let Some(why) = &recording.cut_off {
        let _ = writeln!(text, "the recording is not whole: {why}");
    }
    if recording.is_full {
        let _ =
            writeln!(text, "the recording had become as large as it may be, and what came then is not in it");
    }
    if let Some(other) = other {
        let _ = writeln!(
            text,
            "under {}, requests come and end when they were recorded to, whatever it would do to them (docs/sim.md)",
            other.policy
        );
    }
    text
}

impl WhatIf<'_> {
    fn of(replayed: &Replayed) -> WhatIf<'_> {
        WhatIf {
            policy: replayed.policy.to_string(),
            decisions: replayed.decisions,
            programs: replayed.lanes.iter().map(ShownProgram::of).collect(),
        }
    }
}

impl ShownProgram<'_> {
    fn of(held: &Held) -> ShownProgram<'_> {
        ShownProgram {
            name: &held.name,
            ready_ns: nanos(held.ready),
            held_ns: nanos(held.held),
            longest_held_ns: nanos(held.longest_held),
            preemptions: held.preemptions,
        }
    }
}
