//! Everything at once, at random: whatever happens to the server and to others, a program gets on and computes right.

use rustix::process::Signal;
use std::time::Instant;
use test_system::storm::Random;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{Machine, Program, Server, Storm, eventually};

/// Longer than any program is held: until a frozen server is noticed, or the lease of a stopped program has lapsed, on a busy machine.
const HELD: std::time::Duration = seconds(6);

#[test]
fn everything_at_random_then_programs_get_on_and_compute_right() {
    let time = if std::env::var_os("SLOW_TESTS").is_some_and(|value| value == "1") {
        seconds(180)
    } else {
        seconds(15)
    };
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    eprintln!("CHAOS_SEED={seed}");
    let mut random = Random::new(seed);
    let machine = Machine::new();
    let witness = machine.actor(0, &["check", "sleep"]);
    eventually("the witness works", PATIENCE, || witness.steps() > 0);

    let mut server: Option<Server> = None;
    let mut storm: Option<Storm> = None;
    let mut others: Vec<Program> = Vec::new();
    let (mut steps, mut last) = (witness.steps(), Instant::now());
    let start = Instant::now();
    while start.elapsed() < time {
        match random.below(12) {
            0 => {
                storm = None;
                if let Some(server) = server.take() {
                    server.crash();
                }
            }
            1 => {
                storm = None;
                if let Some(server) = server.take() {
                    server.end();
                }
            }
            2 => {
                if let Some(server) = &server {
                    server.freeze();
                    std::thread::sleep(millis(random.below(1500)));
                    server.thaw();
                }
            }
            3..=4 => {
                let priority = random.below(20) as i32 - 10;
                let script: &[&str] = [&["work", "sleep"], &["work-deep", "sleep"], &["check", "sleep"]]
                    [random.below(3) as usize];
                others.push(machine.actor(priority, script));
                if others.len() > 4 {
                    others.remove(random.below(4) as usize);
                }
            }
            5 => others.iter().for_each(|other| other.signal(Signal::STOP)),
            6..=7 => others.iter().for_each(|other| other.signal(Signal::CONT)),
            8 => others.clear(),
            9 => storm = None,
            _ if server.is_none() => server = Some(machine.server(&[])),
            // The rival of a storm does not notice when its server is gone, so it goes first.
            _ if storm.is_none() => storm = Some(Storm::begin(&machine, random.below(1000))),
            _ => {}
        }
        std::thread::sleep(millis(random.below(300)));
        if witness.steps() > steps {
            (steps, last) = (witness.steps(), Instant::now());
        }
        assert!(last.elapsed() < HELD, "the witness made no step for {:?}", last.elapsed());
        assert!(witness.end().is_none(), "the witness has ended");
        for program in others.iter().chain([&witness]) {
            let failed = program.output().into_iter().find(|line| line.starts_with("failed"));
            assert_eq!(failed, None);
        }
    }

    // In the end all is well again.
    drop((storm, server));
    others.clear();
    let server = machine.strict_server();
    eventually("the witness attaches", seconds(5), || machine.is_attached(witness.pid()));
    let rival = machine.rival(10);
    rival.wants_the_device();
    eventually("the witness obeys", seconds(3), || machine.is_suspended(witness.pid()));
    witness.stands_still_for(millis(300));
    rival.is_done();
    witness.goes_on_within(seconds(3));

    // And no more is left of it all than a program has that saw nothing of it.
    let fresh = machine.actor(0, &["check", "sleep"]);
    eventually("a new one attaches", PATIENCE, || machine.is_attached(fresh.pid()));
    eventually("nothing is left", seconds(5), || witness.holdings() == fresh.holdings());
    drop(server);
}
