//! The examples about what the user looks at: windows, and panes of a terminal. Tests are the window manager and the user.

use crate::{build, examples, says_only, sessions, stage};
use test_system::machine::program;
use test_system::wait::PATIENCE;
use test_system::{End, Machine, Program, Screen, eventually};

fn policy(machine: &Machine, name: &str) {
    assert!(machine.xcli().args(["policy", name]).output().unwrap().status.success());
}

/// How many pictures it says in its last line that it shows in a second.
fn rate(program: &Program) -> f64 {
    let lines = program.output();
    let rate = lines.last().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    rate.unwrap_or_default()
}

#[test]
fn window_that_becomes_active_then_its_pictures_come_and_the_other_ones_hardly_do() {
    let machine = Machine::new();
    let (screen, display) = Screen::start(&machine, None);
    let _server = machine.server(&["--display", &display]);
    policy(&machine, "AWF");
    let start = |name| {
        let mut command = machine.run_command(0, program("active-window"), &[name]);
        command.env("DISPLAY", &display);
        Program::start(command)
    };
    let windows = [start("left"), start("right")];
    for window in &windows {
        eventually("it shows pictures", PATIENCE, || rate(window) > 0.0);
    }
    for (active, other) in [(0, 1), (1, 0), (0, 1)] {
        screen.activate_own(windows[active].pid());
        eventually("the other one is held back", PATIENCE, || machine.is_suspended(windows[other].pid()));
        eventually("it has far fewer pictures", PATIENCE, || {
            rate(&windows[active]) > 3.0 * rate(&windows[other]).max(1.0)
        });
    }
    for (window, name) in windows.iter().zip(["left", "right"]) {
        screen.close_own(window.pid());
        assert_eq!(window.wait_for_end(), End::Exit(0), "{name}: {}", window.errors());
        assert!(window.warnings().is_empty(), "{:?}", window.warnings());
    }
    let promised: Vec<String> =
        sessions("active-window").into_iter().flat_map(|session| session.output).collect();
    for window in &windows {
        says_only("active-window", &window.whole_output(), &promised);
    }
}

/// A tmux of the test's own, with the example's configuration.
struct Tmux<'a>(&'a Machine);

impl Tmux<'_> {
    fn tell(&self, arguments: &[&str]) -> String {
        let example = examples().join("terminal").canonicalize().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", stage(self.0).join("bin").display(), example.display());
        let mut command = self.0.command("tmux");
        command.args(["-S", "tmux.sock", "-f"]).arg(example.join("tmux.conf")).args(arguments);
        command.env("PATH", path).env("XSCHED_SOCKET", self.0.socket()).env_remove("TMUX");
        let output = command.output().expect("install tmux (Debian)");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = self.0.command("tmux").args(["-S", "tmux.sock", "kill-server"]).output();
    }
}

#[test]
fn pane_that_is_selected_then_its_program_runs_and_those_of_other_panes_wait() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let tmux = Tmux(&machine);
    let line = format!("xcli run -- {}", build(&machine).join("batch").display());
    let mut known = Vec::new();
    let mut pane = |arguments: &[&str]| -> u32 {
        tmux.tell(&[arguments, &[&line]].concat());
        let mut found = None;
        eventually("the program of the pane attaches", PATIENCE, || {
            let fresh = machine.list().into_iter().find(|client| !known.contains(&client.pid));
            found = fresh.filter(|client| !client.queues.is_empty()).map(|client| client.pid);
            found.is_some()
        });
        known.extend(found);
        found.unwrap()
    };
    let upper = pane(&["new-session", "-d", "-x", "80", "-y", "24"]);
    let lower = pane(&["split-window"]);
    for (number, front, back) in [("0", upper, lower), ("1", lower, upper), ("0", upper, lower)] {
        tmux.tell(&["select-pane", "-t", number]);
        eventually("what is not looked at waits", PATIENCE, || machine.is_suspended(back));
        eventually("what is looked at runs", PATIENCE, || !machine.is_suspended(front));
    }
    // In a window of its own, and so alone in front.
    let alone = pane(&["new-window"]);
    eventually("the others wait", PATIENCE, || machine.is_suspended(upper) && machine.is_suspended(lower));
    tmux.tell(&["select-window", "-t", "0"]);
    eventually("it waits itself", PATIENCE, || machine.is_suspended(alone) && !machine.is_suspended(upper));
}
