//! On the simulated driver: the same results, natively, under XSched, and while suspended at random; and who has the device when two want it.

use test_levelzero::World;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{End, Program, Storm, eventually, stays};

fn transcript(suite: &Program) -> Vec<String> {
    assert_eq!(suite.wait_for_end_within(seconds(120)), End::Exit(0), "{}", suite.errors());
    assert_eq!(suite.warnings(), [""; 0]);
    suite.whole_output()
}

#[test]
fn suite_then_its_transcript_is_the_same_natively_under_xsched_and_in_a_storm() {
    let world = World::new();
    let native = transcript(&Program::start(world.native("suite", &["2"])));
    assert!(native.len() > 28, "{native:?}");

    let _server = world.machine.server(&[]);
    assert_eq!(transcript(&world.run(0, "suite", &["2"])), native);

    let mut by_path = world.native("suite", &["2"]);
    by_path
        .env("LD_LIBRARY_PATH", world.machine.library_folder())
        .env("XSCHED_SOCKET", world.machine.socket());
    assert_eq!(transcript(&Program::start(by_path)), native);

    let _storm = Storm::of(world.rival(200), 7);
    for _ in 0..3 {
        let stormy = world.run(0, "suite", &["2"]);
        let mut most = 0;
        eventually("it ends", seconds(120), || {
            most = most.max(world.machine.suspensions(stormy.pid()));
            std::thread::sleep(millis(10));
            stormy.end().is_some()
        });
        assert!(most > 0, "nothing was suspended");
        assert_eq!(transcript(&stormy), native);
    }
}

#[test]
fn suite_without_a_server_then_its_transcript_is_the_native_one() {
    let world = World::new();
    let native = transcript(&Program::start(world.native("suite", &[])));
    let mut alone = world.native("suite", &[]);
    alone.env("LD_PRELOAD", world.machine.library_folder().join("libze_loader.so.1"));
    alone.env("XSCHED_SOCKET", world.machine.folder().join("nobody"));
    let alone = Program::start(alone);
    assert_eq!(alone.wait_for_end_within(seconds(60)), End::Exit(0), "{}", alone.errors());
    assert_eq!(alone.whole_output(), native);
    assert_eq!(alone.warnings().len(), 1, "one line says that there is no server");
}

#[test]
fn launches_refused_without_a_server_then_the_program_is_told_so() {
    let world = World::new();
    for kind in ["list", "queue"] {
        let mut refused = world.native("worker", &[kind, "urgent", "10", "1", "1", "1"]);
        refused.env("LD_PRELOAD", world.machine.library_folder().join("libze_loader.so.1"));
        refused
            .env("XSCHED_SOCKET", world.machine.folder().join("nobody"))
            .env("XSCHED_ON_NO_SERVER", "fail");
        let refused = Program::start(refused);
        assert_eq!(refused.wait_for_end(), End::Exit(3), "{}", refused.errors());
        let said = refused.whole_output();
        // ZE_RESULT_ERROR_NOT_AVAILABLE
        assert!(said.iter().any(|line| line.ends_with(": 70010001")), "{said:?}");
    }
}

#[test]
fn suspended_program_then_it_launches_nothing_more_until_it_may() {
    for kind in ["list", "queue", "table"] {
        let world = World::new();
        let _server = world.machine.strict_server();
        let greedy = world.run(0, "worker", &[kind, "greedy", "1000"]);
        greedy.goes_on_within(PATIENCE);
        let rival = world.rival(10);
        rival.wants_the_device();
        eventually("it is suspended", seconds(2), || world.machine.is_suspended(greedy.pid()));
        greedy.stands_still_for(millis(300));
        rival.is_done();
        greedy.goes_on_within(seconds(2));
    }
}

/// Kernels of one request of the urgent program.
const KERNELS: usize = 10;

