//! `xcli sim`: a workload or a recording under a policy, in virtual time.
//!
//! It asks no server. `crates/sim` runs it; here is what a person or a program reads of how it came out.

mod trace;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Table, count, width};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::Value;
use xsched_core::text::Expected;
use xsched_sched::PolicyKind;
use xsched_sim::svg::{self, Words, short};
use xsched_sim::{Latencies, Outcome, Part, Remark, Workload};

/// Run a workload under a policy in virtual time: what would each program get? Or replay a recording
///
/// docs/sim.md describes the file, examples/sim has some. With --trace, a recording that `xserver --record` made is told again: without
/// --policy, every decision has to come out as it was recorded; with one, the table says whom that policy would have held back.
#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// The workload, as TOML
    #[arg(value_name = "FILE.toml", required_unless_present = "trace", conflicts_with = "trace")]
    file: Option<PathBuf>,

    /// Replay a recording of xserver instead
    #[arg(long, value_name = "FILE.trace", conflicts_with_all = ["duration", "seed"])]
    trace: Option<PathBuf>,

    /// Policy, in place of the file's or the recording's
    #[arg(long, value_name = "NAME", value_parser = policy)]
    policy: Option<PolicyKind>,

    /// How long to run, in place of the file's
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// What chance begins with, in place of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Draw the timeline into this file
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,

    /// The part of the run to draw, in place of the file's: 0ms..100ms
    #[arg(long, value_name = "FROM..TO", value_parser = span, requires = "svg")]
    draw: Option<(Duration, Duration)>,
}

fn policy(text: &str) -> Result<PolicyKind, Expected> {
    PolicyKind::parse(text)
}

fn duration(text: &str) -> Result<Duration, Expected> {
    Duration::parse(text).and_then(|time| match time.is_zero() {
        true => Err(Expected::new("a duration above 0ms")),
        false => Ok(time),
    })
}

fn span(text: &str) -> Result<(Duration, Duration), Expected> {
    let expected = || Expected::new("two durations in ascending order, such as 0ms..100ms");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    match (Duration::parse(from), Duration::parse(to)) {
        (Ok(from), Ok(to)) if from < to => Ok((from, to)),
        _ => Err(expected()),
    }
}

/// The shape of its JSON. Times are in nanoseconds.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    policy: String,
    duration_ns: u64,
    seed: u64,
    events: u64,
    decisions: u64,
    programs: Vec<ShownProgram<'a>>,
    devices: Vec<ShownDevice<'a>>,
    remarks: Vec<ShownRemark<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownRemark<'a> {
    program: &'a str,
    device: &'a str,
    at_ns: u64,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct ShownProgram<'a> {
    name: &'a str,
    processes: u32,
    requests: u64,
    unfinished: u64,
    latency_ns: Option<ShownLatencies>,
    missed_deadlines: Option<u64>,
    share: f64,
    held_ns: u64,
    longest_held_ns: u64,
    preemptions: u64,
}

#[derive(Debug, Serialize)]
struct ShownLatencies {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct ShownDevice<'a> {
    name: &'a str,
    busy: f64,
}

impl Sim {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        if let Some(file) = &self.trace {
            let asked = trace::Asked { file, policy: self.policy, svg: self.svg.as_deref(), draw: self.draw };
            return trace::execute(&asked, context);
        }
        // The command line has one of the two.
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let workload = self.workload(file)?;
        let outcome = xsched_sim::run(&workload);
        if let Some(path) = &self.svg {
            let picture = svg::draw(&outcome.timeline, &words(&workload, &outcome, file));
            std::fs::write(path, picture)
                .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
        }
        context.output.result(&Shown::of(&outcome), || text(&outcome))
    }

    fn workload(&self, file: &Path) -> Result<Workload, Failure> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
        let mut workload = xsched_sim::read(&name, &text).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure { problems, ..Failure::usage(lines.join("\n")) }
        })?;
        workload.policy = self.policy.unwrap_or(workload.policy);
        workload.seed = self.seed.unwrap_or(workload.seed);
        if let Some(duration) = self.duration {
            workload.duration = duration;
            // The file's part of the run may lie behind its new end.
            workload.draw = workload.draw.filter(|(_, to)| *to <= duration);
        }
        workload.draw = self.draw.or(workload.draw);
        if let Some((_, to)) = workload.draw.filter(|(_, to)| *to > workload.duration) {
            let end = workload.duration.show();
            return Err(Failure::usage(format!(
                "--draw: {} lies behind the end of the run, {end}",
                to.show()
            )));
        }
        Ok(workload)
    }
}

