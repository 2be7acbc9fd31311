//! A short soak: the long one is `cargo xtask bench soak`.

use std::path::Path;
use test_system::machine::{actor, program};
use test_system::wait::seconds;
use test_system::{End, Machine, Program};

#[test]
fn thousands_of_guests_come_work_and_go_then_nothing_has_grown() {
    let machine = Machine::new();
    let server = machine.server(&[]);
    let xcli = machine.xcli();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut command = machine.command(program("load"));
    command.env("XSCHED_SOCKET", machine.socket());
    command.args(["soak", "--cycles", "4000", "--lives", "10", "--server", &server.pid().to_string(), "--"]);
    command.arg(text(Path::new(xcli.get_program()))).args(["run", "--"]).arg(actor()).args(["job", "exit:0"]);
    let soak = Program::start(command);
    let end = soak.wait_for_end_within(seconds(120));
    assert_eq!(end, End::Exit(0), "{}\n{}", soak.whole_output().join("\n"), soak.errors());
    assert_eq!(soak.whole_output().iter().filter(|line| line.starts_with("| 4000 |")).count(), 1);
}
