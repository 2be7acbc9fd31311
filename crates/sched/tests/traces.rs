//! Golden tests: each file in `traces/` is a story in virtual time, and the operations that it must lead to.
//!
//! A line is a comment (`#`), settings (`set grace=1ms lease=1s max_suspend=2s grant=10ms linger=10s`), events at a time
//! (`1ms ready q1; idle q2`, handled together, then decided), or an operation that must follow (`> 1ms suspend c2 d1`). Operations
//! stand under the events that they follow from; those of wake-ups carry the time of the wake-up. Events:
//!
//! ```text
//! join c1 g1                       queue q1 c1 d1 priority=10       ready q1        idle q1
//! leave c1                         destroy q1                       hint q1 priority=3
//! hint c1 priority=3               policy HPF                       wait            unset c1 priority
//! regroup c1 g2
//! fact c1 cpu=5                    fact c1 window=1
//! hang q1        from now on its numbers stand still        mute q1     from now on probes of it are not answered
//! move q1        its numbers move again                     probes      from now on probes are shown too
//! long q1        what it launches takes until ...          done q1        ... this
//! ```
//!
//! `set within=process` makes all clients queues of one process, as under a local scheduler.
//!
//! Probes are answered at once; what is in flight when a gate is closed is done at once, except that of `long` queues. `UPDATE_TRACES=1 cargo test` writes what happens into the files; read the difference before
//! you keep it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::hint::HINTS;
use xsched_core::text::Value;
use xsched_core::{ClientId, DeviceId, Event, Fact, Hint, Hints, Operation, QueueId, Time};
use xsched_sched::{PolicyKind, Scheduler, Settings};

#[test]
fn every_trace_leads_to_the_operations_written_under_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "trace"));
    files.sort();
    assert!(files.len() >= 15, "only {} traces in {}", files.len(), folder.display());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let happened = Runner::run(&written).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if happened == written {
            continue;
        }
        if std::env::var_os("UPDATE_TRACES").is_some() {
            std::fs::write(&file, happened).unwrap();
        } else {
            let _ = writeln!(wrong, "{}:\n{}", file.display(), differences(&written, &happened));
        }
    }
    assert!(wrong.is_empty(), "-: written, +: happened\n{wrong}");
}

