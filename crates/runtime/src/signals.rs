//! Signals stay the program's: its handlers run on its threads, and nothing that we do brings one about.

use rustix::io::Errno;
use std::mem::MaybeUninit;

/// All signals blocked in this thread, as long as it lives.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(crate) fn all() -> Blocked {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both sets are filled in by the calls, which cannot fail with these arguments.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Blocked(before.assume_init())
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// Makes a write that may find a broken pipe. The SIGPIPE that comes of it, which would end most programs, is taken back.
pub(crate) fn without_sigpipe(write: impl FnOnce() -> Result<usize, Errno>) {
    let _blocked = Blocked::all();
    let was_pending = is_sigpipe_pending();
    if write() == Err(Errno::PIPE) && !was_pending && is_sigpipe_pending() {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let set = only_sigpipe();
        // SAFETY: a set and a time; what the signal was is not asked for. It is pending and blocked, so this does not wait.
        unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const at_once) };
    }
}

fn is_sigpipe_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: the set is filled in by the call, which cannot fail with this argument.
    unsafe {
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: filled in by the first call; the signal is a valid one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_broken_pipe_leaves_no_signal_behind() {
        // Rust's test runner ignores SIGPIPE, and what is ignored is never pending.
        // SAFETY: the default action, which the blocked signal does not come to.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (read, write) = rustix::pipe::pipe().unwrap();
        drop(read);
        without_sigpipe(|| rustix::io::write(&write, b"x"));
        assert!(!is_sigpipe_pending());
    }
}
