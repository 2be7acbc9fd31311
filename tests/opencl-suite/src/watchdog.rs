//! Ends the process when a case takes longer than its limit, since a hung driver call cannot be cancelled.

use std::io::Write;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Exit status of a process that the watchdog ended.
pub(crate) const HANG_STATUS: i32 = 3;

/// The case under watch and when its time is over; the lock protects both together.
type Watched = Option<(String, Instant)>;

/// One thread that sleeps until a case's time is over.
pub(crate) struct Watchdog {
    limit: Duration,
    watched: Mutex<Watched>,
    changed: Condvar,
}

impl Watchdog {
    /// Starts the thread, which lives as long as the process.
    pub(crate) fn start(limit: Duration) -> &'static Self {
        let dog: &'static Self =
            Box::leak(Box::new(Self { limit, watched: Mutex::new(None), changed: Condvar::new() }));
        std::thread::spawn(|| dog.run());
        dog
    }

    /// Runs `case`; if it does not return in time, prints `name: HANG` and exits with [`HANG_STATUS`].
    pub(crate) fn watch<T>(&self, name: &str, case: impl FnOnce() -> T) -> T {
        self.set(Some((name.to_owned(), Instant::now() + self.limit)));
        let result = case();
        self.set(None);
        result
    }

    fn set(&self, watched: Watched) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = watched.as_ref().map(|(_, end)| end.saturating_duration_since(Instant::now()));
            watched = match left {
                None => self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    let name = watched.as_ref().map_or("", |(name, _)| name);
                    // Not println!: a case may hang while it holds the lock of standard output.
                    // SAFETY: no OpenCL clean-up is wanted, so the process ends without running exit handlers.
                    unsafe {
                        let text = format!("{name}: HANG\n");
                        libc::write(1, text.as_ptr().cast(), text.len());
                        libc::_exit(HANG_STATUS)
                    }
                }
                Some(left) => {
                    self.changed.wait_timeout(watched, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Prints one line at once, so that what came before a hang or a crash is seen.
pub(crate) fn print_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
