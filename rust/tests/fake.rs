//! The crate with a libxsched that only takes note (python/tests/fake.c): what is called, in which order, and what becomes of answers.
#![allow(missing_docs)]

use std::ffi::c_void;
use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use xsched::{Error, ErrorKind, HintKind, Level, Options, Policy, Queue, QueueState, Scheduler, Wait};

/// One test at a time has the log.
struct Fake {
    log: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Fake {
    fn new() -> Fake {
        static ALONE: Mutex<()> = Mutex::new(());
        static LOG: OnceLock<PathBuf> = OnceLock::new();
        let alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let log = LOG.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap().keep();
            let library = folder.join("libxsched_fake.so");
            let mut cc = Process::new("cc");
            cc.args(["-shared", "-fPIC", "-o"]).arg(&library);
            cc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../python/tests/fake.c")).arg("-lpthread");
            assert!(cc.status().unwrap().success());
            let log = folder.join("log");
            // SAFETY: all tests of this process begin here, one after the other, and no other thread reads the environment yet.
            unsafe {
                std::env::set_var("XSCHED_LIB", &library);
                std::env::set_var("FAKE_LOG", &log);
            }
            log
        });
        std::fs::write(log, "").unwrap();
        Fake { log: log.clone(), _alone: alone }
    }

    /// What was called since this was asked last, without the handles of commands.
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        std::fs::write(&self.log, "").unwrap();
        text.lines().filter(|line| !line.starts_with("HwCommandDestroy")).map(str::to_owned).collect()
    }

    /// The last number of each call.
    fn values(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    fn queue(&self) -> Queue {
        let queue = of_cuda(Options::new(), 5).unwrap();
        self.calls();
        queue
    }
}

fn of_cuda(options: Options, stream: usize) -> Result<Queue, Error> {
    // SAFETY: the library that takes note does nothing with the stream.
    unsafe { options.of_cuda_stream(std::ptr::without_provenance_mut::<c_void>(stream)) }
}

#[test]
fn a_queue_is_made_of_a_stream_and_ended_once() {
    let fake = Fake::new();
    let options = Options::new().level(Level::Deactivate).blocking_submit();
    // SAFETY: the library that takes note does nothing with the queue.
    let queue = unsafe { options.of_opencl_queue(std::ptr::without_provenance_mut(7)) };
    assert_eq!(fake.calls(), ["OclQueueCreate 7 0", "XQueueCreate 2 0"]);
    queue.unwrap().close().unwrap();
    let calls = fake.calls();
    assert!(
        calls.len() == 2 && calls[0].starts_with("XQueueDestroy") && calls[1].starts_with("HwQueueDestroy")
    );
}

#[test]
fn errors_name_the_call_and_leave_nothing_behind() {
    let fake = Fake::new();
    let unknown = of_cuda(Options::new(), 13).unwrap_err();
    assert_eq!(unknown.kind(), Some(ErrorKind::NotFound));
    assert!(unknown.to_string().starts_with("CudaQueueCreate: no such queue"), "{unknown}");
    fake.calls();
    let level = of_cuda(Options::new().level(Level::Interrupt), 5).unwrap_err();
    assert_eq!(level, Error::Call { call: "XQueueCreate", kind: ErrorKind::NotSupported });
    assert!(fake.calls().last().unwrap().starts_with("HwQueueDestroy"));
    // This library does not have the function.
    assert_eq!(xsched::set_kdeadline(2).unwrap_err().kind(), Some(ErrorKind::NotSupported));
}

#[test]
fn a_queue_is_resumed_when_the_last_of_those_who_suspended_it_lets_go() {
    let fake = Fake::new();
    let queue = fake.queue();
    let first = queue.suspend(Wait::InFlight).unwrap();
    let second = queue.suspend(Wait::All).unwrap();
    drop(first);
    assert_eq!(fake.values(), ["1", "2"]);
    drop(second);
    let calls = fake.calls();
    assert!(
        calls.len() == 1 && calls[0].starts_with("XQueueResume") && calls[0].ends_with(" 0"),
        "{calls:?}"
    );
    queue.resume_and_drop_commands().unwrap();
    assert_eq!(fake.values(), ["1"]);
}

#[test]
fn the_latest_scope_holds_and_at_the_end_what_was_before() {
    let fake = Fake::new();
    let queue = fake.queue();
    queue.set_priority(1).unwrap();
    let outer = queue.with_priority(5).unwrap();
    let inner = queue.with_priority(7).unwrap();
    queue.set_priority(2).unwrap();
    drop(outer);
    inner.end().unwrap();
    assert_eq!(fake.values(), ["1", "5", "7", "2"]);
    assert_eq!(queue.priority(), 2);
    assert_eq!(queue.with_priority(999).unwrap_err().kind(), Some(ErrorKind::InvalidValue));
    assert_eq!(fake.calls().len(), 0, "what was refused is not undone");
}

#[test]
fn without_a_queue_a_scope_is_for_the_process() {
    let fake = Fake::new();
    drop(xsched::with_priority(10).unwrap());
    assert_eq!(fake.calls(), ["XProcessHint 1 10", "XProcessUnhint 1 0"]);
}

#[test]
fn durations_are_microseconds_and_numbers_those_of_the_c_interface() {
    let fake = Fake::new();
    let queue = fake.queue();
    queue.set_deadline(Some(Duration::from_millis(2))).unwrap();
    queue.set_deadline(None).unwrap();
    queue.set_utilization(50).unwrap();
    queue.set_laxity(Duration::from_secs(1), -1, 9).unwrap();
    xsched::set_timeslice(Duration::from_micros(700)).unwrap();
    xsched::set_scheduler(Scheduler::Local, Some(Policy::Hpf)).unwrap();
    xsched::set_scheduler(Scheduler::Global, None).unwrap();
    assert_eq!(fake.values(), ["2000", "-1", "50", "1000000", "9", "0", "1", "0"]);
    assert!(matches!(queue.set_deadline(Some(Duration::MAX)), Err(Error::OutOfRange { .. })));
    assert_eq!((queue.state().unwrap(), queue.pending().unwrap()), (QueueState::Ready, 7));
    assert_eq!((HintKind::Timeslice.info().default, Policy::Up.name()), (5000, "UP"));
}

#[test]
fn a_closure_runs_on_another_thread_once_and_its_panic_comes_back_as_an_error() {
    let fake = Fake::new();
    let queue = fake.queue();
    let (say, hear) = channel();
    queue.submit(move || say.send(std::thread::current().id()).unwrap()).unwrap().wait().unwrap();
    assert_ne!(hear.recv().unwrap(), std::thread::current().id());
    assert!(hear.recv().is_err(), "the closure is gone");
    let command = queue.submit(|| panic!("no luck")).unwrap();
    assert_eq!(command.wait(), Err(Error::Panicked("no luck".into())));
    let (say, hear) = channel();
    // Nobody keeps the command.
    drop(queue.submit(move || say.send(7).unwrap()).unwrap());
    assert_eq!(hear.recv_timeout(Duration::from_secs(20)), Ok(7));
}
