//! Fork: the child starts a life of its own.
//!
//! It shares no queue, no page and no connection with its parent: at the same addresses it finds an empty page with open gates, and
//! when it first uses the device it attaches as a new client. What the child has of its parent's heap is left alone (locks in it may
//! be held by threads that are not there any more); what it has of its parent's fds is closed.

use crate::{guest, registry};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

static LIFE: AtomicU64 = AtomicU64::new(1);

/// Counts up in the child of every fork.
pub(crate) fn life() -> u64 {
    LIFE.load(Ordering::Acquire)
}

/// The process of this life; 0 as long as nobody watches.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Whether this process is the one that this life is of. Not in a child that was made behind the C library's back (`clone`, `vfork`): what it has is its parent's, and so is
/// what that shares with others.
pub fn is_this_life() -> bool {
    let process = PROCESS.load(Ordering::Acquire);
    process == 0 || process == std::process::id()
}

/// A value that each process has for itself: the child of a fork finds a fresh one, because a lock in its parent's may be held by a
/// thread that the child does not have.
#[derive(Debug)]
pub struct PerLife<T> {
    current: AtomicPtr<Lived<T>>,
}

#[derive(Debug)]
struct Lived<T> {
    life: u64,
    value: T,
}

impl<T> Default for PerLife<T> {
    fn default() -> PerLife<T> {
        PerLife::new()
    }
}

impl<T> PerLife<T> {
    /// Made at the first use, for a `static`.
    pub const fn new() -> PerLife<T> {
        PerLife { current: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

impl<T: Default + Send + Sync + 'static> PerLife<T> {
    /// This process's value.
    pub fn get(&self) -> &'static T {
        let life = life();
        let mut current = self.current.load(Ordering::Acquire);
        // SAFETY: null or a leaked box, here and below, so that whatever was stored stays valid.
        while unsafe { current.as_ref() }.is_none_or(|lived| lived.life != life) {
            let fresh = Box::into_raw(Box::new(Lived { life, value: T::default() }));
            match self.current.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = fresh,
                Err(other) => {
                    // SAFETY: nobody else has seen `fresh`.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = other;
                }
            }
        }
        // SAFETY: as above; the loop ends with a pointer that is not null.
        unsafe { &(*current).value }
    }
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> c_int;
    fn atexit(function: extern "C" fn()) -> c_int;
}

/// Asks the C library to tell about forks and the end of the process. Once per process, and without a lock that the child of a fork
/// could inherit locked.
pub(crate) fn watch() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.swap(true, Ordering::AcqRel) {
        PROCESS.store(std::process::id(), Ordering::Release);
        // SAFETY: both functions are `extern "C"` without arguments and stay mapped (the library is linked with -z nodelete).
        unsafe {
            pthread_atfork(None, None, Some(in_child));
            atexit(at_exit);
        }
    }
}

/// Asks to be told of the end once more: handlers run last in, first out, and a vendor may have put in its own at the first launch. Ours
/// has to be before it once a thread of ours calls the vendor.
pub(crate) fn watch_exit_again() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.swap(true, Ordering::AcqRel) {
        // SAFETY: as above. The handler may run twice.
        unsafe { atexit(at_exit) };
    }
}

/// Runs in the child, with one thread: only async-signal-safe calls, no allocation, no lock.
unsafe extern "C" fn in_child() {
    LIFE.fetch_add(1, Ordering::AcqRel);
    PROCESS.store(std::process::id(), Ordering::Release);
    registry::forget_remembered();
    guest::abandon_in_child();
}

/// exit() has begun: nothing may be held back any more.
extern "C" fn at_exit() {
    if is_this_life()
        && let Some(guest) = guest::existing()
    {
        guest.open_for_good();
        guest.watcher.keep_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_made_behind_the_c_librarys_back_is_no_life_of_its_own_and_one_of_a_fork_is() {
        watch();
        assert!(is_this_life());
        // SAFETY: the children make calls of the kernel only, and end.
        let ends = unsafe {
            let ended = |child: libc::pid_t| {
                let mut status = -1;
                libc::waitpid(child, &raw mut status, 0);
                libc::WEXITSTATUS(status)
            };
            let behind = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t;
            if behind == 0 {
                libc::_exit(i32::from(is_this_life()));
            }
            let child = libc::fork();
            if child == 0 {
                libc::_exit(i32::from(is_this_life()));
            }
            (ended(behind), ended(child))
        };
        assert_eq!(ends, (0, 1));
    }

    #[test]
    fn the_child_of_a_fork_that_came_while_another_thread_makes_the_guest_makes_its_own() {
        guest::someone_is_making(|| {
            let waiting = std::thread::spawn(guest::guest);
            std::thread::sleep(std::time::Duration::from_millis(50));
            // SAFETY: the child makes its guest, as an unmodified program may, and ends; the alarm ends it if it hangs.
            let status = unsafe {
                let child = libc::fork();
                if child == 0 {
                    libc::alarm(10);
                    libc::_exit(i32::from(guest::guest().is_none()));
                }
                let mut status = -1;
                libc::waitpid(child, &raw mut status, 0);
                status
            };
            assert_eq!(status, 0, "ended by signal {}", status & 0x7f);
            waiting
        })
        .join()
        .unwrap();
    }
}
