//! `xcli trace`: what happens for a while, as a file for a viewer.

use crate::context::Context;
use crate::failure::Failure;
use crate::trace::{Story, chrome, perfetto};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xsched_core::Value;
use xsched_core::account::What;
use xsched_core::status::ClientStatus;

/// How often the server is asked: what it keeps meanwhile is enough for 300,000 happenings in a second.
const EVERY: Duration = Duration::from_millis(100);

/// Write what happens for a while into a file for ui.perfetto.dev (or chrome://tracing, if its name ends in .json)
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// The file, which must not exist yet
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// For how long; Ctrl-C ends it before
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    time: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    happenings: usize,
    lost: u64,
}

fn duration(text: &str) -> Result<Duration, xsched_core::text::Expected> {
    Value::parse(text)
}

impl Trace {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", self.output.display()));
        let mut client = context.connect()?;
        // Before anything is asked: who gave a name that is taken should not find out after ten seconds.
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).open(&self.output).map_err(failed)?;
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, is_over.clone()).map_err(failed)?;
        }
        let (mut happenings, mut next, _) = client.follow(None)?;
        let mut processes = client.list()?;
        let start = client.status()?.totals.map(|totals| totals.now).unwrap_or_default();
        let (begin, mut lost) = (Instant::now(), 0);
        while begin.elapsed() < self.time && !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(EVERY.min(self.time.saturating_sub(begin.elapsed())));
            let (more, then, missed) = client.follow(Some(next))?;
            (next, lost) = (then, lost + missed);
            let has_joined = more.iter().any(|happening| matches!(happening.what, What::Joined { .. }));
            happenings.extend(more);
            // Those who came meanwhile have names too, if they stay long enough.
            if has_joined {
                for process in client.list()? {
                    if !processes.iter().any(|known| known.client == process.client) {
                        processes.push(ClientStatus { queues: Vec::new(), ..process });
                    }
                }
            }
        }
        let end = client.status()?.totals.map(|totals| totals.now).unwrap_or_default();
        let story = Story::new(&processes, &happenings, start, end);
        let is_json = self.output.extension().is_some_and(|extension| extension == "json");
        let bytes = if is_json { chrome::bytes(&story) } else { perfetto::bytes(&story) };
        std::io::Write::write_all(&mut file, &bytes).map_err(failed)?;
        let file = self.output.display().to_string();
        let written = Written { file, happenings: happenings.len(), lost };
        context.output.result(&written, || {
            let viewer = if is_json { "chrome://tracing or ui.perfetto.dev" } else { "ui.perfetto.dev" };
            let lost = if lost > 0 { format!(" ({lost} were lost)") } else { String::new() };
            format!("{} has {} happenings{lost}; open it in {viewer}\n", written.file, written.happenings)
        })
    }
}
