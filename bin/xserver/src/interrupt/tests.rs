//! From the scheduler's decisions to calls, with levers of nothing.

use super::lever::fake::{Fake, wait};
use super::*;
use std::time::Duration;
use xsched_core::{Hint, HintKind, Hints};
use xsched_ipc::guest::SharedPage;
use xsched_ipc::page::LAYOUT;
use xsched_ipc::peer::Credentials;
use xsched_ipc::server::{GuestPage, Newcomer};
use xsched_ipc::wire::Hello;
use xsched_queue::gate::GateState;
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// A server on paper, in virtual time.
struct Machine {
    guests: Guests,
    interrupts: Interrupts,
    now: Time,
}

/// A process with one queue and one channel group on the only device.
struct Process {
    client: ClientId,
    page: SharedPage,
    fake: Arc<Fake>,
}

impl Machine {
    fn new(policy: PolicyKind) -> Machine {
        let guests = Guests::new(Scheduler::new(policy, Settings::default()));
        Machine { guests, interrupts: Interrupts::default(), now: Time::from_nanos(1_000_000_000) }
    }

    fn join(&mut self, priority: i64, group: Option<&str>) -> Process {
        let shared = SharedPage::create().unwrap();
        let (layout, epoch) = (LAYOUT, xsched_queue::gate::Epoch::FIRST);
        shared.page().gates().iter().for_each(|gate| gate.start(epoch));
        shared.page().set_key(0, &device());
        shared.page().occupy(0, 0, Level::Interrupt).unwrap();
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Priority, priority).unwrap());
        let hello = Hello { layout, epoch, program: "test".into(), group: group.map(str::to_owned), hints };
        let page = GuestPage::map(shared.fd().unwrap()).unwrap();
        let client = self.guests.new_client();
        let who = Credentials { pid: client.0, uid: 1, gid: 1, groups: vec![] };
        self.guests.join(client, client.0, who, Newcomer { hello, page }, self.now);
        self.guests.read_page(client, self.now).unwrap();
        Process { client, page: shared, fake: Arc::default() }
    }

    /// A process that lends its channel group.
    fn lender(&mut self, priority: i64) -> Process {
        let process = self.join(priority, None);
        self.lend(&process);
        process
    }

    fn lend(&mut self, process: &Process) {
        let levers: Vec<Placed> = vec![(device(), process.fake.clone())];
        self.interrupts.adopt(&mut self.guests, process.client, levers, Allowance::default(), self.now);
        let conditions: Vec<_> = self.interrupts.loans[&process.client]
            .levers
            .iter()
            .map(|lent| Arc::clone(&lent.condition))
            .collect();
        wait("the driver is asked", || conditions.iter().all(|condition| condition.is_usable()));
        assert_eq!(process.fake.take(), ["ask"]);
        self.interrupts.refresh(&mut self.guests);
        self.turn();
        // What that told the scheduler.
        self.turn();
    }

    fn turn(&mut self) {
        self.guests.turn(self.now);
        self.interrupts.follow(&mut self.guests, self.now);
    }

    /// Time passes, with all that is due in it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.guests.turn(self.now).next;
            let due = self.interrupts.follow(&mut self.guests, self.now);
            let Some(next) = next.into_iter().chain(due).min().filter(|next| *next <= end) else { break };
            self.now = next.max(self.now + Duration::from_nanos(1));
        }
        self.now = end;
    }

    fn launch(&mut self, process: &Process, launches: u32) {
        for _ in 0..launches {
            let slot = process.page.page().slot(0).unwrap();
            let is_news = slot.activity.begin().was_idle && slot.activity.raise();
            slot.activity.end();
            let _ = is_news;
        }
        self.guests.read_page(process.client, self.now).unwrap();
        self.turn();
    }

    /// All that it launched is done, and the grace is over.
    fn finish(&mut self, process: &Process) {
        let slot = process.page.page().slot(0).unwrap();
        assert!(slot.activity.try_idle(slot.activity.snapshot()));
        self.guests.read_page(process.client, self.now).unwrap();
        self.pass(Duration::from_micros(201));
        self.turn();
    }

    /// A burst of so many launches.
    fn burst(&mut self, process: &Process, launches: u32, length: Duration) {
        self.launch(process, launches);
        self.pass(length);
        self.finish(process);
    }
}

fn device() -> DeviceKey {
    DeviceKey::cpu(0)
}

