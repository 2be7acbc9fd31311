//! The Rust crate in a program whose stand-in has opened libxsched: both use the same one, and the server hears what it says.

use test_system::wait::PATIENCE;
use test_system::{End, Machine, Program, eventually};
use xsched_core::{HintKind, HintSource};

/// Waits until the program's queue has this priority, from there.
fn holds(machine: &Machine, program: &Program, priority: i64, source: HintSource) {
    eventually(&format!("{priority} by {source}"), PATIENCE, || {
        let queue = machine.find(program.pid()).and_then(|client| client.queues.into_iter().next());
        let kind = HintKind::Priority;
        queue.is_some_and(|queue| queue.hints[&kind] == priority && queue.origins[&kind].source == source)
    });
}

#[test]
fn a_new_server_is_told_what_a_program_gave_while_there_was_another_one_or_none() {
    let machine = Machine::new();
    let server = machine.server(&[]);
    let mut program = machine.actor(1, &["rust-api", "say:done"]);
    program.hears("api given");
    holds(&machine, &program, 4, HintSource::Program);
    server.crash();
    let server = machine.server(&[]);
    holds(&machine, &program, 4, HintSource::Program);
    server.crash();
    program.tell("");
    program.hears("api scope");
    let _server = machine.server(&[]);
    holds(&machine, &program, 6, HintSource::Program);
}

#[test]
fn a_program_that_uses_the_crate_steers_its_queues_and_the_server_knows_that_it_did() {
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mut program = machine.actor(1, &["rust-api", "say:done"]);
    let library = program.hears("library ");
    let staged = machine.library_folder().join("libxsched.so").canonicalize().unwrap();
    assert_eq!(std::path::Path::new(&library), staged, "the stand-in's");
    for (says, priority, source) in [
        ("api given", 4, HintSource::Program),
        ("api scope", 6, HintSource::Program),
        ("api over", 4, HintSource::Program),
        ("api process", 8, HintSource::Program),
        ("api end", 1, HintSource::Environment),
    ] {
        program.hears(says);
        holds(&machine, &program, priority, source);
        program.tell("");
    }
    program.hears("done");
    assert_eq!(program.wait_for_end(), End::Exit(0), "{}", program.errors());
    let output = program.output();
    assert!(output.contains(&"submitted false true".to_owned()), "{output:?}");
    assert!(program.warnings().is_empty(), "{:?}", program.warnings());
}
