//! A process as a debugger has it: all its threads are stopped by ptrace.
//!
//! A thread traces on behalf of the test, because the kernel lets only the tracing thread itself let go.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Stopped until this is dropped.
#[derive(Debug)]
pub struct Trace {
    /// Dropped to let go.
    until: Option<Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

impl Trace {
    pub(crate) fn stop(pid: u32) -> Trace {
        let (until, is_over) = channel();
        let (say, hear) = channel();
        let tracer = std::thread::spawn(move || {
            let threads = threads(pid);
            for thread in &threads {
                request(libc::PTRACE_SEIZE, *thread);
                request(libc::PTRACE_INTERRUPT, *thread);
                let mut status = 0;
                // SAFETY: waits for the stop that was just asked for.
                assert_eq!(unsafe { libc::waitpid(*thread, &raw mut status, libc::__WALL) }, *thread);
            }
            say.send(()).unwrap();
            wait(&is_over);
            threads.iter().for_each(|thread| request(libc::PTRACE_DETACH, *thread));
        });
        hear.recv().expect("every thread could be stopped");
        Trace { until: Some(until), tracer: Some(tracer) }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.until.take();
        let let_go = self.tracer.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(let_go, Some(Ok(()))));
    }
}

fn wait(is_over: &Receiver<()>) {
    // Its sender never sends; it is dropped.
    let _ = is_over.recv();
}

fn threads(pid: u32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

fn request(what: libc::c_uint, thread: i32) {
    // SAFETY: requests that read and write no memory of ours.
    let result = unsafe { libc::ptrace(what, thread, 0, 0) };
    assert_eq!(result, 0, "ptrace: {}", std::io::Error::last_os_error());
}
