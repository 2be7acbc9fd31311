//! The layers, and the exceptions. This is the file to edit when a crate is added.
//!
//! Folders are relative to the root of the workspace; a `*` stands for one folder name. An exception that nothing needs any more
//! fails the test, so that the lists stay short.

/// A layer: its number, its folders. A crate may use crates of lower layers only. Where two rows fit, the first one holds.
pub const LAYERS: &[(u8, &[&str])] = &[
    (1, &["crates/core"]),
    (2, &["crates/hal", "crates/rules", "crates/trace"]),
    (3, &["crates/sched", "crates/queue", "crates/ipc", "platforms/*/control"]),
    (4, &["crates/runtime", "crates/sim", "crates/http"]),
    (5, &["crates/client", "platforms/*"]),
    (6, &["bin/*", "lib"]),
];

/// Folders outside the layers: nothing in a layer may use them. What they may use is said by [`MayUse`].
pub const OUTSIDE: &[(&str, MayUse)] = &[
    ("crates/shim", MayUse::Nothing),
    ("shims/*", MayUse::Only("crates/shim")),
    ("rust", MayUse::Nothing),
    ("xtask", MayUse::Anything),
    ("packaging/*", MayUse::Anything),
    ("tests/*", MayUse::Anything),
    ("tests/fakes/*", MayUse::Anything),
    ("examples/*", MayUse::Anything),
];

/// What a crate outside the layers may use of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayUse {
    /// No crate of ours.
    Nothing,
    /// This crate.
    Only(&'static str),
    /// Any crate in a layer.
    Anything,
}

/// Uses within one layer: who, whom, why. They must not form a circle, which cargo sees to.
pub const BESIDE: &[(&str, &str, &str)] =
    &[("crates/ipc", "crates/queue", "the words of the shared page are the queue's gate and activity words")];

/// Uses of crates that are not below, by tests and benchmarks only (`[dev-dependencies]`): who, whom, why.
pub const IN_TESTS: &[(&str, &str, &str)] = &[
    (
        "platforms/levelzero",
        "tests/fakes/levelzero",
        "a simulated driver, so that the real loader has a device",
    ),
    ("bin/xserver", "tests/fakes/rm", "a simulated control device, for guests to lend"),
    ("bin/xserver", "tests/fakes/rm-preload", "makes it the real thing to the real server"),
];

/// Crates that live in a scheduled program: they must not end it, and must not write to its output.
pub const GUESTS: &[&str] = &[
    "crates/hal",
    "crates/sched",
    "crates/queue",
    "crates/ipc",
    "crates/runtime",
    "crates/shim",
    "platforms/*",
    "platforms/*/control",
    "shims/*",
    "lib",
];

/// What guests must not do although they do it: file (or folder, with a slash at its end), which word, why it is right there.
pub const GUEST_EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Who may read the environment (rust: a program's own part, without anything of ours). Their tests, and everything outside the layers but shims, may too.
pub const READS_ENVIRONMENT: &[&str] = &["crates/runtime/src/config.rs", "bin/", "rust/"];

/// Where names of vendors and of their interfaces may stand in code (comments may name them anywhere).
pub const KNOWS_VENDORS: &[&str] = &[
    "platforms/",
    "shims/",
    "rust/",
    "lib/src/platforms.rs",
    "bin/xserver/src/interrupt/platforms.rs",
    "lib/src/capi/hal.rs",
    "crates/core/src/config.rs",
    "xtask/",
    "tests/",
    "examples/",
];

/// Names of vendors and of their interfaces, long enough to be found within a word (`XSCHED_OPENCL_LIB`, `libcuda`).
pub const VENDORS: &[&str] =
    &["opencl", "cuda", "cudla", "levelzero", "level_zero", "nvidia", "radeon", "rocm", "corex", "pocl"];

/// The same, too short for that: they count as whole words (`HipQueue`, `vpi_stream`).
pub const VENDOR_WORDS: &[&str] = &["hip", "vpi", "ascend", "amd", "cl"];

/// What the scheduler must not touch: it is told the time, and does no I/O. A path stands for all that begins with it.
pub const NOT_IN_SCHED: &[&str] = &[
    "Instant",
    "SystemTime",
    "rustix",
    "std::thread",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::os",
];

/// Licences that a crate of others may have; where it offers a choice, one of these must be in it. A product of ours is given out under
/// Apache-2.0, so what is linked into it must not ask for more than to be named.
pub const LICENCES: &[&str] =
    &["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0"];

/// Crates of others that nothing here may use, not even through another: name, why, what instead.
pub const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "a C library with a life of its own; nothing here speaks TLS"),
    ("parking_lot", "loom cannot look into its locks; std's are as good"),
    ("paste", "archived; macro_rules can do without"),
    ("linkme", "explicit lists read better"),
    ("inventory", "explicit lists read better"),
    ("ctor", "nothing of ours runs in a program before its main"),
];
