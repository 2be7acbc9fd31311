//! The terminal of `xcli top`: asks, draws, hears keys.
//!
//! What is shown is made by `model` from two looks at the server, drawn by `view`, and what a key does is said by `keys`; all three know
//! neither server nor terminal. Invariant: however it ends, the terminal is as it was.

mod keys;
mod model;
mod view;

use crate::failure::Failure;
use keys::{App, Key, Wish};
use model::Look as Seen;
use ratatui::Terminal;
use ratatui::backend::{TermionBackend, TestBackend};
use rustix::fd::AsFd;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use termion::input::TermRead;
use termion::raw::IntoRawMode;
use termion::screen::IntoAlternateScreen;
use xsched_client::{Client, Target};
use xsched_core::{Hint, HintKind};

/// How the terminal is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) has_colour: bool,
    /// ASCII only.
    pub(crate) is_plain: bool,
}

/// The size of the frame of `--once`.
const PAGE: (u16, u16) = (80, 24);
/// A signal is heard so soon.
const SOON: Duration = Duration::from_millis(100);

/// Until somebody ends it.
pub(crate) fn run(mut client: Client, every: Duration, look: Look) -> Result<(), Failure> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !rustix::termios::isatty(stdin.as_fd()) || !rustix::termios::isatty(stdout.as_fd()) {
        return Err(Failure::failed(
            "top needs a terminal; `xcli top --once` prints one frame, `xcli list` a table",
        ));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, is_over.clone()).map_err(on_terminal)?;
    }
    let mut app = App::new(see(&mut client)?);
    let keys = keyboard();
    let screen =
        stdout.into_raw_mode().and_then(IntoAlternateScreen::into_alternate_screen).map_err(on_terminal)?;
    let screen = termion::cursor::HideCursor::from(screen);
    let mut terminal = Terminal::new(TermionBackend::new(screen)).map_err(on_terminal)?;
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) && !app.is_over() {
        if next <= Instant::now() {
            next = Instant::now() + every;
            // The server may be gone for a moment; what it said last stays, with a line.
            match see(&mut client) {
                Ok(seen) => app.see(seen),
                Err(failure) => {
                    app.say(failure.message);
                    let places = [client.path().to_owned()];
                    if let Ok(again) = Client::connect(&places, SOON) {
                        client = again;
                    }
                }
            }
        }
        terminal.draw(|frame| view::draw(frame, &mut app, look)).map_err(on_terminal)?;
        match keys.recv_timeout(next.saturating_duration_since(Instant::now()).min(SOON)) {
            Ok(key) => {
                if let Some(wish) = app.press(key) {
                    let said = fulfil(&mut client, wish).unwrap_or_else(|failure| failure.message);
                    app.say(said);
                    next = Instant::now();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The terminal is gone.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// One frame, as text.
pub(crate) fn print_once(mut client: Client, every: Duration, look: Look) -> Result<(), Failure> {
    let mut app = App::new(see(&mut client)?);
    std::thread::sleep(every);
    app.see(see(&mut client)?);
    let mut terminal = match Terminal::new(TestBackend::new(PAGE.0, PAGE.1)) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    match terminal.draw(|frame| view::draw(frame, &mut app, look)) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let text = view::text(terminal.backend().buffer());
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).map_err(on_terminal)
}

/// What the server is like now.
fn see(client: &mut Client) -> Result<Seen, Failure> {
    let server = client.status()?;
    let policies = client.policy()?.available.into_iter().map(|(name, _)| name).collect();
    Ok(Seen { server, policies, processes: client.list()? })
}

/// Does what was confirmed; answers what to say.
fn fulfil(client: &mut Client, wish: Wish) -> Result<String, Failure> {
    match wish {
        Wish::Priority(of, value) => {
            let hint = Hint::new(HintKind::Priority, value)
                .map_err(|expected| Failure::failed(format!("{value} is not valid; {expected}")))?;
            let (count, note) = client.hint(Target::Client(of), hint)?;
            let note = note.map(|note| format!("; {note}")).unwrap_or_default();
            Ok(format!("{of} has priority {value} on {count} queues{note}"))
        }
        Wish::Policy(name) => {
            let policies = client.set_policy(&name)?;
            Ok(format!("policy {} is in force", policies.current))
        }
    }
}

/// Keys as they come, from a thread that ends with the process.
fn keyboard() -> Receiver<Key> {
    let (line, keys) = sync_channel(16);
    std::thread::spawn(move || {
        for key in io::stdin().keys().map_while(Result::ok) {
            use termion::event::Key as Pressed;
            let key = match key {
                Pressed::Char('\n' | '\r') => Key::Enter,
                Pressed::Char('\t') => Key::Tab,
                Pressed::Ctrl('c') => Key::End,
                Pressed::Char(c) => Key::Char(c),
                Pressed::Up => Key::Up,
                Pressed::Down => Key::Down,
                Pressed::Left => Key::Left,
                Pressed::Right => Key::Right,
                Pressed::Backspace => Key::Backspace,
                Pressed::Esc => Key::Escape,
                _ => continue,
            };
            if line.send(key).is_err() {
                return;
            }
        }
    });
    keys
}

fn on_terminal(error: io::Error) -> Failure {
    Failure::failed(format!("cannot use the terminal: {error}"))
}
