//! What a channel group can be controlled by, whatever the vendor.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xsched_ipc::server::GuestPage;
use xsched_queue::gate::Epoch;

/// One channel group on one device. Each function is a call into the vendor's kernel driver that takes some hundred microseconds and never waits for
/// the group's process or for its work; errors are for people.
pub(crate) trait Lever: Send + Sync + fmt::Debug {
    /// How long its turns are as the driver made them. Changes nothing, and succeeds only if the rest may be tried.
    fn plain_turns(&self) -> Result<Duration, String>;

    /// Makes its turns so long, or as near to that as the device can.
    fn set_turns(&self, turns: Duration) -> Result<(), String>;

    /// Whether its turns end in the middle of a kernel, or, as the driver made them, between parts of it.
    fn set_interruptible(&self, is_interruptible: bool) -> Result<(), String>;

    /// Nothing of it runs from now on.
    fn hold(&self) -> Result<(), String>;

    /// It goes on; also if it was not held.
    fn release(&self) -> Result<(), String>;
}

/// Whether its process still belongs to this server: it counts its epoch up when it parts, and then lets its channels go by itself, so that whatever
/// this server does after that has to be undone. SYNC POINT with `runtime::Guest::part`: the process counts up and then releases; the controller does
/// something and then looks here. So the release comes last, by one of the two.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    page: std::sync::Arc<GuestPage>,
    epoch: Epoch,
}

impl Owner {
    pub(crate) fn new(page: std::sync::Arc<GuestPage>, epoch: Epoch) -> Owner {
        Owner { page, epoch }
    }

    pub(crate) fn is_ours(&self) -> bool {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        self.page.gates().iter().all(|gate| gate.state().epoch() == self.epoch)
    }

    /// How often it has let its channels go although it is still this server's, because the server was silent. SYNC POINT with `runtime::Guest::excuse`: as above.
    pub(crate) fn times_let_go(&self) -> u32 {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        self.page.times_let_go()
    }
}

/// What became of a lever, for everybody who wants to know.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    works: OnceLock<()>,
    refusal: OnceLock<String>,
    is_left_off: AtomicBool,
    is_stuck: AtomicBool,
}

impl Condition {
    /// The driver has answered, refused nothing so far, and no call is stuck in it.
    pub(crate) fn is_usable(&self) -> bool {
        self.works.get().is_some() && self.refusal.get().is_none() && !self.is_stuck.load(Ordering::Acquire)
    }

    /// A call for the same device is stuck, or is not any more. Answers whether that is news.
    pub(crate) fn set_stuck(&self, is_stuck: bool) -> bool {
        self.is_stuck.swap(is_stuck, Ordering::AcqRel) != is_stuck
    }

    /// Why it is not used.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// It is off, and the driver does not let it go on for this server.
    pub(crate) fn is_left_off(&self) -> bool {
        self.is_left_off.load(Ordering::Acquire)
    }

    pub(crate) fn leave_off(&self) {
        self.is_left_off.store(true, Ordering::Release);
    }

    pub(crate) fn works(&self) {
        let _ = self.works.set(());
    }

    /// The first refusal counts.
    pub(crate) fn refuse(&self, why: String) {
        let _ = self.refusal.set(why);
    }
}

/// A lever of nothing, that remembers what was done with it.
#[cfg(test)]
pub(super) mod fake {
    use super::*;
    use std::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(crate) struct Fake {
        done: Mutex<Vec<&'static str>>,
        /// How long its turns were made last.
        pub(crate) turns: Mutex<Duration>,
        is_off: AtomicBool,
        /// The call that does not return as long as this is set, and whether somebody is in it.
        frozen: Mutex<(Option<&'static str>, bool)>,
        thaw: Condvar,
        pub(crate) refuses: Mutex<Option<&'static str>>,
    }

    impl Fake {
        fn call(&self, what: &'static str) -> Result<(), String> {
            let mut frozen = self.frozen.lock().unwrap();
            while frozen.0 == Some(what) {
                frozen.1 = true;
                frozen = self.thaw.wait(frozen).unwrap();
            }
            drop(frozen);
            self.done.lock().unwrap().push(what);
            match *self.refuses.lock().unwrap() == Some(what) {
                true => Err(format!("{what} is refused")),
                false => Ok(()),
            }
        }

        /// What was done since this was asked last.
        pub(crate) fn take(&self) -> Vec<&'static str> {
            std::mem::take(&mut *self.done.lock().unwrap())
        }

        /// Whether it was stopped last, and not let go.
        pub(crate) fn is_off(&self) -> bool {
            self.is_off.load(Ordering::SeqCst)
        }

        /// This call does not come to its end.
        pub(crate) fn freeze(&self, what: &'static str) {
            *self.frozen.lock().unwrap() = (Some(what), false);
        }

        pub(crate) fn is_frozen(&self) -> bool {
            self.frozen.lock().unwrap().1
        }

        pub(crate) fn thaw(&self) {
            *self.frozen.lock().unwrap() = (None, false);
            self.thaw.notify_all();
        }
    }

    impl Lever for Fake {
        fn plain_turns(&self) -> Result<Duration, String> {
            self.call("ask").map(|()| Duration::from_millis(2))
        }

        fn set_turns(&self, turns: Duration) -> Result<(), String> {
            *self.turns.lock().unwrap() = turns;
            self.call(match turns.as_micros() {
                1 => "short",
                2_000 => "plain",
                1_000_000 => "long",
                _ => "another",
            })
        }

        fn set_interruptible(&self, is_interruptible: bool) -> Result<(), String> {
            self.call(if is_interruptible { "interruptible" } else { "uninterruptible" })
        }

        fn hold(&self) -> Result<(), String> {
            self.is_off.store(true, Ordering::SeqCst);
            self.call("hold")
        }

        fn release(&self) -> Result<(), String> {
            self.is_off.store(false, Ordering::SeqCst);
            self.call("release")
        }
    }

    /// Waits until something is so; the controller's thread is about to do it.
    pub(crate) fn wait(what: &str, mut is: impl FnMut() -> bool) {
        let start = std::time::Instant::now();
        while !is() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
