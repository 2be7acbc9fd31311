//! Workload files: TOML in, a [`Workload`] or all that is wrong with the file out.
//!
//! Invariant: nothing that stands in a file is passed over. Each key is asked for by name, and a key that nobody asked for is a problem that
//! lists those that there are. docs/sim.md describes the keys; a new one is one line here, in the struct, and there.

mod fields;
mod laws;

use crate::law::Law;
use crate::workload::{Change, DeviceSpec, Program, Waits, What, Workload};
use fields::{Fields, Reader};
use std::time::Duration;
use xsched_core::hint::HINTS;
use xsched_core::{Fact, Hint, Hints, Problem};
use xsched_sched::{PolicyKind, Settings};

/// Processes and queues at most: what fits into memory.
const MOST_QUEUES: u64 = 1_000_000;

/// Reads a workload; `name` is the file's, for messages.
pub fn read(name: &str, text: &str) -> Result<Workload, Vec<Problem>> {
    let reader = Reader::new(name, text);
    let workload = reader.root().and_then(|root| file(root, &reader));
    let problems = reader.into_problems();
    match workload {
        Some(workload) if problems.is_empty() => Ok(workload),
        _ => Err(problems),
    }
}

fn file(mut fields: Fields<'_>, reader: &Reader<'_>) -> Option<Workload> {
    let title = fields.text("title");
    let policy = fields.value::<PolicyKind>("policy");
    let duration = fields.positive("duration").unwrap_or(Duration::from_secs(1));
    let seed = fields.whole("seed", 0..=i64::MAX as u64);
    let draw = fields.times("draw").and_then(|(times, spot)| match times[..] {
        [from, to] if from < to && to <= duration => Some((from, to)),
        _ => spot.refuse("two times in ascending order, the second up to duration"),
    });
    let settings = fields.table("scheduler").map(settings).unwrap_or_default();
    let mut devices: Vec<DeviceSpec> = Vec::new();
    for fields in fields.tables("device") {
        let spot = fields.spot("name");
        let Some(device) = device(fields) else { continue };
        if devices.iter().any(|other| other.name == device.name) {
            let _: Option<()> = spot.refuse("a name that no other device has");
        }
        devices.push(device);
    }
    if devices.is_empty() {
        devices.push(DeviceSpec::new("device"));
    }
    let mut programs: Vec<Program> = Vec::new();
    for fields in fields.tables("program") {
        let spot = fields.spot("name");
        let Some(program) = program(fields, &devices) else { continue };
        if programs.iter().any(|other| other.name == program.name) {
            let _: Option<()> = spot.refuse("a name that no other program has");
        }
        programs.push(program);
    }
    let mut changes: Vec<Change> = Vec::new();
    for fields in fields.tables("change") {
        changes.extend(change(fields, &programs));
    }
    let end = fields.spot("program");
    fields.finish();
    if programs.is_empty() && reader.is_clean() {
        return end.refuse("at least one [[program]]");
    }
    let workload = Workload {
        title,
        policy: policy.unwrap_or(PolicyKind::Hpf),
        settings,
        duration,
        seed: seed.unwrap_or(1),
        draw,
        devices,
        programs,
        changes,
    };
    if workload.queues() > MOST_QUEUES {
        return end.refuse(&format!("at most {MOST_QUEUES} queues in all"));
    }
    Some(workload)
}

fn settings(mut fields: Fields<'_>) -> Settings {
    let mut settings = Settings::default();
    for (name, slot) in settings.named() {
        // The scheduler takes these two for no less.
        let least =
            if ["lease", "max_suspend"].contains(&name) { Duration::from_millis(1) } else { Duration::ZERO };
        *slot = fields.time_of_at_least(name, least).unwrap_or(*slot);
    }
    fields.finish();
    settings
}

fn device(mut fields: Fields<'_>) -> Option<DeviceSpec> {
    let usual = DeviceSpec::new("");
    let device = DeviceSpec {
        name: fields.needed_text("name")?,
        level: fields.value("level").unwrap_or(usual.level),
        sharing: fields.value("sharing").unwrap_or(usual.sharing),
        engines: fields.whole("engines", 1..=1_000).map_or(usual.engines, |n| n as u32),
        switch: fields.time("switch").unwrap_or(usual.switch),
        watch: fields.time("watch").unwrap_or(usual.watch),
    };
    let spot = fields.spot("switch");
    if !device.switch.is_zero() && device.level < xsched_core::Level::Interrupt {
        let _: Option<()> =
            spot.refuse("level = \"interrupt\" beside it: nothing is switched out at other levels");
    }
    fields.finish();
    Some(device)
}

