//! `xcli config -x QUEUE -l LEVEL -t N -b N`, by which the C++ version changed a queue while its program ran.
//!
//! Here level and threshold belong to a program, and a rule of the operator's changes them while it runs. So nothing is changed, and the answer is that rule,
//! made out for the program whose queue was named.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::printable;
use clap::Args;
use xsched_core::QueueId;
use xsched_core::status::ClientStatus;
use xsched_core::text::is_printable;

/// What could be changed.
#[derive(Debug, Args)]
pub(crate) struct OfAQueue {
    /// A queue; earlier versions could change it here
    #[arg(short = 'x', long = "xqueue", value_name = "QUEUE", hide = true)]
    queue: Option<QueueId>,

    /// See -x
    #[arg(short, long, value_name = "LEVEL", hide = true, value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Option<u8>,

    /// See -x
    #[arg(short, long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    threshold: Option<u32>,

    /// See -x
    #[arg(short, long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
}

const HOW: &str = "level and threshold are a program's, not a queue's: start it with `xcli run --level`, XSCHED_AUTO_XQUEUE_LEVEL and \
                   XSCHED_AUTO_XQUEUE_THRESHOLD, or change them while it runs by a rule and `xcli rules reload`";
const BATCH: &str = "\nhow many commands are launched in a row, only the program says: XQueueSetLaunchConfig, or \
                     XSCHED_AUTO_XQUEUE_BATCH_SIZE at its start";

impl OfAQueue {
    pub(crate) fn is_given(&self) -> bool {
        self.queue.is_some() || self.level.is_some() || self.threshold.is_some() || self.batch_size.is_some()
    }

    /// What to do instead; with the rule itself, if a server can be asked whose queue that is.
    pub(crate) fn answer(&self, context: &Context) -> Failure {
        let mut message = HOW.to_owned();
        if self.level.is_some() || self.threshold.is_some() {
            message += &self.queue.and_then(|queue| self.rule(queue, context)).unwrap_or_default();
        }
        if self.batch_size.is_some() {
            message += BATCH;
        }
        Failure::usage(message)
    }

    fn rule(&self, queue: QueueId, context: &Context) -> Option<String> {
        let mut server = context.connect().ok()?;
        let programs = server.list().ok()?;
        let is_its = |program: &&ClientStatus| program.queues.iter().any(|known| known.queue == queue);
        let Some(program) = programs.iter().find(is_its) else {
            return Some(format!("\nthere is no queue {queue}; `xcli list` has those that there are"));
        };
        let file = server.rules().ok().and_then(|rules| rules.file);
        let file =
            file.unwrap_or_else(|| "/etc/xsched/rules.toml, or what xserver's setting `rules` names".into());
        let mut text = format!(
            "\nfor all queues of {} ({}), {queue} among them, in {}:\n\n[[rule]]\nprogram = \"{}\"\n",
            printable(&program.program),
            program.pid,
            printable(&file),
            pattern(&program.program),
        );
        for (key, value) in [("level", self.level.map(u32::from)), ("threshold", self.threshold)] {
            text += &value.map(|value| format!("{key} = {value}\n")).unwrap_or_default();
        }
        Some(text)
    }
}

/// A rule's pattern for this name, without what means something in a pattern or in TOML.
fn pattern(name: &str) -> String {
    let is_plain = |c: char| is_printable(c) && !['*', '?', '[', ']', '\\', '"'].contains(&c);
    name.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
}
