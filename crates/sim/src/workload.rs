//! What is simulated: devices, programs, and what changes meanwhile. `read` makes it from a file, and docs/sim.md says what each means.

use crate::law::Law;
use std::time::Duration;
use xsched_core::{Fact, Hint, Hints, Level, named_values};
use xsched_sched::{PolicyKind, Settings};

/// Everything that decides how a run comes out.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What it is about, for the picture.
    pub title: Option<String>,
    /// Who decides.
    pub policy: PolicyKind,
    /// The times that the scheduler goes by.
    pub settings: Settings,
    /// How long to run.
    pub duration: Duration,
    /// What chance begins with.
    pub seed: u64,
    /// The part of the run that the timeline shows; all of it if none is given.
    pub draw: Option<(Duration, Duration)>,
    /// At least one.
    pub devices: Vec<DeviceSpec>,
    /// At least one.
    pub programs: Vec<Program>,
    /// In the order of the file.
    pub changes: Vec<Change>,
}

named_values! {
    /// What a device does with commands of several queues.
    pub enum Sharing {
        /// It runs them in the order in which they were launched.
        InOrder = "in-order",
        /// It runs the first one of each queue, each with an equal part of the device.
        Fair = "fair",
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceSpec {
    /// Its name in the file.
    pub name: String,
    /// What can be held back of a suspended program.
    pub level: Level,
    /// What it does with commands of several queues.
    pub sharing: Sharing,
    /// How many commands run at full speed at the same time.
    pub engines: u32,
    /// At level *interrupt*: for how long the device is taken when a command is switched out, and again when it goes on.
    pub switch: Duration,
    /// How long it takes to find out that a queue is idle whose program does not wait for it.
    pub watch: Duration,
}

impl DeviceSpec {
    /// A device at Level 1 that runs one command at a time.
    pub fn new(name: impl Into<String>) -> DeviceSpec {
        DeviceSpec {
            name: name.into(),
            level: Level::Block,
            sharing: Sharing::InOrder,
            engines: 1,
            switch: Duration::ZERO,
            watch: Duration::from_micros(500),
        }
    }
}

/// When requests come. Each queue of a program has its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// Every so often, whether or not the last one is done.
    Periodic {
        /// From one to the next.
        every: Duration,
        /// How many at once.
        burst: u32,
    },
    /// At random, as many independent users make them: exponential distances with this mean.
    Poisson(Duration),
    /// The next one comes so long after the last one is done (or launched, if the program never waits).
    Closed(Law),
    /// At these times after the program's start.
    At(Vec<Duration>),
}

named_values! {
    /// When a program's thread waits for its commands.
    pub enum Waits {
        /// For each command, before it goes on.
        Command = "command",
        /// At the end of each request.
        Request = "request",
        /// Never: it launches on, as far as `in_flight` lets it.
        Never = "never",
    }
}

/// A program, or several that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Its name in the file.
    pub name: String,
    /// How many processes there are of it.
    pub count: u32,
    /// A name that joins processes into one unit of suspension.
    pub group: Option<String>,
    /// Indexes of the devices that it uses.
    pub devices: Vec<usize>,
    /// Queues on each device, each with a thread that feeds it.
    pub queues: u32,
    /// Given to each process.
    pub hints: Hints,
    /// What the system says about each process.
    pub facts: Vec<Fact>,
    /// When requests come.
    pub arrivals: Arrivals,
    /// Before the first one, or for the beginning of the period.
    pub offset: Law,
    /// Commands of a request.
    pub commands: u32,
    /// Device time of a command.
    pub length: Law,
    /// What the thread does between two commands of a request, beside the device.
    pub pause: Law,
    /// When the thread waits for the device.
    pub waits: Waits,
    /// The most commands of a queue that are launched and not done.
    pub in_flight: u32,
    /// The most device time of a queue in flight while somebody more urgent may come.
    pub window: Duration,
    /// When its processes start.
    pub start: Duration,
    /// When they end, if before the run does.
    pub stop: Option<Duration>,
}

impl Program {
    /// A program on the first device that launches commands of this length as fast as it can, and has ten in flight.
    pub fn greedy(name: impl Into<String>, length: Duration) -> Program {
        Program {
            name: name.into(),
            count: 1,
            group: None,
            devices: vec![0],
            queues: 1,
            hints: Hints::default(),
            facts: Vec::new(),
            arrivals: Arrivals::Closed(Law::Constant(Duration::ZERO)),
            offset: Law::Constant(Duration::ZERO),
            commands: 1,
            length: Law::Constant(length),
            pause: Law::Constant(Duration::ZERO),
            waits: Waits::Never,
            in_flight: 10,
            window: Duration::from_millis(1),
            start: Duration::ZERO,
            stop: None,
        }
    }
}

/// Something that is changed while programs run.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Another policy.
    Policy(PolicyKind),
    /// All processes of a program.
    Program {
        /// Index of the program.
        program: usize,
        /// Hints that it gets.
        hints: Vec<Hint>,
        /// Facts that are others now.
        facts: Vec<Fact>,
    },
}

impl Workload {
    /// A run of `duration` under `policy`, on one device and without a program yet.
    pub fn new(policy: PolicyKind, duration: Duration) -> Workload {
        Workload {
            title: None,
            policy,
            settings: Settings::default(),
            duration,
            seed: 1,
            draw: None,
            devices: vec![DeviceSpec::new("device")],
            programs: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// How many queues it has.
    pub fn queues(&self) -> u64 {
        let of = |program: &Program| {
            u64::from(program.count) * u64::from(program.queues) * program.devices.len() as u64
        };
        self.programs.iter().map(of).sum()
    }
}