fn is_done(process: &Process, expected: &[&str]) {
    let mut done = vec![];
    wait(&format!("{expected:?}"), || {
        done.extend(process.fake.take());
        done.len() >= expected.len()
    });
    assert_eq!(done, expected);
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn alone_or_among_equals_nothing_is_done_to_anybody() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let all = [machine.lender(0), machine.lender(0)];
    for _ in 0..5 {
        all.iter().for_each(|process| machine.burst(process, 50, 5 * MS));
    }
    assert!(all.iter().all(|process| process.fake.take().is_empty()));
}

#[test]
fn a_solid_urgent_one_gets_long_turns_and_the_greedy_one_short_ones_and_all_is_plain_again_when_it_has_been_away_for_a_while()
 {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (greedy, urgent) = (machine.lender(0), machine.lender(1));
    machine.launch(&greedy, 1);
    machine.burst(&urgent, 1, 3 * MS);
    is_done(&greedy, &["interruptible", "short"]);
    is_done(&urgent, &["long"]);
    for _ in 0..20 {
        machine.pass(20 * MS);
        machine.burst(&urgent, 1, 3 * MS);
    }
    assert!(urgent.fake.take().is_empty() && greedy.fake.take().is_empty(), "no call on the way");
    machine.pass(Duration::from_secs(11));
    is_done(&greedy, &["plain", "uninterruptible"]);
    is_done(&urgent, &["plain", "uninterruptible"]);
}

#[test]
fn an_eager_urgent_one_has_the_greedy_one_off_from_its_first_long_burst_on_and_only_while_it_is_ready() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (greedy, urgent) = (machine.lender(0), machine.lender(1));
    machine.launch(&greedy, 1);
    machine.launch(&urgent, 1);
    machine.launch(&urgent, 100);
    is_done(&greedy, &["interruptible", "short"]);
    machine.pass(3 * MS);
    is_done(&greedy, &["hold"]);
    machine.finish(&urgent);
    is_done(&greedy, &["release"]);
    for _ in 0..3 {
        machine.launch(&urgent, 1);
        is_done(&greedy, &["hold"]);
        machine.launch(&urgent, 100);
        machine.pass(3 * MS);
        machine.finish(&urgent);
        is_done(&greedy, &["release"]);
    }
}

fn gate(process: &Process) -> GateState {
    process.page.page().gate(0).unwrap().state()
}

#[test]
fn who_can_be_interrupted_at_any_moment_may_keep_work_on_the_device_while_it_is_held_back_and_nobody_else_may()
 {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (greedy, urgent) = (machine.lender(0), machine.lender(1));
    let unlent = machine.join(0, None);
    machine.launch(&greedy, 1);
    machine.launch(&unlent, 1);
    assert!(!gate(&greedy).is_deep(), "nobody goes before it");
    machine.launch(&urgent, 1);
    assert!(
        !gate(&greedy).is_to_be_filled(),
        "it has an equal, and so turns in which it can keep the device"
    );
    machine.finish(&unlent);
    machine.pass(101 * MS);
    assert!(gate(&greedy).is_to_be_filled() && !gate(&greedy).is_open());
    assert!(!gate(&urgent).is_deep());
    machine.finish(&urgent);
    assert!(gate(&greedy).is_open() && gate(&greedy).is_deep() && gate(&greedy).is_windowed());
    // Control of it is lost.
    *greedy.fake.refuses.lock().unwrap() = Some("hold");
    machine.launch(&urgent, 1);
    machine.launch(&urgent, 100);
    machine.pass(3 * MS);
    let condition = Arc::clone(&machine.interrupts.loans[&greedy.client].levers[0].condition);
    wait("it is refused", || condition.refusal().is_some());
    machine.interrupts.refresh(&mut machine.guests);
    machine.turn();
    assert!(!gate(&greedy).is_deep() && !gate(&greedy).is_open(), "it is held by its gate, as anybody else");
}

