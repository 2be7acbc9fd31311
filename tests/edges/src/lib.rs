//! What comes in from outside, as functions of arbitrary bytes: each panics if the bytes did what they must not.
//!
//! `fuzz/` hands them to libFuzzer (`cargo xtask fuzz`), and `tests/replay.rs` replays the seeds and random bytes as a plain test. A
//! new target is a file here, a row in [`TARGETS`] and a file in `fuzz/fuzz_targets`; its seeds are written by
//! `cargo xtask fuzz --write-seeds`. Deliberately absent: anything that depends on time, chance or the order of threads, because what
//! was found must be found again.

mod input;
mod message;
mod page;
mod program;
mod rules;
mod server;
mod settings;
mod socket;
mod text;
mod trace;
mod workload;

/// A way in.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, in `fuzz/fuzz_targets` and `fuzz/seeds` too.
    pub name: &'static str,
    /// Takes the bytes in.
    pub run: fn(&[u8]),
    /// What a fuzzer begins with: the real thing, with a name for each.
    pub seeds: fn() -> Vec<Seed>,
}

/// Bytes to begin with, and what they are.
pub type Seed = (&'static str, Vec<u8>);

/// All ways in.
pub const TARGETS: &[Target] = &[
    Target { name: "message", run: message::run, seeds: message::seeds },
    Target { name: "socket", run: socket::run, seeds: socket::seeds },
    Target { name: "page", run: page::run, seeds: page::seeds },
    Target { name: "server", run: server::run, seeds: server::seeds },
    Target { name: "settings", run: settings::run, seeds: settings::seeds },
    Target { name: "program", run: program::run, seeds: program::seeds },
    Target { name: "rules", run: rules::run, seeds: rules::seeds },
    Target { name: "text", run: text::run, seeds: text::seeds },
    Target { name: "trace", run: trace::run, seeds: trace::seeds },
    Target { name: "workload", run: workload::run, seeds: workload::seeds },
];

/// Runs the target with this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(data);
}