/// What stands in the picture beside the lanes.
fn words(workload: &Workload, outcome: &Outcome, file: &Path) -> Words {
    let file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let title = workload.title.clone().unwrap_or_else(|| file.clone());
    let drawn = outcome.timeline.from..outcome.timeline.to;
    let whole = Duration::ZERO..outcome.duration;
    let part = if drawn == whole {
        String::new()
    } else {
        format!(", {} to {} of", drawn.start.show(), drawn.end.show())
    };
    let note = |part: &Part| {
        let tail = part.latencies.map(|latencies| format!(", p99 {}", short(latencies.p99)));
        format!("{:.1} %{}", part.share * 100.0, tail.unwrap_or_default())
    };
    let notes = outcome.programs.iter().zip(&workload.programs).flat_map(|(part, program)| {
        let lanes = program.count as usize * program.devices.len();
        std::iter::once(note(part)).chain(std::iter::repeat_n(String::new(), lanes - 1))
    });
    Words {
        title,
        subtitle: format!(
            "Policy {}{part} {} of virtual time ({file})",
            outcome.policy,
            outcome.duration.show()
        ),
        notes: notes.take(outcome.timeline.lanes.len()).collect(),
        is_replay: false,
    }
}

fn text(outcome: &Outcome) -> String {
    let mut columns = vec![Column::CutEnd("PROGRAM"), Column::Number("REQUESTS")];
    columns.extend(["P50", "P90", "P99", "MAX", "SHARE", "HELD", "LONGEST", "PREEMPTED"].map(Column::Number));
    let mut table = Table::new(&columns);
    for part in &outcome.programs {
        let latency = |of: fn(&Latencies) -> Duration| {
            part.latencies.as_ref().map_or_else(|| "-".into(), |latencies| short(of(latencies)))
        };
        let name = match part.processes {
            1 => part.name.clone(),
            processes => format!("{} × {processes}", part.name),
        };
        table.row(vec![
            name,
            part.requests.to_string(),
            latency(|latencies| latencies.p50),
            latency(|latencies| latencies.p90),
            latency(|latencies| latencies.p99),
            latency(|latencies| latencies.max),
            percent(part.share),
            short(part.held),
            short(part.longest_held),
            part.preemptions.to_string(),
        ]);
    }
    let mut text = table.render(width());
    text.push('\n');
    for (name, busy) in &outcome.devices {
        let _ = writeln!(text, "{name}: worked for {} of the time", percent(*busy));
    }
    for part in &outcome.programs {
        if let Some(missed) = part.missed.filter(|missed| *missed > 0) {
            let _ = writeln!(text, "{}: {} after the deadline", part.name, count(missed as usize, "request"));
        }
        if part.unfinished > u64::from(part.processes) {
            let left = count(part.unfinished as usize, "request");
            let _ = writeln!(text, "{}: {left} not done at the end", part.name);
        }
    }
    for remark in &outcome.remarks {
        let Remark { program, device, at, text: said } = remark;
        let _ = writeln!(text, "{program} on {device}: {said} (at {})", short(*at));
    }
    let _ = writeln!(
        text,
        "policy {}, {} of virtual time, seed {}: {} events, {} decisions",
        outcome.policy,
        outcome.duration.show(),
        outcome.seed,
        outcome.events,
        outcome.decisions
    );
    text
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Shown<'_> {
    fn of(outcome: &Outcome) -> Shown<'_> {
        Shown {
            policy: outcome.policy.to_string(),
            duration_ns: nanos(outcome.duration),
            seed: outcome.seed,
            events: outcome.events,
            decisions: outcome.decisions,
            programs: outcome.programs.iter().map(ShownProgram::of).collect(),
            remarks: outcome.remarks.iter().map(ShownRemark::of).collect(),
            devices: outcome.devices.iter().map(|(name, busy)| ShownDevice { name, busy: *busy }).collect(),
        }
    }
}

impl ShownProgram<'_> {
    fn of(part: &Part) -> ShownProgram<'_> {
        ShownProgram {
            name: &part.name,
            processes: part.processes,
            requests: part.requests,
            unfinished: part.unfinished,
            latency_ns: part.latencies.map(ShownLatencies::of),
            missed_deadlines: part.missed,
            share: part.share,
            held_ns: nanos(part.held),
            longest_held_ns: nanos(part.longest_held),
            preemptions: part.preemptions,
        }
    }
}

impl ShownRemark<'_> {
    fn of(remark: &Remark) -> ShownRemark<'_> {
        let Remark { program, device, at, text } = remark;
        ShownRemark { program, device, at_ns: nanos(*at), text }
    }
}

impl ShownLatencies {
    fn of(latencies: Latencies) -> ShownLatencies {
        let Latencies { p50, p90, p99, max } = latencies;
        ShownLatencies { p50: nanos(p50), p90: nanos(p90), p99: nanos(p99), max: nanos(max) }
    }
}
