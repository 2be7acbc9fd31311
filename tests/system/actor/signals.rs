//! Signals of a program that uses timers: on which threads its handler runs.

use crate::text::say;
use std::sync::atomic::{AtomicU64, Ordering};

static ON_OURS: AtomicU64 = AtomicU64::new(0);
static ON_XSCHEDS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_signal(_: libc::c_int) {
    let mut name = [0u8; 16];
    // SAFETY: room for a thread's name; the call is async-signal-safe.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let counter = if name.starts_with(b"xsched") { &ON_XSCHEDS } else { &ON_OURS };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Two timers that send a signal to the process every millisecond. The thread that calls, and those that it starts later, block one
/// of the two, so that any thread that does not would get it.
pub(crate) fn start() {
    // SAFETY: plain data, filled in as the manual says; the handler only does what a handler may.
    unsafe {
        for signal in [libc::SIGALRM, libc::SIGPROF] {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        let mut blocked = std::mem::zeroed();
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGALRM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
        let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut());
    }
}

/// Says on how many threads of whom the handler ran.
pub(crate) fn report() {
    let (ours, xscheds) = (ON_OURS.load(Ordering::Relaxed), ON_XSCHEDS.load(Ordering::Relaxed));
    say(&format!("signals {} {xscheds}", if ours > 0 { "some" } else { "none" }));
}

/// As programs are that do not care about SIGPIPE; those in Rust ignore it.
pub(crate) fn end_at_broken_pipes() {
    // SAFETY: the default action is always allowed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
