//! Programs that never end: one that is always busy, one that launches now and then and never waits, and one that launches a little at a time.

use crate::work::{LEGACY, NON_BLOCKING, PER_THREAD, Work};
use cuda_suite::cu::{Code, Handle, done};
use std::io::Write;
use std::ptr::null_mut;
use std::time::Duration;

/// What is launched, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Kernels on a stream that the program made.
    Made,
    /// Kernels on the default stream.
    Legacy,
    /// Kernels on the thread's default stream.
    PerThread,
    /// Graphs on a stream that the program made.
    Graph,
}

/// What a step launches.
struct Step {
    stream: Handle,
    graph: Option<Handle>,
    microseconds: u64,
}

impl Step {
    fn new(work: &Work, kind: Kind, microseconds: u64) -> Result<Step, Code> {
        let stream = match kind {
            Kind::Made | Kind::Graph => work.stream(NON_BLOCKING)?,
            Kind::Legacy => LEGACY,
            Kind::PerThread => PER_THREAD,
        };
        let graph = (kind == Kind::Graph).then(|| {
            let (mut graph, mut exec) = (null_mut(), null_mut());
            // SAFETY: a stream of this program, and places for the answers.
            unsafe {
                done((work.cu.cuStreamBeginCapture_v2)(stream, 2))?;
                work.spin(microseconds, stream)?;
                done((work.cu.cuStreamEndCapture)(stream, &raw mut graph))?;
                done((work.cu.cuGraphInstantiateWithFlags)(&raw mut exec, graph, 0))?;
            }
            Ok::<Handle, Code>(exec)
        });
        Ok(Step { stream, graph: graph.transpose()?, microseconds })
    }

    fn launch(&self, work: &Work) -> Result<(), Code> {
        match self.graph {
            // SAFETY: a graph and a stream of this program.
            Some(graph) => done(unsafe { (work.cu.cuGraphLaunch)(graph, self.stream) }),
            None => work.spin(self.microseconds, self.stream),
        }
    }
}

/// Launches 4 × 0.5 ms and waits, again and again.
pub(crate) fn busy(work: &Work, kind: Kind) -> Result<(), Code> {
    let step = Step::new(work, kind, 500)?;
    for number in 1u64.. {
        for _ in 0..4 {
            step.launch(work)?;
        }
        work.sync(step.stream)?;
        say(number);
    }
    Ok(())
}

/// Launches 1 ms each 30 ms, and never waits.
pub(crate) fn sparse(work: &Work, kind: Kind) -> Result<(), Code> {
    let step = Step::new(work, kind, 1000)?;
    for number in 1u64.. {
        step.launch(work)?;
        say(number);
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

/// As a program that is bound by its processor: requests of 30 × 50 µs with pauses of 0.5 ms in between, then it waits; one each 30 ms or so.
pub(crate) fn eager(work: &Work, kind: Kind) -> Result<(), Code> {
    let step = Step::new(work, kind, 50)?;
    for number in 1u64.. {
        for _ in 0..30 {
            step.launch(work)?;
            std::thread::sleep(Duration::from_micros(500));
        }
        work.sync(step.stream)?;
        say(number);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn say(number: u64) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "step {number}").and_then(|()| out.flush());
}
