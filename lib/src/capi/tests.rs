//! The headers and this library say the same.

use super::{command, hal, hint, process, queue, types};
use std::path::Path;
use std::process::Command;
use xsched_core::hint::HINTS;
use xsched_core::{HintKind, Level};
use xsched_sched::POLICIES;

/// A C file that includes the headers, and says everything once more as it is in Rust. It compiles only if both agree.
fn said_again() -> String {
    let mut c = String::from(
        "#include \"xsched/xsched.h\"\n#include \"xsched/process.h\"\n#include \"xsched/opencl/hal.h\"\n#include \"xsched/cuda/hal.h\"\n#include \"xsched/levelzero/hal.h\"\n",
    );
    let all =
        [queue::PROTOTYPES, command::PROTOTYPES, hint::PROTOTYPES, hal::PROTOTYPES, process::PROTOTYPES]
            .concat();
    assert!(all.len() > 28);
    for (name, types) in all {
        let types: Vec<String> = types.iter().map(|rust| in_c(rust)).collect();
        c += &format!("XResult {name}({});\n", types.join(", "));
    }
    for (name, size, is_signed) in TYPES {
        c += &format!("_Static_assert(sizeof({name}) == {size}, \"\");\n");
        c += &format!("_Static_assert((({name})-1 > ({name})1) != {}, \"\");\n", i32::from(*is_signed));
    }
    for (name, value) in values() {
        c += &format!("_Static_assert({name} == {value}, \"{name}\");\n");
    }
    c
}

fn in_c(rust: &str) -> String {
    match rust {
        "i64" => "int64_t".into(),
        "usize" => "size_t".into(),
        "*mut c_void" => "void *".into(),
        "*mut i64" => "int64_t *".into(),
        "ClQueue" => "struct _cl_command_queue *".into(),
        "CuStream" => "struct CUstream_st *".into(),
        "ZeDevice" => "struct _ze_device_handle_t *".into(),
        "ZeQueue" => "struct _ze_command_queue_handle_t *".into(),
        "ZeList" => "struct _ze_command_list_handle_t *".into(),
        other => match other.strip_prefix("*mut ") {
            Some(pointee) => format!("{pointee} *"),
            None => other.into(),
        },
    }
}

macro_rules! c_types {
    ($($name:ident)*) => { &[$((stringify!($name), size_of::<types::$name>(), types::$name::MIN != 0)),*] };
}

/// Number types: their sizes, and whether they have a sign. (C leaves open whether an enum has.)
const TYPES: &[(&str, usize, bool)] =
    c_types!(XQueueHandle HwQueueHandle HwCommandHandle Priority Utilization Timeslice Laxity Deadline);

/// Values that the headers have, as they follow from our tables.
fn values() -> Vec<(String, i64)> {
    let level = |level: Level| i64::from(level.number());
    let (priority, share) = (HintKind::Priority.info(), HintKind::Utilization.info());
    let slice = HintKind::Timeslice.info();
    let mut values: Vec<(&str, i64)> = vec![
        ("kPreemptLevelBlock", level(Level::Block)),
        ("kPreemptLevelDeactivate", level(Level::Deactivate)),
        ("kPreemptLevelInterrupt", level(Level::Interrupt)),
        ("kPreemptLevelMax", level(Level::Interrupt) + 1),
        ("PRIORITY_NO_EXECUTE", xsched_core::hint::PRIORITY_NO_EXECUTE),
        ("PRIORITY_MIN", priority.min + 1),
        ("PRIORITY_DEFAULT", priority.default),
        ("PRIORITY_MAX", priority.max),
        ("UTILIZATION_MIN", share.min),
        ("UTILIZATION_DEFAULT", share.default),
        ("UTILIZATION_MAX", share.max),
        ("TIMESLICE_MIN", slice.min),
        ("TIMESLICE_DEFAULT", slice.default),
        ("TIMESLICE_MAX", slice.max),
        ("(Timeslice)TIMESLICE_UNLIMITED", types::TIMESLICE_UNLIMITED),
        ("NO_LAXITY", HintKind::Laxity.info().default),
        ("NO_DEADLINE", HintKind::Deadline.info().default),
        ("kQueueCreateFlagBlockingSubmit", types::CREATE_BLOCKING_SUBMIT),
        ("kQueueSuspendFlagSyncHwQueue", types::SUSPEND_SYNC_HW_QUEUE),
        ("kQueueSuspendFlagWaitAll", types::SUSPEND_WAIT_ALL),
        ("kQueueSuspendFlagWaitIdle", types::SUSPEND_WAIT_IDLE),
        ("kQueueResumeFlagDropCommands", types::RESUME_DROP_COMMANDS),
        ("kQueueStateIdle", types::STATE_IDLE.into()),
        ("kQueueStateReady", types::STATE_READY.into()),
        ("kSchedulerAppManaged", types::APP_MANAGED.into()),
        ("kSchedulerLocal", types::LOCAL.into()),
        ("kSchedulerGlobal", types::GLOBAL.into()),
        ("kPolicyMax", types::POLICY_MAX.into()),
        ("kXSchedSuccess", types::XResult::SUCCESS.0.into()),
        ("kXSchedErrorHardware", types::XResult::HARDWARE.0.into()),
        ("kXSchedErrorInvalidValue", types::XResult::INVALID_VALUE.0.into()),
        ("kXSchedErrorNotFound", types::XResult::NOT_FOUND.0.into()),
        ("kXSchedErrorNotAllowed", types::XResult::NOT_ALLOWED.0.into()),
        ("kXSchedErrorNotSupported", types::XResult::NOT_SUPPORTED.0.into()),
        ("kXSchedErrorUnknown", types::XResult::UNKNOWN.0.into()),
    ];
    let hints = HINTS.iter().map(|info| (hint_in_c(info.name), i64::from(info.kind as u8)));
    let hints: Vec<(String, i64)> = hints.collect();
    for info in POLICIES {
        let name = POLICY_NAMES.iter().find(|(short, _)| *short == info.name);
        let (_, name) =
            name.unwrap_or_else(|| panic!("{}: say its name in C here and in types.h", info.name));
        values.push((name, info.number.into()));
    }
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(hints).collect()
}