/// For each request of a process: how many kernels of others came between its first and its last.
fn foreign_kernels(executed: &[u32], pid: u32) -> Vec<usize> {
    let own: Vec<usize> = (0..executed.len()).filter(|place| executed[*place] == pid).collect();
    own.chunks_exact(KERNELS).map(|request| request[KERNELS - 1] - request[0] + 1 - KERNELS).collect()
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

#[test]
fn urgent_program_beside_a_greedy_one_natively_then_they_take_turns() {
    let world = World::new();
    let greedy = Program::start(world.native("worker", &["queue", "greedy", "1000"]));
    greedy.goes_on_within(PATIENCE);
    let urgent = Program::start(world.native("worker", &["list", "urgent", "1000", "10", "50", "30"]));
    assert_eq!(urgent.wait_for_end(), End::Exit(0), "{}", urgent.errors());
    let foreign = foreign_kernels(&world.executed(), urgent.pid());
    assert_eq!(foreign.len(), 30);
    assert!(median(foreign.clone()) >= 8, "the device is not shared in turns: {foreign:?}");
}

#[test]
fn greedy_and_urgent_program_together_then_only_the_greedy_one_is_suspended_and_both_get_on() {
    for kinds in [["list", "list"], ["queue", "queue"], ["queue", "list"], ["table", "table"]] {
        let world = World::new();
        let _server = world.machine.server(&[]);
        let greedy = world.run(0, "worker", &[kinds[0], "greedy", "1000"]);
        greedy.goes_on_within(PATIENCE);
        assert_eq!(world.machine.suspensions(greedy.pid()), 0, "it is alone");

        let mut urgent = world.run(10, "worker", &[kinds[1], "urgent", "1000", "10", "50", "60"]);
        urgent.hears("request");
        let mut last = 0;
        for _ in 0..3 {
            eventually("the greedy one is suspended again and again", PATIENCE, || {
                world.machine.suspensions(greedy.pid()) > last
            });
            last = world.machine.suspensions(greedy.pid());
            assert_eq!(world.machine.suspensions(urgent.pid()), 0);
        }
        assert_eq!(urgent.wait_for_end(), End::Exit(0), "{}", urgent.errors());
        // What the greedy one had launched by then still runs: a window of about 1 ms, that is a kernel or two.
        let foreign = foreign_kernels(&world.executed(), urgent.pid());
        assert_eq!(foreign.len(), 60);
        assert!(median(foreign.clone()) <= 4, "{kinds:?}: {foreign:?}");
        greedy.goes_on_within(seconds(2));
        assert_eq!([greedy.warnings(), urgent.warnings()].concat(), [""; 0]);
    }
}

#[test]
fn program_that_never_waits_then_others_learn_all_the_same_when_it_is_idle() {
    let world = World::new();
    let _server = world.machine.strict_server();
    let greedy = world.run(0, "worker", &["list", "greedy", "1000"]);
    greedy.goes_on_within(PATIENCE);
    // Launches and then only polls an event of a list that runs in no order: that says nothing, so marks have to.
    let urgent = world.run(10, "worker", &["list", "urgent", "1000", "5", "200", "20"]);
    eventually("the greedy one is suspended", PATIENCE, || world.machine.suspensions(greedy.pid()) > 0);
    stays("and goes on in between", seconds(1), || {
        greedy.goes_on_within(seconds(2));
        true
    });
    assert_eq!(urgent.wait_for_end(), End::Exit(0), "{}", urgent.errors());
}

#[test]
fn server_killed_while_a_program_is_suspended_then_it_goes_on_and_obeys_the_next_one() {
    let world = World::new();
    let server = world.machine.strict_server();
    let greedy = world.run(0, "worker", &["queue", "greedy", "1000"]);
    greedy.goes_on_within(PATIENCE);
    let rival = world.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || world.machine.is_suspended(greedy.pid()));
    server.crash();
    greedy.goes_on_within(seconds(2));
    drop(rival);
    let _server = world.machine.strict_server();
    eventually("it is back", PATIENCE, || world.machine.is_attached(greedy.pid()));
    let rival = world.rival(10);
    rival.wants_the_device();
    eventually("it is suspended again", seconds(2), || world.machine.is_suspended(greedy.pid()));
    greedy.stands_still_for(millis(300));
}

#[test]
fn suspended_program_that_is_killed_then_nothing_of_it_is_left() {
    let world = World::new();
    let server = world.machine.strict_server();
    let before = server.holdings();
    let greedy = world.run(0, "worker", &["list", "greedy", "1000"]);
    greedy.goes_on_within(PATIENCE);
    let rival = world.rival(10);
    rival.wants_the_device();
    eventually("it is suspended", seconds(2), || world.machine.is_suspended(greedy.pid()));
    greedy.signal(rustix::process::Signal::KILL);
    eventually("it is gone", seconds(2), || world.machine.find(greedy.pid()).is_none());
    drop(rival);
    eventually("nothing is left", seconds(3), || server.holdings() == before);
}