/// The lines from the first to the last one that differ.
fn differences(written: &str, happened: &str) -> String {
    let (a, b): (Vec<_>, Vec<_>) = (written.lines().collect(), happened.lines().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let show =
        |mark, lines: &[&str]| lines.iter().map(|line| format!("  {mark}{line}\n")).collect::<String>();
    show('-', &a[head..a.len() - tail]) + &show('+', &b[head..b.len() - tail])
}

type Result<T> = std::result::Result<T, String>;

struct Runner {
    scheduler: Scheduler,
    wake: Option<Time>,
    numbers: BTreeMap<QueueId, (u64, u64)>,
    hung: BTreeSet<QueueId>,
    mute: BTreeSet<QueueId>,
    long: BTreeSet<QueueId>,
    show_probes: bool,
    text: String,
}

impl Runner {
    /// The trace with the operations that really follow.
    fn run(trace: &str) -> Result<String> {
        let mut settings = Settings::default();
        let mut within_process = false;
        let mut runner: Option<Runner> = None;
        let mut text = String::new();
        for line in trace.lines() {
            if line.starts_with('>') {
                continue;
            }
            if line.is_empty() || line.starts_with('#') {
                let _ = writeln!(text, "{line}");
            } else if line == "set within=process" {
                within_process = true;
                let _ = writeln!(text, "{line}");
            } else if let Some(line) = line.strip_prefix("set ") {
                read_settings(line, &mut settings).map_err(|e| format!("{line:?}: {e}"))?;
                let _ = writeln!(text, "set {line}");
            } else {
                let runner = runner.get_or_insert_with(|| Runner::new(settings, within_process));
                // Comments stand above their event, below what happened before it.
                let above = std::mem::take(&mut text);
                runner.step(&above, line).map_err(|e| format!("{line:?}: {e}"))?;
            }
        }
        Ok(runner.map_or_else(String::new, |runner| runner.text) + &text)
    }

    fn new(settings: Settings, within_process: bool) -> Runner {
        let scheduler = Scheduler::new(PolicyKind::Hpf, settings);
        Runner {
            scheduler: if within_process { scheduler.within_one_process() } else { scheduler },
            wake: None,
            numbers: BTreeMap::new(),
            hung: BTreeSet::new(),
            mute: BTreeSet::new(),
            long: BTreeSet::new(),
            show_probes: false,
            text: String::new(),
        }
    }

    fn step(&mut self, above: &str, line: &str) -> Result<()> {
        let (time, events) = line.split_once(' ').ok_or("expected TIME EVENT")?;
        let time = Time::ZERO + Duration::parse(time).map_err(|e| e.to_string())?;
        while let Some(wake) = self.wake.filter(|&wake| wake < time) {
            self.decide(wake);
        }
        let _ = writeln!(self.text, "{above}{line}");
        for event in events.split(';') {
            self.event(&event.split_whitespace().collect::<Vec<_>>(), time)?;
        }
        self.decide(time);
        Ok(())
    }

    fn event(&mut self, words: &[&str], now: Time) -> Result<()> {
        let event = match *words {
            ["join", client, group] => Event::ClientJoined { client: id(client)?, group: id(group)? },
            ["regroup", client, group] => Event::ClientMoved { client: id(client)?, group: id(group)? },
            ["leave", client] => Event::ClientLeft { client: id(client)? },
            ["queue", queue, client, device, ref hints @ ..] => {
                let mut all = Hints::default();
                for text in hints {
                    all.set(hint(text)?);
                }
                Event::QueueCreated {
                    queue: id(queue)?,
                    client: id(client)?,
                    device: id(device)?,
                    hints: all,
                }
            }
            ["destroy", queue] => Event::QueueDestroyed { queue: id(queue)? },
            ["ready", queue] => Event::QueueReady { queue: id(queue)? },
            ["idle", queue] => Event::QueueIdle { queue: id(queue)? },
            ["hint", whom, text] if whom.starts_with('c') => {
                Event::ClientHint { client: id::<ClientId>(whom)?, hint: hint(text)? }
            }
            ["hint", queue, text] => Event::QueueHint { queue: id(queue)?, hint: hint(text)? },
            ["unset", client, name] => {
                let kind = HINTS.iter().find(|info| info.name == name).ok_or("no such hint")?.kind;
                Event::ClientUnset { client: id(client)?, kind }
            }
            ["fact", client, fact] => Event::ClientFact { client: id(client)?, fact: read_fact(fact)? },
            ["policy", name] => {
                self.scheduler.set_policy(name.parse().map_err(|e| format!("{e}"))?, now);
                return Ok(());
            }
            ["hang", queue] => {
                self.hung.insert(id(queue)?);
                return Ok(());
            }
            ["mute", queue] => {
                self.mute.insert(id(queue)?);
                return Ok(());
            }
            ["move", queue] => {
                self.mute.remove(&id(queue)?);
                self.hung.remove(&id(queue)?);
                return Ok(());
            }
            ["probes"] => {
                self.show_probes = true;
                return Ok(());
            }
            ["done", queue] => {
                self.long.remove(&id(queue)?);
                self.done(id(queue)?)
            }
            ["long", queue] => {
                self.long.insert(id(queue)?);
                return Ok(());
            }
            ["wait"] => return Ok(()),
            _ => return Err(format!("no such event: {}", words.join(" "))),
        };
        self.scheduler.handle(event, now);
        Ok(())
    }

    /// Decides, writes down what is to be done, and answers probes until there are none.
    fn decide(&mut self, now: Time) {
        loop {
            let mut operations = Vec::new();
            self.wake = self.scheduler.decide(now, &mut operations);
            let mut answered = false;
            for operation in operations {
                let (verb, client, device) = match operation {
                    Operation::Suspend { client, device } => ("suspend", client, device),
                    Operation::Resume { client, device } => ("resume", client, device),
                    Operation::Window { client, device } => ("window", client, device),
                    Operation::Unwindow { client, device } => ("unwindow", client, device),
                    Operation::Await { client, device } => ("await", client, device),
                    Operation::Unawait { client, device } => ("unawait", client, device),
                    Operation::Probe { queue } => {
                        if self.show_probes {
                            let _ = writeln!(self.text, "> {now} probe {queue}");
                        }
                        answered |= self.answer(queue, now);
                        continue;
                    }
                };
                let _ = writeln!(self.text, "> {now} {verb} {client} {device}");
                answered |= self.finish(client, device, now);
            }
            if !answered {
                return;
            }
        }
    }

    /// What is in flight of a process that is held back, and still awaited, is done.
    fn finish(&mut self, client: ClientId, device: DeviceId, now: Time) -> bool {
        if !self.scheduler.is_suspended(client, device) || !self.scheduler.is_awaited(client, device) {
            return false;
        }
        let queues: Vec<_> = self.scheduler.queues_of(client).collect();
        for &queue in &queues {
            if !self.long.contains(&queue) {
                let event = self.done(queue);
                self.scheduler.handle(event, now);
            }
        }
        !queues.is_empty()
    }

    /// All that the queue launched is done.
    fn done(&mut self, queue: QueueId) -> Event {
        let (launched, completed) = self.numbers.entry(queue).or_default();
        *completed = *launched;
        Event::QueueProgress { queue, launched: *launched, completed: *completed }
    }

    fn answer(&mut self, queue: QueueId, now: Time) -> bool {
        let (launched, completed) = self.numbers.entry(queue).or_default();
        if self.mute.contains(&queue) {
            return false;
        }
        if !self.hung.contains(&queue) {
            (*launched, *completed) = (*launched + 2, *completed + 1);
        }
        let event = Event::QueueProgress { queue, launched: *launched, completed: *completed };
        self.scheduler.handle(event, now);
        true
    }
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{text:?} is no number of that kind"))
}

fn hint(text: &str) -> Result<Hint> {
    let (name, value) = text.split_once('=').ok_or("expected HINT=VALUE")?;
    let info = HINTS.iter().find(|info| info.name == name).ok_or_else(|| format!("no hint {name}"))?;
    Hint::parse(info.kind, name, value).map_err(|e| e.to_string())
}

fn read_fact(text: &str) -> Result<Fact> {
    let (name, value) = text.split_once('=').ok_or("expected FACT=VALUE")?;
    let value: i16 = value.parse().map_err(|_| format!("{value:?} is no whole number"))?;
    match name {
        "cpu" => Ok(Fact::CpuPriority(value)),
        "window" => Ok(Fact::ActiveWindow(value != 0)),
        "interruptible" => Ok(Fact::Interruptible(value != 0)),
        _ => Err(format!("no fact {name}")),
    }
}

fn read_settings(line: &str, settings: &mut Settings) -> Result<()> {
    for word in line.split_whitespace() {
        let (name, value) = word.split_once('=').ok_or("expected SETTING=DURATION")?;
        let value = Duration::parse(value).map_err(|e| e.to_string())?;
        match name {
            "grace" => settings.grace = value,
            "lease" => settings.lease = value,
            "max_suspend" => settings.max_suspend = value,
            "grant" => settings.grant = value,
            "handover" => settings.handover = value,
            "linger" => settings.contended_linger = value,
            _ => return Err(format!("no setting {name}")),
        }
    }
    Ok(())
}
