//! A process whose channels a server holds, and the server goes: the process lets them go itself, whatever its threads do meanwhile.
//!
//! One test, for a process is a guest once: the server is this test, and goes in all ways there are.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use xsched_core::{ClientId, Level, Limits};
use xsched_hal::{Controls, RemoteControl};
use xsched_ipc::server::{Connection, Control, Listener, Message, Newcomer, Pulse, doorbell, now};
use xsched_queue::gate::{Holder, Verdict};

/// Contexts that this process has, and how often they were let go.
#[derive(Debug)]
struct Contexts {
    generation: AtomicU64,
    rescues: AtomicU64,
    let_goes: AtomicU64,
}

static CONTEXTS: Contexts =
    Contexts { generation: AtomicU64::new(1), rescues: AtomicU64::new(0), let_goes: AtomicU64::new(0) };

impl Controls for Contexts {
    fn can_interrupt(&self, _device: &xsched_core::DeviceKey) -> Result<(), String> {
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn remote(&self) -> Option<RemoteControl> {
        let file = std::fs::File::open("/dev/null").ok()?.into();
        Some(RemoteControl { kind: 7, fds: vec![file], blob: self.generation().to_le_bytes().to_vec() })
    }

    fn let_go(&self) {
        self.let_goes.fetch_add(1, Ordering::SeqCst);
    }

    fn rescue(&self) {
        self.rescues.fetch_add(1, Ordering::SeqCst);
    }
}

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The server's side of one attachment.
struct Attachment {
    connection: Connection,
    newcomer: Box<Newcomer>,
    pulse: Pulse,
}

impl Attachment {
    fn of(listener: &Listener) -> Attachment {
        let connection = wait("the guest connects", || listener.accept().unwrap());
        let Message::Hello(newcomer) = wait("it says hello", || connection.receive().unwrap()) else {
            panic!()
        };
        let (pulse, bell) = (Pulse::create().unwrap(), doorbell().unwrap());
        connection.welcome(ClientId(1), bell.as_fd(), &pulse).unwrap();
        Attachment { connection, newcomer, pulse }
    }

    /// What the guest lends next; the server lives meanwhile.
    fn lent(&self) -> Option<Control> {
        wait("it lends something", || {
            self.pulse.beat(now());
            match self.connection.receive().unwrap() {
                Some(Message::Lend(lent)) => Some(lent),
                _ => None,
            }
        })
    }

    fn lives_for(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.pulse.beat(now());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_parted(&self) -> bool {
        self.newcomer.page.gates().iter().all(|gate| gate.state().epoch() != self.newcomer.hello.epoch)
    }
}

fn rescues() -> u64 {
    CONTEXTS.rescues.load(Ordering::SeqCst)
}

fn let_goes() -> u64 {
    CONTEXTS.let_goes.load(Ordering::SeqCst)
}

fn generation_of(lent: Option<&Control>) -> u64 {
    let lent = &lent.unwrap().remote;
    assert_eq!((lent.kind, lent.fds.len()), (7, 1));
    u64::from_le_bytes(*lent.blob.first_chunk().unwrap())
}

#[test]
fn a_server_that_has_controls_and_goes_then_they_are_taken_back_by_the_process_itself() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("xserver.sock");
    // SAFETY: nothing else runs in this process yet.
    unsafe { std::env::set_var("XSCHED_SOCKET", &socket) };
    let listener = Listener::bind(Path::new(&socket), false).unwrap();
    xsched_runtime::offer(&CONTEXTS);
    let guest = std::thread::spawn(|| xsched_runtime::guest().is_some());

    let attachment = Attachment::of(&listener);
    assert!(guest.join().unwrap());
    assert_eq!(generation_of(attachment.lent().as_ref()), 1);
    CONTEXTS.generation.store(2, Ordering::SeqCst);
    assert_eq!(generation_of(attachment.lent().as_ref()), 2, "a context has come, or gone");

    // A rule limits the level, and does not any more.
    assert!(attachment.connection.limit(Limits { level: Some(Level::Block), threshold: None }));
    assert!(attachment.lent().is_none());
    assert!(attachment.connection.limit(Limits::default()));
    assert_eq!(generation_of(attachment.lent().as_ref()), 2);

    attachment.lives_for(Duration::from_millis(700));
    assert_eq!((rescues(), attachment.is_parted()), (0, false), "the server lives");

    // Something of it is stopped from now on: its server is watched closely.
    let gate = attachment.newcomer.page.gate(0).unwrap();
    let suspended = Verdict { suspended: true, ..Verdict::default() };
    let epoch = attachment.newcomer.hello.epoch;
    assert!(gate.decree(epoch, suspended).unwrap() || gate.state().is_held_by(Holder::Server));
    assert!(attachment.connection.have_vigil(true));
    attachment.lives_for(Duration::from_millis(700));
    assert_eq!((let_goes(), gate.state().is_open()), (0, false), "the server lives");
    let silent = Instant::now();
    wait("it excuses itself from a silent server", || gate.state().is_open().then_some(()));
    println!("after {:?}", silent.elapsed());
    assert_eq!((let_goes(), attachment.newcomer.page.times_let_go()), (1, 1));
    assert!(!attachment.is_parted() && gate.state().is_held_by(Holder::Server), "it stays attached");
    attachment.lives_for(Duration::from_millis(300));
    assert_eq!((let_goes(), rescues(), gate.state().is_open()), (1, 0, false), "it obeys again");
    assert!(attachment.connection.have_vigil(false));
    attachment.lives_for(Duration::from_millis(300));

    // It is frozen: no thread of the program is at a gate and sees it.
    wait("it is rescued from a frozen server", || (rescues() > 0).then_some(()));
    assert!(attachment.is_parted(), "parting comes first");

    // The next one is killed.
    let next = Attachment::of(&listener);
    assert_eq!(generation_of(next.lent().as_ref()), 2);
    let before = rescues();
    let Attachment { connection, newcomer, .. } = next;
    drop(connection);
    wait("it is rescued from a dead server", || (rescues() > before).then_some(()));
    assert!(newcomer.page.gates().iter().all(|gate| gate.state().epoch() != newcomer.hello.epoch));
}
