//! What counts as one device: programs that reach the same hardware by different drivers contend.

use test_system::driver::Driver;
use test_system::machine::actor;
use test_system::wait::{PATIENCE, seconds};
use test_system::{Machine, Program, eventually};

#[test]
fn urgent_program_on_one_driver_of_the_cpu_then_a_greedy_one_on_another_is_held_back() {
    let pocl = Driver::pocl().unwrap();
    for other in [Driver::intel(), Driver::oclgrind()] {
        match other {
            Ok(other) => {
                an_urgent_one_holds_a_greedy_one_back(&pocl, &other);
                an_urgent_one_holds_a_greedy_one_back(&other, &pocl);
            }
            Err(why) => eprintln!("left out: {why}"),
        }
    }
}

fn an_urgent_one_holds_a_greedy_one_back(urgent_on: &Driver, greedy_on: &Driver) {
    let machine = Machine::new();
    let _server = machine.strict_server();
    let start = |priority: i32, driver: &Driver| {
        // A simulator takes a minute for what a CPU does in a millisecond.
        let work = if driver.name == "oclgrind" { "check" } else { "work-deep" };
        let mut command = machine.run_command(priority, actor(), &[work, "sleep"]);
        driver.alone_in(&mut command, machine.folder());
        Program::start(command)
    };
    let greedy = start(0, greedy_on);
    eventually("the greedy one attaches", PATIENCE, || machine.is_attached(greedy.pid()));
    greedy.goes_on_within(PATIENCE);
    assert_eq!(machine.suspensions(greedy.pid()), 0, "it is alone");

    let urgent = start(10, urgent_on);
    eventually("the greedy one is held back", PATIENCE, || machine.suspensions(greedy.pid()) > 0);
    urgent.goes_on_within(PATIENCE);
    let device = |program: &Program| machine.find(program.pid()).unwrap().queues[0].device.clone();
    assert_eq!(device(&greedy), device(&urgent));
    assert_eq!(machine.suspensions(urgent.pid()), 0);

    drop(urgent);
    greedy.goes_on_within(seconds(5));
    let warnings = greedy.warnings();
    assert!(warnings.is_empty(), "{warnings:?}");
}
