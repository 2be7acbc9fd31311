//! A program under test: what it says, how it ends, and how it is made to.

use crate::trace::Trace;
use crate::wait::{PATIENCE, eventually, millis};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit, kill_process, kill_process_group,
    set_parent_process_death_signal, setrlimit, waitid,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running program with its process group; killed when dropped, with all that it started.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
    readers: [JoinHandle<()>; 2],
    /// Lines of the output that were waited for already.
    heard: usize,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl Program {
    /// Starts it in a process group of its own.
    pub fn start(mut command: Command) -> Program {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        // SAFETY: between fork and exec only async-signal-safe system calls are made.
        unsafe {
            command.pre_exec(|| {
                setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
                // As most systems have it for programs that do not raise it themselves.
                let files = getrlimit(Resource::Nofile);
                setrlimit(Resource::Nofile, Rlimit { current: Some(1024), ..files })?;
                Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
            });
        }
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{:?}: {e}", command.get_program()));
        let (output, first) = lines(child.stdout.take());
        let (errors, second) = lines(child.stderr.take());
        Program { stdin: child.stdin.take(), child, output, errors, readers: [first, second], heard: 0 }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it wrote to its output so far.
    pub fn output(&self) -> Vec<String> {
        self.output.lock().unwrap().clone()
    }

    /// All that it wrote to its output, when it has ended with all that share its output. Its error output is complete then too.
    pub fn whole_output(&self) -> Vec<String> {
        eventually("its output ends", PATIENCE, || self.readers.iter().all(JoinHandle::is_finished));
        self.output()
    }

    /// All that it wrote to its error output so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }

    /// The lines of its error output that XSched wrote.
    pub fn warnings(&self) -> Vec<String> {
        let errors = self.errors.lock().unwrap();
        errors.iter().filter(|line| line.starts_with("xsched:")).cloned().collect()
    }

    /// Sends it a line.
    pub fn tell(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("its input was closed");
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Lets it find the end of its input.
    pub fn closes_its_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line of its output that begins so; returns the rest of it.
    pub fn hears(&mut self, beginning: &str) -> String {
        let start = Instant::now();
        loop {
            let output = self.output.lock().unwrap();
            while let Some(line) = output.get(self.heard) {
                self.heard += 1;
                if let Some(rest) = line.strip_prefix(beginning) {
                    return rest.trim().to_owned();
                }
            }
            drop(output);
            assert!(
                start.elapsed() < PATIENCE,
                "it did not say {beginning:?}, but:\n{}\n{}",
                self.output().join("\n"),
                self.errors()
            );
            std::thread::sleep(millis(5));
        }
    }

    /// How many steps the actor has made, by its last word on that.
    pub fn steps(&self) -> u64 {
        let output = self.output.lock().unwrap();
        output.iter().rev().find_map(|line| line.strip_prefix("step ")?.parse().ok()).unwrap_or(0)
    }

    /// Waits until the actor has made more steps.
    pub fn goes_on_within(&self, bound: Duration) {
        let before = self.steps();
        eventually("the program goes on", bound, || self.steps() > before);
    }

    /// Fails if the actor makes a step within `time`, after a moment in which what was launched may come to its end.
    pub fn stands_still_for(&self, time: Duration) {
        std::thread::sleep(millis(100));
        let before = self.steps();
        std::thread::sleep(time);
        assert_eq!(self.steps(), before, "it should be suspended");
    }

    /// Sends a signal to its process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.pid()), signal).unwrap();
    }

    /// Stops all its threads as a debugger does, until what this returns is dropped.
    pub fn trace(&self) -> Trace {
        Trace::stop(self.pid())
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&self) -> End {
        self.wait_for_end_within(PATIENCE)
    }

    /// Waits until it has ended.
    pub fn wait_for_end_within(&self, bound: Duration) -> End {
        eventually("the program ends", bound, || self.end().is_some());
        self.end().expect("it has ended")
    }

    /// How it ended, if it has. It stays a zombie until it is dropped, so that its number stays its own.
    pub fn end(&self) -> Option<End> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid(self.pid())), options).unwrap()?;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => End::Exit(code),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        })
    }

    /// Its open fds, and its mappings of memory that it shares with a server.
    pub fn holdings(&self) -> [usize; 2] {
        let of = |what: &str| format!("/proc/{}/{what}", self.pid());
        let maps = std::fs::read_to_string(of("maps")).unwrap();
        [std::fs::read_dir(of("fd")).unwrap().count(), maps.matches("memfd:xsched").count()]
    }

    /// The names of its threads, in order.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let name = |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm")).ok();
        let mut names: Vec<String> =
            tasks.filter_map(|task| name(task.path())).map(|name| name.trim_end().to_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = |lines: &Mutex<Vec<String>>| {
                let lines = lines.lock().unwrap();
                lines[lines.len().saturating_sub(20)..].join("\n")
            };
            let (output, errors) = (last(&self.output), last(&self.errors));
            eprintln!("process {} said last:\n{output}\nand on stderr:\n{errors}", self.pid());
        }
        let _ = kill_process_group(pid(self.pid()), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// As a number that can be signalled.
pub fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a process has a number")
}

/// Collects lines until the stream ends, which is when the last process that has it has ended.
fn lines(stream: Option<impl Read + Send + 'static>) -> (Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let collected = Arc::<Mutex<Vec<String>>>::default();
    let (to, stream) = (collected.clone(), stream.expect("the stream is piped"));
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            to.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
        }
    });
    (collected, reader)
}
