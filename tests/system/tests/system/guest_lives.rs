//! Clients that are killed, stopped and go on.

use rustix::process::Signal;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Machine, Program, eventually, stays};

#[test]
fn urgent_client_killed_while_the_greedy_one_is_suspended_then_the_greedy_one_goes_on() {
    let machine = Machine::new();
    let server = machine.strict_server();
    let before = server.holdings();
    let greedy = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    let with_one = server.holdings();
    let urgent = machine.actor(10, &["work-deep", "sleep"]);
    eventually("the greedy one is suspended", PATIENCE, || machine.is_suspended(greedy.pid()));
    urgent.signal(Signal::KILL);
    greedy.goes_on_within(seconds(2));
    eventually("what the urgent one had is gone", seconds(2), || {
        machine.find(urgent.pid()).is_none() && server.holdings() == with_one
    });
    greedy.signal(Signal::KILL);
    eventually("nothing is left", seconds(2), || server.holdings() == before);
}

#[test]
fn two_hundred_short_clients_come_and_go_then_nothing_of_them_is_left_in_the_server() {
    let machine = Machine::new();
    let server = machine.server(&[]);
    let before = server.holdings();
    // A few at once; half of them end by themselves, half are killed with work under way.
    for round in 0..25 {
        let end: &[&str] = if round % 2 == 0 { &["job", "exit:0"] } else { &["work", "sleep"] };
        let clients: Vec<_> = (0..8).map(|n| machine.actor(n, end)).collect();
        for client in &clients {
            if round % 2 == 0 {
                assert_eq!(client.wait_for_end(), End::Exit(0), "{}", client.errors());
            } else {
                eventually("it is attached", PATIENCE, || client.steps() > 0);
                client.signal(Signal::KILL);
            }
        }
    }
    eventually("nothing is left", seconds(3), || machine.list().is_empty() && server.holdings() == before);
    assert_eq!(server.log().matches("attached c").count(), 200, "{}", server.log());
}

#[test]
fn greedy_client_stopped_then_the_urgent_one_runs_and_the_greedy_one_goes_on_when_thawed() {
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let greedy = machine.actor(0, &["work-deep", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    greedy.goes_on_within(PATIENCE);
    greedy.signal(Signal::STOP);
    let urgent = machine.actor(10, &["work", "sleep"]);
    eventually("the urgent one attaches", PATIENCE, || machine.is_attached(urgent.pid()));
    for _ in 0..20 {
        urgent.goes_on_within(seconds(1));
    }
    assert!(machine.find(greedy.pid()).is_some(), "a stopped client stays a client");
    urgent.signal(Signal::KILL);
    greedy.signal(Signal::CONT);
    greedy.goes_on_within(seconds(2));
}

#[test]
fn urgent_client_stopped_with_work_then_its_lease_lapses_and_thawed_it_is_served_again() {
    lease_lapses_while_halted(|urgent| urgent.signal(Signal::STOP), |urgent, ()| urgent.signal(Signal::CONT));
}

#[test]
fn urgent_client_traced_with_work_then_its_lease_lapses_and_let_go_it_is_served_again() {
    lease_lapses_while_halted(Program::trace, |_, trace| drop(trace));
}

/// An urgent program is halted with work, and goes on later.
fn lease_lapses_while_halted<T>(halt: impl Fn(&Program) -> T, go_on: impl Fn(&Program, T)) {
    let machine = Machine::new();
    // Nobody is let through because he has waited for long: only the lease can help.
    let _server = machine.server(&["--max-suspend", "60s"]);
    let greedy = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    let urgent = machine.actor(10, &["work-deep", "sleep"]);
    eventually("the greedy one is suspended", PATIENCE, || machine.is_suspended(greedy.pid()));
    urgent.goes_on_within(PATIENCE);
    let halted = halt(&urgent);
    greedy.goes_on_within(seconds(3));
    stays("the greedy one is let run", seconds(1), || {
        greedy.goes_on_within(seconds(1));
        true
    });
    go_on(&urgent, halted);
    eventually("the greedy one is suspended again", seconds(2), || machine.is_suspended(greedy.pid()));
    urgent.goes_on_within(seconds(2));
}

#[test]
fn urgent_client_hung_behind_an_event_that_nobody_sets_then_its_lease_lapses() {
    let machine = Machine::new();
    let _server = machine.server(&["--max-suspend", "60s"]);
    let greedy = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    let hung = machine.actor(10, &["hang", "sleep"]);
    eventually("it has work", PATIENCE, || {
        machine.find(hung.pid()).is_some_and(|client| client.queues.iter().any(|queue| queue.launched > 0))
    });
    greedy.goes_on_within(seconds(3));
    stays("the greedy one is let run", seconds(2), || {
        greedy.goes_on_within(seconds(1));
        true
    });
    hung.signal(Signal::KILL);
    assert_eq!(hung.wait_for_end_within(seconds(2)), End::Signal(9));
}

#[test]
fn suspended_client_killed_then_its_registration_goes() {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let greedy = machine.actor(0, &["work", "sleep"]);
    eventually("it attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || machine.is_suspended(greedy.pid()));
    greedy.signal(Signal::KILL);
    assert_eq!(greedy.wait_for_end_within(seconds(2)), End::Signal(9));
    eventually("it is gone", millis(1000), || machine.find(greedy.pid()).is_none());
}