#[test]
fn who_cannot_be_taken_off_is_not_filled_up_and_its_equal_only_while_that_is_off() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (some, urgent) = ([machine.lender(0), machine.join(0, None)], machine.lender(1));
    some.iter().for_each(|process| machine.launch(process, 1));
    machine.launch(&urgent, 1);
    assert!(some.iter().all(|process| !gate(process).is_deep() && !gate(process).is_open()));
    machine.pass(3 * MS);
    assert_eq!([true, false], [0, 1].map(|at| gate(&some[at]).is_to_be_filled()));
    machine.finish(&urgent);
    assert!(some.iter().all(|process| !gate(process).is_deep() && gate(process).is_open()));
    // What was lent is taken back.
    machine.launch(&urgent, 1);
    machine.pass(3 * MS);
    let now = machine.now;
    for process in [&some[0], &urgent] {
        machine.interrupts.adopt(&mut machine.guests, process.client, vec![], Allowance::default(), now);
    }
    machine.turn();
    assert!(some.iter().all(|process| !gate(process).is_deep() && !gate(process).is_open()));
}

#[test]
fn an_eager_urgent_one_that_never_ends_then_the_greedy_one_has_its_due_and_an_urgent_one_that_dies_holds_nobody()
 {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (greedy, urgent) = (machine.lender(0), machine.lender(1));
    machine.launch(&greedy, 1);
    machine.launch(&urgent, 1);
    machine.launch(&urgent, 100);
    is_done(&greedy, &["interruptible", "short"]);
    machine.pass(3 * MS);
    is_done(&greedy, &["hold"]);
    // It makes progress, or its lease would lapse.
    for _ in 0..21 {
        machine.pass(100 * MS);
        machine.launch(&urgent, 1);
    }
    is_done(&greedy, &["release", "hold"]);
    machine.interrupts.forget(urgent.client);
    machine.guests.leave(urgent.client, machine.now);
    machine.turn();
    is_done(&greedy, &["release", "plain", "uninterruptible"]);
    wait("its lever is closed", || Arc::strong_count(&urgent.fake) == 1);
}

#[test]
fn a_group_is_kept_off_as_a_whole_or_not_at_all() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (one, other) = (machine.join(0, Some("job")), machine.join(0, Some("job")));
    let urgent = machine.lender(1);
    machine.lend(&one);
    for process in [&one, &other] {
        machine.launch(process, 1);
    }
    machine.launch(&urgent, 1);
    machine.launch(&urgent, 100);
    machine.pass(3 * MS);
    is_done(&one, &["interruptible", "short"]);
    machine.pass(5 * MS);
    assert!(one.fake.take().is_empty(), "the other one can only be held by its gate");
    machine.lend(&other);
    is_done(&one, &["hold", "plain"]);
    wait("the other one is off too", || other.fake.take().contains(&"hold"));
}

/// Which of these may launch on the device, of whom the others are off.
fn on(all: &[Process]) -> Vec<usize> {
    (0..all.len()).filter(|at| gate(&all[*at]).is_open()).collect()
}

#[test]
fn of_equals_who_yield_one_is_on_the_device_at_a_time_and_each_has_its_part() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (some, urgent) = ([0; 4].map(|_| machine.lender(0)), machine.lender(1));
    machine.burst(&urgent, 1, MS / 2);
    some.iter().for_each(|process| machine.launch(process, 1));
    let (mut had, mut handovers) = ([Duration::ZERO; 4], 0);
    for _ in 0..120 {
        for _ in 0..10 {
            machine.pass(MS);
            let [one] = on(&some)[..] else { panic!("{:?} have the device", on(&some)) };
            had[one] += MS;
            for (at, process) in some.iter().enumerate() {
                assert!(gate(process).is_deep() && (at == one || gate(process).is_to_be_filled()));
            }
        }
        // A short burst: who has the turn keeps it, and need not be stopped.
        let one = on(&some)[0];
        machine.launch(&urgent, 1);
        assert_eq!(on(&some), [0; 0]);
        wait("one is on", || {
            some.iter().enumerate().all(|(at, process)| process.fake.is_off() == (at != one))
        });
        machine.pass(MS / 4);
        assert!(!some[one].fake.is_off(), "no call for a short burst");
        machine.finish(&urgent);
        handovers += usize::from(on(&some) != [one]);
    }
    let all = Duration::from_millis(1200);
    assert!(had.iter().all(|had| (*had * 4).abs_diff(all) < 4 * 40 * MS), "{had:?}");
    assert!((20..=45).contains(&handovers), "{handovers} in 1.2 s of turns of 30 ms");
}

