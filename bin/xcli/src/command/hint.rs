//! `xcli hint`: tells the scheduler something about a queue or a program that already runs.

use crate::args::{HintFlags, kind};
use crate::context::Context;
use crate::failure::Failure;
use clap::Args;
use serde::Serialize;
use xsched_client::Target;
use xsched_core::{ClientId, HintKind, QueueId};

/// Change hints of a queue, or of all queues of a program
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Hint {
    #[command(flatten)]
    target: TargetFlags,

    #[command(flatten)]
    hints: HintFlags,

    /// Take back what was set by `xcli hint`, so that what the program, its environment or a rule says holds again
    #[arg(long, value_name = "HINT", value_parser = kind)]
    unset: Vec<HintKind>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetFlags {
    /// This queue, as `xcli list` names it
    #[arg(short = 'x', long, alias = "xqueue", value_name = "QUEUE")]
    queue: Option<QueueId>,

    /// All queues of this process, those to come included
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// All queues of this client, as `xcli list` names it
    #[arg(long, value_name = "CLIENT")]
    client: Option<ClientId>,
}

/// What came of one hint, in the shape of its JSON.
#[derive(Debug, Serialize)]
struct Done {
    hint: HintKind,
    /// None: taken back.
    value: Option<i64>,
    /// How many queues it reached.
    queues: u32,
    /// What the asker should know.
    note: Option<String>,
}

impl Hint {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let target = self.target.target()?;
        if self.hints.0.is_empty() && self.unset.is_empty() {
            return Err(Failure::usage(
                "which hint? For instance --priority N; `xcli hint --help` lists all",
            ));
        }
        let mut client = context.connect()?;
        let mut done: Vec<Done> = Vec::new();
        let set = self.hints.0.iter().map(|hint| (hint.kind(), Some(*hint)));
        for (kind, hint) in set.chain(self.unset.iter().map(|kind| (*kind, None))) {
            let asked = match hint {
                Some(hint) => client.hint(target.clone(), hint),
                None => client.unset(target.clone(), kind),
            };
            let (queues, note) = asked.map_err(|error| {
                let mut failure = Failure::from(error);
                // What was set stays set, so it is said.
                failure.message.insert_str(0, &done.iter().map(Done::text).collect::<String>());
                failure
            })?;
            done.push(Done { hint: kind, value: hint.map(xsched_core::Hint::value), queues, note });
        }
        context.output.result(&done, || done.iter().map(Done::text).collect())
    }
}

impl TargetFlags {
    fn target(&self) -> Result<Target, Failure> {
        let queue = self.queue.map(Target::Queue);
        let pid = self.pid.map(Target::Pid);
        let client = self.client.map(Target::Client);
        // clap demands exactly one.
        queue.or(pid).or(client).ok_or_else(|| Failure::usage("give one of --queue, --pid and --client"))
    }
}

impl Done {
    fn text(&self) -> String {
        let info = self.hint.info();
        let queues = if self.queues == 1 { "queue" } else { "queues" };
        let note = self.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let change =
            self.value.map_or_else(|| "taken back".to_owned(), |value| format!("{value}{} set", info.unit));
        format!("{} {change} for {} {queues}{note}\n", info.name, self.queues)
    }
}