/// `kHintLaxPriority`; C has a capital D in one where we have none.
fn hint_in_c(name: &str) -> String {
    let words = name.replace("kdeadline", "k_deadline");
    let words = words.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    format!("kHint{}", words.collect::<String>())
}

/// What our policies are called in C.
const POLICY_NAMES: &[(&str, &str)] = &[
    ("HPF", "kPolicyHighestPriorityFirst"),
    ("HHPF", "kPolicyHeterogeneousHighestPriorityFirst"),
    ("CHPF", "kPolicyCPUHighestPriorityFirst"),
    ("UP", "kPolicyUtilizationPartition"),
    ("PUP", "kPolicyProcessUtilizationPartition"),
    ("SPUP", "kPolicyStrictProcessUtilizationPartition"),
    ("KEDF", "kPolicyKEarliestDeadlineFirst"),
    ("LAX", "kPolicyLaxity"),
    ("AWF", "kPolicyActiveWindowFirst"),
    ("CFS", "kPolicyCompletelyFairScheduler"),
    ("MLFQ", "kPolicyMultiLevelFeedbackQueue"),
    ("EDF", "kPolicyEarliestDeadlineFirst"),
    ("SRTF", "kPolicyShortestRemainingTimeFirst"),
    ("PSL", "kPolicyProportionalShareWithLatencyClass"),
];

fn include() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../include"))
}

fn compile(source: &str, options: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said_again.c");
    std::fs::write(&file, source).unwrap();
    let mut cc = Command::new("gcc");
    cc.args(options).args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DCL_TARGET_OPENCL_VERSION=120"]);
    let output = cc.arg("-I").arg(include()).arg(&file).output().expect("install gcc");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn the_headers_say_what_the_library_has() {
    compile(&said_again(), &["-std=c11"]).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn a_difference_between_them_is_seen() {
    let differs = said_again() + "XResult XQueueDestroy(int);\n";
    assert!(compile(&differs, &["-std=c11"]).unwrap_err().contains("XQueueDestroy"));
}

#[test]
fn the_headers_are_c99_and_cpp() {
    let c = "#include \"xsched/xsched.h\"\nint main(void) { return kXSchedSuccess; }\n";
    compile(c, &["-std=c99", "-pedantic"]).unwrap_or_else(|e| panic!("{e}"));
    compile(c, &["-x", "c++", "-std=c++11", "-pedantic"]).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn every_function_of_the_headers_is_in_the_library() {
    let all =
        [queue::PROTOTYPES, command::PROTOTYPES, hint::PROTOTYPES, hal::PROTOTYPES, process::PROTOTYPES]
            .concat();
    let mut declared = 0;
    for header in ["xqueue.h", "hint.h", "process.h", "opencl/hal.h", "cuda/hal.h", "levelzero/hal.h"] {
        let text = std::fs::read_to_string(include().join("xsched").join(header)).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("XResult ")) {
            let name = line.split('(').next().unwrap();
            assert!(all.iter().any(|(ours, _)| *ours == name), "{name} is in {header} only");
            declared += 1;
        }
    }
    assert_eq!(declared, all.len());
}