#[test]
fn who_has_the_turn_and_becomes_idle_loses_the_device_at_once() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (some, urgent) = ([0; 3].map(|_| machine.lender(0)), machine.lender(1));
    machine.burst(&urgent, 1, MS / 2);
    some.iter().for_each(|process| machine.launch(process, 1));
    machine.pass(MS);
    let first = on(&some)[0];
    assert!(gate(&some[first]).is_awaited(), "so that it tells");
    machine.finish(&some[first]);
    let next: Vec<usize> = on(&some).into_iter().filter(|at| *at != first).collect();
    let [next] = next[..] else { panic!("{next:?}") };
    assert!(gate(&some[next]).is_awaited());
    wait("it is let go", || !some[next].fake.is_off());
}

#[test]
fn an_equal_that_rests_every_few_milliseconds_is_never_off_and_runs_beside_the_one_whose_turn_it_is() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (solid, restless) = ([0; 2].map(|_| machine.lender(0)), machine.lender(0));
    let urgent = machine.lender(1);
    machine.burst(&urgent, 1, MS / 2);
    solid.iter().for_each(|process| machine.launch(process, 1));
    let burst = |machine: &mut Machine| {
        machine.launch(&restless, 1);
        let mut waited = Duration::ZERO;
        while !gate(&restless).is_open() {
            machine.pass(MS);
            waited += MS;
        }
        machine.pass(MS);
        let beside = on(&solid).len();
        machine.finish(&restless);
        machine.pass(2 * MS);
        (waited, beside)
    };
    assert_eq!(burst(&mut machine).1, 0, "it takes turns as long as nothing is known");
    let _learnt = [(); 3].map(|()| burst(&mut machine));
    for _ in 0..50 {
        assert_eq!(burst(&mut machine), (Duration::ZERO, 1));
        assert_eq!(on(&solid).len(), 1);
    }
    wait("it is on, with the driver's turns", || {
        !restless.fake.is_off() && *restless.fake.turns.lock().unwrap() == 2 * MS
    });
    let holder = &solid[on(&solid)[0]].fake;
    wait("and so is the one beside it", || *holder.turns.lock().unwrap() == 2 * MS);
}

#[test]
fn a_group_of_several_processes_has_its_turn_as_a_whole() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let job = [0; 2].map(|_| machine.join(0, Some("job")));
    job.iter().for_each(|process| machine.lend(process));
    let (alone, urgent) = (machine.lender(0), machine.lender(1));
    machine.burst(&urgent, 1, MS / 2);
    job.iter().chain([&alone]).for_each(|process| machine.launch(process, 1));
    let mut turns = [0; 2];
    for _ in 0..200 {
        machine.pass(MS);
        let of_job = on(&job).len();
        assert!(of_job.is_multiple_of(2) && (of_job == 2) != gate(&alone).is_open());
        turns[usize::from(of_job == 2)] += 1;
    }
    assert!(turns.iter().all(|turns| *turns > 60), "{turns:?}");
    let is_on = gate(&alone).is_open();
    wait("the others are off", || {
        alone.fake.is_off() != is_on && job.iter().all(|process| process.fake.is_off() == is_on)
    });
    // Its two parts run side by side in its turn.
    let turns = |process: &Process| *process.fake.turns.lock().unwrap();
    wait("turns", || turns(&alone) == MS / 1000 && job.iter().all(|process| turns(process) == 2 * MS));
}

#[test]
fn where_nobody_goes_before_them_any_more_equals_run_side_by_side() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (some, urgent) = ([0; 3].map(|_| machine.lender(0)), machine.lender(1));
    machine.burst(&urgent, 1, MS / 2);
    some.iter().for_each(|process| machine.launch(process, 1));
    machine.pass(MS);
    assert_eq!(on(&some).len(), 1);
    machine.interrupts.forget(urgent.client);
    machine.guests.leave(urgent.client, machine.now);
    machine.turn();
    machine.pass(MS);
    assert_eq!(on(&some).len(), 3);
    for process in &some {
        wait("nobody is off", || !process.fake.is_off());
        assert!(!gate(process).is_deep());
    }
}

#[test]
fn control_of_one_that_waits_for_its_turn_is_lost_then_it_is_held_by_its_gate_or_runs_beside() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (some, urgent) = ([0; 3].map(|_| machine.lender(0)), machine.lender(1));
    machine.burst(&urgent, 1, MS / 2);
    *some[1].fake.refuses.lock().unwrap() = Some("hold");
    some.iter().for_each(|process| machine.launch(process, 1));
    for _ in 0..3 {
        machine.pass(31 * MS);
    }
    let condition = Arc::clone(&machine.interrupts.loans[&some[1].client].levers[0].condition);
    wait("it is refused", || condition.refusal().is_some());
    machine.interrupts.refresh(&mut machine.guests);
    machine.turn();
    machine.pass(MS);
    assert!(gate(&some[1]).is_open() && !gate(&some[1]).is_deep(), "it has no turns");
    assert_eq!(on(&some).len(), 2, "beside the one whose turn it is");
}

