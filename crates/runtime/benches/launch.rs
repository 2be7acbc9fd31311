//! What [`Queue::launch`] costs around a vendor's call that does nothing, with the look-up of the queue by its handle: without a
//! server, attached to one, and while the server asks for a small window.
//!
//! `cargo bench -p xsched-runtime` prints; nothing is asserted. The server is a few lines in a thread of this process: on the
//! launch path only what it stores in the page counts.

use criterion::{BenchmarkId, Criterion};
use std::error::Error;
use std::hint::black_box;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use xsched_core::ClientId;
use xsched_hal::noop::NoopQueue;
use xsched_ipc::server::{GuestPage, HEARTBEAT_EVERY, Listener, Message, Pulse, doorbell, now};
use xsched_queue::gate::Verdict;
use xsched_runtime::{Queue, Registry, guest};

/// Handles are addresses; this one is nobody's.
const HANDLE: usize = 0x5550_1000;
static QUEUES: Registry = Registry::new();

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("xserver.sock");
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("XSCHED_SOCKET", &socket) };
    let queue = guest().and_then(|guest| guest.adopt(Arc::<NoopQueue>::default(), true));
    QUEUES.insert(HANDLE, queue.ok_or("the runtime makes no queue")?);

    let mut c = Criterion::default().configure_from_args();
    launches(&mut c, "alone");
    let page = serve(&socket)?.recv_timeout(Duration::from_secs(5))?;
    launches(&mut c, "attached");
    let gate = page.gate(0).ok_or("a page has gates")?;
    let decree = |verdict| gate.decree(gate.state().epoch(), verdict);
    decree(Verdict { windowed: true, ..Verdict::default() })?;
    launches(&mut c, "windowed");
    decree(Verdict { awaited: true, ..Verdict::default() })?;
    launches(&mut c, "awaited");
    c.final_summary();
    Ok(())
}

fn launches(c: &mut Criterion, state: &str) {
    let mut group = c.benchmark_group("launch");
    group.bench_function(BenchmarkId::new("find", state), |b| {
        b.iter(|| QUEUES.find(black_box(HANDLE)).is_some());
    });
    group.bench_function(BenchmarkId::new("find and launch", state), |b| b.iter(launch));
    group.bench_function(BenchmarkId::new("find, launch and wait", state), |b| {
        b.iter(|| {
            launch();
            if let Some(queue) = find() {
                queue.synced(queue.snapshot());
            }
        });
    });
    group.finish();
}

fn find() -> Option<&'static Queue> {
    QUEUES.find(black_box(HANDLE))
}

fn launch() -> bool {
    find().is_some_and(|queue| queue.launch(|| black_box(())).is_ok())
}

/// Takes the first guest in, hands out its page, and gives signs of life as long as this process lives.
fn serve(socket: &Path) -> Result<Receiver<GuestPage>, Box<dyn Error>> {
    let (listener, bell, pulse) = (Listener::bind(socket, false)?, doorbell()?, Pulse::create()?);
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let connection = wait(|| listener.accept().ok()?);
        let Message::Hello(guest) = wait(|| connection.receive().ok()?) else { return };
        if connection.welcome(ClientId(1), bell.as_fd(), &pulse).is_ok() && sender.send(guest.page).is_ok() {
            loop {
                pulse.beat(now());
                std::thread::sleep(HEARTBEAT_EVERY);
            }
        }
    });
    Ok(receiver)
}

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        match look() {
            Some(found) => return found,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
