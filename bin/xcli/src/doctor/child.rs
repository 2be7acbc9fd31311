//! A look that is taken in a process of its own: started with the environment of a scheduled program, listened to, and ended in time.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use xsched_core::probe::Line;

/// Lines of its standard error that are kept.
const MOST_SAID: usize = 64;
/// For what a process left in the pipes when it ended.
const REST: Duration = Duration::from_millis(500);

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was found.
    pub(crate) lines: Vec<Line>,
    /// What else was printed, by whomever.
    pub(crate) said: Vec<String>,
    /// How it ended.
    pub(crate) end: End,
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It came to its end.
    Done,
    /// The process ended itself before.
    Exit(i32),
    /// A signal ended the process before: it crashed.
    Signal(i32),
    /// It was not done in time.
    TimedOut,
    /// The same, and the process with this number could not be ended.
    Stuck(u32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Done => write!(f, "came to its end"),
            End::Exit(code) => write!(f, "ends the process with code {code}"),
            End::Signal(number) => match SIGNALS.iter().find(|(known, _)| known == number) {
                Some((_, name)) => write!(f, "crashes ({name})"),
                None => write!(f, "crashes (signal {number})"),
            },
            End::TimedOut => write!(f, "hangs"),
            End::Stuck(pid) => write!(f, "hangs in the kernel, where process {pid} cannot be ended,"),
        }
    }
}

/// Those by which programs crash.
const SIGNALS: &[(i32, &str)] = &[
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGSYS, "SIGSYS"),
];

enum News {
    Line(Line),
    Said(String),
    Closed,
}

/// Runs `xcli probe` with these arguments and variables, for at most `patience`.
pub(crate) fn run<A: AsRef<OsStr>>(
    arguments: &[A],
    variables: &[(String, OsString)],
    patience: Duration,
) -> io::Result<Outcome> {
    let deadline = Instant::now() + patience;
    let mut command = Command::new("/proc/self/exe");
    command.arg("probe").args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    // A group of its own, so that what a driver starts ends with it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (sender, news) = channel();
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        let other = sender.clone();
        listen(out, sender, |text| serde_json::from_str(&text).map(News::Line).ok());
        listen(err, other, |text| Some(News::Said(text)));
    }
    let mut outcome = Outcome { lines: Vec::new(), said: Vec::new(), end: End::TimedOut };
    hear(&mut outcome, &news, deadline);
    outcome.end = end(&mut child, &mut outcome, &news, deadline);
    Ok(outcome)
}

fn listen(from: impl Read + Send + 'static, to: Sender<News>, read: fn(String) -> Option<News>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if let Some(news) = read(text)
                && to.send(news).is_err()
            {
                return;
            }
        }
        let _ = to.send(News::Closed);
    });
}

/// Takes news in until both pipes are closed, the look is done, or it is too late.
fn hear(outcome: &mut Outcome, news: &Receiver<News>, deadline: Instant) {
    let mut open = 2;
    while open > 0 {
        match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(News::Line(Line::Done)) => {
                outcome.lines.push(Line::Done);
                return;
            }
            Ok(News::Line(line)) => outcome.lines.push(line),
            Ok(News::Said(text)) if outcome.said.len() < MOST_SAID => outcome.said.push(text),
            Ok(News::Said(_)) => {}
            Ok(News::Closed) => open -= 1,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Waits for the process, and ends it if it is late. What it did after it was done does not count, unless it crashed.
fn end(child: &mut Child, outcome: &mut Outcome, news: &Receiver<News>, deadline: Instant) -> End {
    let is_done = outcome.lines.last() == Some(&Line::Done);
    let in_time = wait(child, deadline);
    if let Ok(pid) = i32::try_from(child.id())
        && let Some(group) = rustix::process::Pid::from_raw(pid)
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    // A process that hangs in the kernel does not end, and is not waited for.
    let at_last = in_time.or_else(|| wait(child, Instant::now() + REST));
    hear(outcome, news, Instant::now() + REST);
    match in_time.map(|status| (status.code(), status.signal())) {
        Some((Some(0), _)) if is_done => End::Done,
        Some((Some(code), _)) => End::Exit(code),
        Some((None, signal)) => End::Signal(signal.unwrap_or(0)),
        None if at_last.is_some() => End::TimedOut,
        None => End::Stuck(child.id()),
    }
}

/// Its status, if it has ended by then.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            other => return other.ok().flatten(),
        }
    }
}
