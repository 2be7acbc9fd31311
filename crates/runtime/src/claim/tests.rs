//! What holds for a queue that is scheduled from inside the process, on the simulated device.

use super::*;
use crate::guest::Guest;
use crate::manager::Manager;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use xsched_core::config::Scheduler;
use xsched_core::{Config, HintKind};
use xsched_hal::sim::{SimCommand, SimDevice};
use xsched_ipc::guest::SharedPage;
use xsched_sched::PolicyKind;

const UNIT: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// A guest that nobody schedules but itself.
fn guest(scheduler: Scheduler) -> &'static Guest {
    let mut config = Config::default();
    config.scheduler = scheduler;
    let guest = Guest::new(SharedPage::create().unwrap(), Box::leak(Box::new(config)));
    let guest: &'static Guest = Box::leak(Box::new(guest));
    guest.start_manager(guest.manager());
    guest
}

fn claim(guest: &'static Guest, device: &SimDevice) -> (&'static Queue, Claim) {
    let queue = guest.adopt(Arc::new(device.queue(Level::Block)), true).unwrap();
    (queue, Claim::new(move || Some(queue), true, |_| ()).unwrap())
}

fn device() -> SimDevice {
    SimDevice::new(NonZeroUsize::MIN).unwrap()
}

fn command(id: u64) -> Box<dyn HwCommand> {
    Box::new(SimCommand { id, duration: UNIT })
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "not yet: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_queue_that_is_gone_answers_so_and_what_was_submitted_is_done_before() {
    let device = device();
    let (queue, claim) = claim(guest(Scheduler::App), &device);
    claim.suspend(When::Now, Until::Held).unwrap();
    let submitted: Vec<_> = (0..3).map(|id| claim.submit(command(id)).unwrap()).collect();
    assert!(queue.release());
    assert!(device.finished().into_iter().eq(0..3));
    submitted.iter().for_each(|it| it.wait().unwrap());
    assert_eq!(claim.query(), Err(Error::Gone));
    assert_eq!(claim.suspend(When::Now, Until::Held), Err(Error::Gone));
    assert!(matches!(claim.submit(command(3)), Err(Error::Gone)));
}

#[test]
fn the_next_life_of_a_slot_is_not_held_by_a_claim_on_the_last() {
    let (device, guest) = (device(), guest(Scheduler::App));
    let (queue, old) = claim(guest, &device);
    assert!(queue.release());
    let (same, new) = claim(guest, &device);
    assert!(std::ptr::eq(queue, same) && old.identity() != new.identity());
    assert_eq!(old.suspend(When::Now, Until::Held), Err(Error::Gone));
    assert!(queue.is_free());
    new.launch(&mut SimCommand { id: 1, duration: UNIT }).unwrap();
    new.wait_all().unwrap();
}

#[test]
fn the_last_claim_ends_a_queue_of_which_nobody_else_tells() {
    let device = device();
    let queue = guest(Scheduler::App).adopt(Arc::new(device.queue(Level::Block)), true).unwrap();
    let ends = Arc::new(AtomicUsize::new(0));
    let make = || {
        let ends = Arc::clone(&ends);
        Claim::new(
            move || Some(queue),
            false,
            move |is_over| {
                ends.fetch_add(is_over.into(), Ordering::SeqCst);
            },
        )
    };
    let (first, second) = (make().unwrap(), make().unwrap());
    drop(first);
    assert_eq!(ends.load(Ordering::SeqCst), 0);
    second.query().unwrap();
    drop(second);
    assert_eq!(ends.load(Ordering::SeqCst), 1);
    assert!(matches!(make(), Err(Error::Gone)), "it is about to end");
}

#[test]
fn in_a_callback_nothing_waits() {
    let (device, guest) = (device(), guest(Scheduler::App));
    let (_, claim) = claim(guest, &device);
    crate::in_callback(|| {
        assert!(matches!(claim.wait_all(), Err(Error::InCallback(_))));
        assert!(matches!(claim.synchronize(), Err(Error::InCallback(_))));
        assert!(matches!(claim.suspend(When::Idle, Until::Asked), Err(Error::InCallback(_))));
        claim.suspend(When::Now, Until::Held).unwrap();
        claim.launch(&mut SimCommand { id: 1, duration: UNIT }).unwrap();
        claim.resume(false).unwrap();
    });
    claim.wait_all().unwrap();
}