#[test]
fn an_equal_that_has_been_idle_for_a_moment_changes_nothing_and_one_that_comes_back_does() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let ([greedy, idle], urgent) = ([machine.lender(0), machine.join(0, None)], machine.lender(1));
    machine.burst(&idle, 1, 3 * MS);
    machine.launch(&greedy, 1);
    machine.burst(&urgent, 1, MS);
    is_done(&greedy, &["interruptible", "plain"]);
    machine.pass(101 * MS);
    is_done(&greedy, &["short"]);
    machine.launch(&idle, 1);
    is_done(&greedy, &["plain"]);
    machine.finish(&idle);
    machine.pass(99 * MS);
    assert!(greedy.fake.take().is_empty(), "it was here a moment ago");
    machine.pass(3 * MS);
    is_done(&greedy, &["short"]);
}

#[test]
fn an_equal_that_has_become_idle_without_a_word_since_nobody_waits_for_it_is_noticed_at_a_heartbeat() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let ([greedy, quiet], urgent) = ([machine.lender(0), machine.join(0, None)], machine.lender(1));
    machine.launch(&greedy, 1);
    machine.launch(&quiet, 1);
    machine.burst(&urgent, 1, MS);
    is_done(&greedy, &["interruptible", "plain"]);
    let slot = quiet.page.page().slot(0).unwrap();
    assert!(slot.activity.try_idle(slot.activity.snapshot()));
    for _ in 0..4 {
        machine.guests.audit(machine.now);
        machine.pass(50 * MS);
    }
    is_done(&greedy, &["short"]);
    machine.launch(&quiet, 1);
    is_done(&greedy, &["plain"]);
}

#[test]
fn turns_of_the_scheduler_hand_the_device_over_by_taking_one_off_and_letting_the_next_one_on() {
    for policy in [PolicyKind::Up, PolicyKind::Pup] {
        let mut machine = Machine::new(policy);
        let all = [machine.lender(0), machine.lender(0)];
        for (process, part) in all.iter().zip([75, 25]) {
            let hint = Hint::new(HintKind::Utilization, part).unwrap();
            let event = Event::ClientHint { client: process.client, hint };
            machine.guests.scheduler.handle(event, machine.now);
            machine.launch(process, 1);
        }
        let (mut had, mut handovers, mut last) = ([Duration::ZERO; 2], 0, 0);
        for _ in 0..1200 {
            machine.pass(MS);
            let [one] = on(&all)[..] else { panic!("{:?} have the device", on(&all)) };
            had[one] += MS;
            handovers += usize::from(std::mem::replace(&mut last, one) != one);
            assert!(gate(&all[one]).is_deep() && gate(&all[1 - one]).is_to_be_filled());
        }
        assert!(had[0].abs_diff(900 * MS) < 31 * MS, "{had:?}");
        assert!(
            (15..=25).contains(&handovers),
            "{handovers} in 1.2 s: three turns of 30 ms follow one another"
        );
        wait("the other one is off", || {
            all.iter().enumerate().all(|(at, it)| it.fake.is_off() == (at != last))
        });
    }
}

#[test]
fn while_a_call_is_stuck_turns_are_those_of_gates_and_whoever_is_off_lets_itself_go() {
    let mut machine = Machine::new(PolicyKind::Up);
    let all = [0; 3].map(|_| machine.lender(0));
    all.iter().for_each(|process| machine.launch(process, 1));
    machine.pass(MS);
    let first = on(&all)[0];
    wait("the others are off", || all.iter().enumerate().all(|(at, it)| it.fake.is_off() == (at != first)));
    all[first].fake.freeze("hold");
    machine.pass(31 * MS);
    wait("it is in the call", || all[first].fake.is_frozen());
    std::thread::sleep(Duration::from_millis(550));
    for _ in 0..3 {
        machine.interrupts.refresh(&mut machine.guests);
        machine.turn();
        machine.turn();
    }
    assert!(all.iter().all(|process| !gate(process).is_deep()), "what it launches is not to be off");
    let mut left = machine.interrupts.left_off();
    left.sort();
    assert_eq!(left, all.each_ref().map(|process| process.client));
    all[first].fake.thaw();
    wait("they go on", || all.iter().all(|process| !process.fake.is_off()));
}

