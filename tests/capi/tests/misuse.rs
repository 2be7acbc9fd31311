//! Everything done wrong, by one thread and then by 32 at random (c/misuse.c): errors, never a crash, a hang, a race or an error of memory.
//!
//! Three seconds of each, or for as long as `MISUSE_SECONDS` says where a tool looks on: `cargo xtask test misuse` is that, for a minute. ThreadSanitizer needs libraries that
//! are built for it: `TSAN_LIBRARIES` is the folder with them, `TSAN_RUNTIME` their runtime. There is no stand-in in that run, for nothing of its own could be seen in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use test_capi::Interface::{Cuda, OpenCl};
use test_capi::{Settings, World, by_everybody, common, sources, without_stand_ins};
use test_system::wait::seconds;
use test_system::{End, Program};

/// For how long a test lasts that a tool looks on at, and the others for.
fn length() -> u32 {
    std::env::var("MISUSE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Runs the program for so long, which must end well, say nothing else, and within a bound.
fn is_well(mut command: Command, settings: Settings<'_>, length: u32) -> String {
    command.arg(length.to_string()).envs(settings.iter().copied());
    let program = Program::start(command);
    // Until then each thread has left what it waits in, slow as a tool may make it.
    let end = program.wait_for_end_within(seconds(u64::from(length) + 240));
    assert_eq!(end, End::Exit(0), "{}", program.errors());
    assert_eq!(program.whole_output(), ["all is well"]);
    program.errors()
}

#[test]
fn misused_by_one_and_by_many_threads_then_it_answers_errors_and_neither_ends_nor_hangs() {
    for interface in [OpenCl, Cuda] {
        by_everybody("misuse", interface);
        without_stand_ins("misuse", interface);
    }
}

#[test]
fn misused_for_as_long_as_asked_under_a_server_then_it_neither_ends_nor_hangs() {
    if length() <= 3 {
        return println!("left out: MISUSE_SECONDS asks for no more than the other tests do");
    }
    let world = World::new();
    let _server = world.machine.server(&[]);
    for interface in [OpenCl, Cuda] {
        let program = world.compile("misuse", interface);
        is_well(world.command(&program, interface, true), &[], length());
    }
}

#[test]
fn misused_under_valgrind_then_no_memory_is_used_that_is_not_there() {
    let world = World::new();
    let program = world.compile("misuse", Cuda);
    let _server = world.machine.server(&[]);
    let mut command = world.command(Path::new("valgrind"), Cuda, true);
    // Each thread has its turn soon, so that nobody waits for one that never comes.
    command.args(["-q", "--error-exitcode=9", "--fair-sched=yes", "--max-threads=600"]).arg(program);
    is_well(command, &[], length());
}

#[test]
fn misused_under_thread_sanitizer_then_there_is_no_race() {
    let Some(libraries) = std::env::var_os("TSAN_LIBRARIES").map(PathBuf::from) else {
        return println!("left out: TSAN_LIBRARIES names no libraries that are built for it");
    };
    let world = World::new();
    let folder = world.machine.folder();
    for (library, name) in [("libxsched.so", "libxsched.so"), ("libfake_cuda.so", "libcuda.so.1")] {
        std::os::unix::fs::symlink(libraries.join(library), folder.join(name)).unwrap();
    }
    let _server = world.machine.server(&[]);
    let run = |program: &Path| {
        let mut command = world.machine.command(program);
        command.env("LD_LIBRARY_PATH", folder).env("XSCHED_SOCKET", world.machine.socket());
        command.env("TSAN_OPTIONS", "halt_on_error=1:exitcode=66");
        command
    };
    // Whoever sees nothing may be blind.
    let racy = Program::start(run(&compile_for_thread_sanitizer(folder, &["-DRACE"])));
    assert_eq!(racy.wait_for_end(), End::Exit(66), "{}", racy.errors());
    assert!(racy.errors().contains("data race"), "{}", racy.errors());

    let program = compile_for_thread_sanitizer(folder, &[]);
    let said = is_well(run(&program), &[], length());
    assert!(!said.contains("ThreadSanitizer"), "{said}");
}

/// The program with the runtime that the Rust libraries are made for.
fn compile_for_thread_sanitizer(folder: &Path, flags: &[&str]) -> PathBuf {
    let runtime = std::env::var_os("TSAN_RUNTIME").expect("TSAN_RUNTIME names the libraries' runtime");
    let (object, program) = (folder.join("misuse.o"), folder.join("misuse-tsan"));
    let gcc = |arguments: &mut dyn FnMut(&mut Command)| {
        let mut gcc = Command::new("gcc");
        arguments(&mut gcc);
        let output = gcc.output().expect("install gcc (Debian)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    gcc(&mut |gcc| {
        gcc.args(["-std=gnu11", "-O1", "-g", "-fsanitize=thread", "-DON_CUDA", "-c"]).args(flags);
        gcc.arg(sources().join("misuse.c")).arg("-o").arg(&object);
        gcc.arg("-I")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include"))
            .arg("-I")
            .arg(common());
    });
    gcc(&mut |gcc| {
        gcc.arg(&object).arg("-o").arg(&program).arg("-rdynamic");
        gcc.arg("-Wl,--whole-archive").arg(&runtime).arg("-Wl,--no-whole-archive");
        gcc.arg("-L").arg(folder).args([
            "-l:libxsched.so",
            "-l:libcuda.so.1",
            "-ldl",
            "-lpthread",
            "-lm",
            "-lrt",
        ]);
    });
    program
}