#[test]
fn the_scheduler_inside_holds_one_queue_back_for_another_and_a_switch_lets_it_go() {
    let (device, guest) = (device(), guest(Scheduler::Local));
    let ((greedy, low), (_, high)) = (claim(guest, &device), claim(guest, &device));
    let priority = |value| [xsched_core::Hint::new(HintKind::Priority, value).unwrap()];
    high.set_hints(&priority(5)).unwrap();
    let urgent: Vec<_> = (100..140).map(|id| high.submit(command(id)).unwrap()).collect();
    eventually("the less urgent one is held", || !greedy.gate_state().is_open());
    let last = low.submit(command(1)).unwrap();
    for manager in [Manager::App, Manager::Local(PolicyKind::Hpf), Manager::App] {
        guest.set_manager(manager);
        let is_held = matches!(manager, Manager::Local(_));
        eventually("the switch is seen", || greedy.gate_state().is_open() != is_held);
    }
    last.wait().unwrap();
    urgent.iter().for_each(|it| it.wait().unwrap());
    assert_eq!((low.count(), high.count()), (Ok(0), Ok(0)));
}

#[test]
fn what_the_program_holds_stays_held_whoever_schedules() {
    let (device, guest) = (device(), guest(Scheduler::Local));
    let (queue, claim) = claim(guest, &device);
    claim.suspend(When::Now, Until::Quiet).unwrap();
    for manager in
        [Manager::App, Manager::Local(PolicyKind::Up), Manager::Local(PolicyKind::Hpf), Manager::App]
    {
        guest.set_manager(manager);
        assert!(!queue.gate_state().is_open());
    }
    let submitted = claim.submit(command(1)).unwrap();
    std::thread::sleep(UNIT * 4);
    assert_eq!(claim.count(), Ok(1));
    claim.resume(false).unwrap();
    submitted.wait().unwrap();
}

#[test]
fn the_end_of_the_process_drops_what_is_not_launched_and_nobody_waits() {
    let (device, guest) = (device(), guest(Scheduler::App));
    let (_, claim) = claim(guest, &device);
    claim.suspend(When::Now, Until::Held).unwrap();
    let submitted = claim.submit(command(1)).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| submitted.wait());
        std::thread::sleep(UNIT);
        guest.open_for_good();
        assert!(waiting.join().unwrap().is_err());
    });
    assert!(claim.submit(command(2)).is_ok_and(|it| it.wait().is_err()));
    claim.launch(&mut SimCommand { id: 3, duration: UNIT }).unwrap();
    claim.end().unwrap();
}

/// xorshift: another run for each seed.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

/// Whatever comes to one's mind; an error is an answer.
fn whatever(claim: &Claim, guest: &'static Guest, seed: &mut u64) {
    let flag = random(seed, 8) == 0;
    let until = [Until::Asked, Until::Held, Until::Quiet][random(seed, 3) as usize];
    let _ = match random(seed, 14) {
        0 => claim.suspend(When::Now, until),
        1 => claim.suspend(if flag { When::Idle } else { When::Now }, until),
        2..5 => claim.resume(flag),
        5..7 => claim.submit(Box::new(SimCommand { id: 1, duration: Duration::ZERO })).map(drop),
        7 => claim.submit(Box::new(SimCommand { id: 2, duration: Duration::ZERO })).and_then(|it| it.wait()),
        8 => claim.launch(&mut SimCommand { id: 3, duration: Duration::ZERO }),
        9 => claim.query().map(drop),
        10 => claim.count().map(drop),
        11 => claim.set_hints(&[Hint::new(HintKind::Priority, random(seed, 20) as i64).unwrap()]),
        12 if flag => claim.end(),
        13 if flag => {
            let managers = [Manager::App, Manager::Local(PolicyKind::Hpf), Manager::Local(PolicyKind::Up)];
            guest.set_manager(managers[random(seed, 3) as usize]);
            Ok(())
        }
        _ => claim.wait_all(),
    };
}

#[test]
fn many_threads_do_whatever_they_like_and_all_works_afterwards() {
    let (device, guest) = (device(), guest(Scheduler::App));
    let claims: Vec<_> = (0..6).map(|_| claim(guest, &device)).collect();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|n| {
                let (claims, is_over) = (&claims, &is_over);
                scope.spawn(move || {
                    let mut seed = 0x9e37_79b9_7f4a_7c15 ^ (n + 1);
                    while !is_over.load(Ordering::SeqCst) {
                        let at = random(&mut seed, claims.len() as u64) as usize;
                        whatever(&claims[at].1, guest, &mut seed);
                    }
                })
            })
            .collect();
        let since = Instant::now();
        // Nobody waits for ever: what one thread suspends, this one resumes.
        while threads.iter().any(|thread| !thread.is_finished()) {
            is_over.store(since.elapsed() > Duration::from_secs(1), Ordering::SeqCst);
            assert!(since.elapsed() < PATIENCE * 3, "a thread hangs");
            claims.iter().for_each(|(_, claim)| claim.resume(false).unwrap());
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    guest.set_manager(Manager::App);
    for (_, claim) in &claims {
        claim.end().unwrap();
        let last = claim.submit(command(9)).unwrap();
        last.wait().unwrap();
        claim.wait_all().unwrap();
        eventually("all is done", || claim.query() == Ok(Readiness::Idle));
    }
}