#[test]
fn who_cannot_be_taken_off_has_its_turns_too_and_the_others_are_off_meanwhile() {
    let mut machine = Machine::new(PolicyKind::Cfs);
    let all = [machine.lender(0), machine.lender(0), machine.join(0, None)];
    all.iter().for_each(|process| machine.launch(process, 1));
    let mut had = [Duration::ZERO; 3];
    for _ in 0..600 {
        machine.pass(MS);
        let on = on(&all);
        assert!(on.len() <= 1, "{on:?}");
        on.into_iter().for_each(|at| had[at] += MS);
        assert!(!gate(&all[2]).is_deep());
        assert!(all[..2].iter().all(|process| gate(process).is_deep()));
        // What it launched before its gate was closed is done.
        let slot = all[2].page.page().slot(0).unwrap();
        slot.completed.store(slot.activity.snapshot().launched(), std::sync::atomic::Ordering::Relaxed);
        let queue =
            machine.guests.table[&all[2].client].queues().map(|(known, _)| known.queue).next().unwrap();
        machine.guests.tell_progress(queue, machine.now);
        machine.turn();
    }
    assert!(had.iter().all(|had| *had > 100 * MS), "{had:?}");
    assert!(all[2].fake.take().is_empty());
}

#[test]
fn policies_of_turns_do_nothing_to_the_channels_of_one_that_is_alone() {
    let mut machine = Machine::new(PolicyKind::Up);
    let alone = machine.lender(0);
    for _ in 0..5 {
        machine.burst(&alone, 50, 5 * MS);
    }
    assert!(alone.fake.take().is_empty() && !gate(&alone).is_deep());
}

#[test]
fn who_lends_something_else_too_often_is_told_so() {
    let mut allowance = Allowance::default();
    let now = Time::from_nanos(1_000_000_000);
    assert!((0..Allowance::MOST).all(|_| allowance.take(now).is_ok()));
    assert!(allowance.take(now).unwrap_err().contains("more often"));
    assert!(allowance.take(now + Allowance::EACH).is_ok() && allowance.take(now + Allowance::EACH).is_err());
    let mut slow = Allowance::default();
    assert!((1..1000).all(|n| slow.take(now + Allowance::EACH * n).is_ok()));
}

#[test]
fn what_was_lent_by_one_who_lends_too_often_is_closed_with_its_end() {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let process = machine.join(0, None);
    let levers: Vec<Placed> = vec![(device(), process.fake.clone())];
    let spent = Allowance { left: 0, since: machine.now };
    machine.interrupts.adopt(&mut machine.guests, process.client, levers, spent, machine.now);
    let lent = machine.interrupts.lend(&mut machine.guests, process.client, None, machine.now);
    assert!(lent.unwrap_err().contains("more often than"));
    machine.interrupts.forget(process.client);
    wait("its file is closed", || Arc::strong_count(&process.fake) == 1);
}

/// A greedy process that is off, because an eager urgent one runs.
fn held() -> (Machine, Process, Process) {
    let mut machine = Machine::new(PolicyKind::Hpf);
    let (greedy, urgent) = (machine.lender(0), machine.lender(1));
    machine.launch(&greedy, 1);
    machine.launch(&urgent, 1);
    machine.launch(&urgent, 100);
    is_done(&greedy, &["interruptible", "short"]);
    machine.pass(3 * MS);
    is_done(&greedy, &["hold"]);
    (machine, greedy, urgent)
}

#[test]
fn another_policy_lets_go_who_was_off_by_the_last_one() {
    for policy in [PolicyKind::Up, PolicyKind::Cfs] {
        let (mut machine, greedy, _urgent) = held();
        machine.guests.scheduler.set_policy(policy, machine.now);
        machine.turn();
        machine.pass(50 * MS);
        wait(&format!("{policy:?}"), || greedy.fake.take().contains(&"release"));
    }
}

#[test]
fn who_has_no_queue_any_more_is_let_go() {
    let (mut machine, greedy, _urgent) = held();
    greedy.page.page().slot(0).unwrap().vacate();
    machine.guests.read_page(greedy.client, machine.now).unwrap();
    machine.turn();
    machine.pass(5 * MS);
    wait("it is let go", || greedy.fake.take().contains(&"release"));
}