fn program(mut fields: Fields<'_>, devices: &[DeviceSpec]) -> Option<Program> {
    let name = fields.needed_text("name");
    let count = fields.whole("count", 1..=MOST_QUEUES).unwrap_or(1) as u32;
    let queues = fields.whole("queues", 1..=MOST_QUEUES).unwrap_or(1) as u32;
    let commands = fields.whole("commands", 1..=1_000_000).unwrap_or(1) as u32;
    let in_flight = fields.whole("in_flight", 1..=1_000_000).unwrap_or(1_000) as u32;
    let zero = || Law::Constant(Duration::ZERO);
    let start = fields.time("start").unwrap_or_default();
    let stop_spot = fields.spot("stop");
    let stop = fields
        .time("stop")
        .filter(|stop| *stop > start || stop_spot.refuse::<()>("a time after the program's start").is_some());
    let length = laws::law(&mut fields, "length", true);
    let arrivals = laws::arrivals(&mut fields);
    let program = Program {
        name: name.clone().unwrap_or_default(),
        count,
        group: fields.text("group"),
        devices: used_devices(&mut fields, devices),
        queues,
        hints: fields.table("hints").map(hints).unwrap_or_default(),
        facts: fields.table("facts").map(facts).unwrap_or_default(),
        arrivals: arrivals.clone().unwrap_or(crate::Arrivals::Closed(zero())),
        offset: laws::law(&mut fields, "offset", false).unwrap_or_else(zero),
        commands,
        length: length.clone().unwrap_or_else(zero),
        pause: laws::law(&mut fields, "pause", false).unwrap_or_else(zero),
        waits: fields.value("waits").unwrap_or(Waits::Request),
        in_flight,
        window: fields.time("window").unwrap_or(Duration::from_millis(1)),
        start,
        stop,
    };
    fields.finish();
    name.and(length).and(arrivals).map(|_| program)
}

/// The devices that a program names; the only one, if it names none.
fn used_devices(fields: &mut Fields<'_>, devices: &[DeviceSpec]) -> Vec<usize> {
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    let allowed = format!("the name of a device: {}", names.join(", "));
    let Some(named) = fields.texts("device") else {
        if devices.len() > 1 {
            let spot = fields.spot("device");
            let _: Option<()> = spot.refuse(&format!("{allowed} (or an array of names)"));
        }
        return vec![0];
    };
    let mut used = Vec::new();
    for (name, spot) in named {
        match names.iter().position(|other| *other == name) {
            Some(index) if !used.contains(&index) => used.push(index),
            Some(_) => drop::<Option<()>>(spot.refuse("each device once")),
            None => drop::<Option<()>>(spot.refuse(&allowed)),
        }
    }
    if used.is_empty() { vec![0] } else { used }
}

fn hints(mut fields: Fields<'_>) -> Hints {
    let mut hints = Hints::default();
    given_hints(&mut fields).into_iter().for_each(|hint| hints.set(hint));
    fields.finish();
    hints
}

fn given_hints(fields: &mut Fields<'_>) -> Vec<Hint> {
    let hint = |info: &xsched_core::hint::HintInfo| {
        fields.parsed(
            info.name,
            &format!("a whole number from {} to {}{}", info.min, info.max, info.unit),
            |text| Hint::parse(info.kind, "", text).ok(),
        )
    };
    HINTS.iter().filter_map(hint).collect()
}

fn facts(mut fields: Fields<'_>) -> Vec<Fact> {
    let nice = fields.parsed("nice", "a whole number from -20 to 19", |text| {
        text.parse().ok().filter(|nice| (-20..=19).contains(nice))
    });
    let window = fields.parsed("active_window", "true or false", |text| text.parse().ok());
    fields.finish();
    nice.map(|nice: i16| Fact::CpuPriority(-nice)).into_iter().chain(window.map(Fact::ActiveWindow)).collect()
}

/// `at`, and either a policy, or a program and its hints or facts.
fn change(mut fields: Fields<'_>, programs: &[Program]) -> Option<Change> {
    let at = fields.needed_time("at");
    let policy = fields.value::<PolicyKind>("policy");
    let spot = fields.spot("program");
    let name = fields.text("program");
    let hints = fields.table("hints").map(|mut fields| {
        let given = given_hints(&mut fields);
        fields.finish();
        given
    });
    let facts = fields.table("facts").map(facts);
    fields.finish();
    let is_other = hints.is_some() || facts.is_some();
    let what = match (policy, name, is_other) {
        (Some(policy), None, false) => What::Policy(policy),
        (None, Some(name), true) => {
            let Some(program) = programs.iter().position(|program| program.name == name) else {
                let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
                return spot.refuse(&format!("the name of a program: {}", names.join(", ")));
            };
            What::Program { program, hints: hints.unwrap_or_default(), facts: facts.unwrap_or_default() }
        }
        _ => return spot.refuse("either policy, or program and hints or facts"),
    };
    Some(Change { at: at?, what })
}

#[cfg(test)]
mod tests;
