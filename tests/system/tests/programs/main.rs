//! Programs that nobody here wrote, each on each driver: they write the same natively, under XSched, and while they are suspended at random.
//!
//! A few run with every `cargo test`, all of them with SLOW_TESTS=1 (`cargo xtask test programs` does that, and gets what they need).
//! What is left out is said in one line, with the reason. docs/results/programs.md has what came out on which machine.

mod catalog;
mod run;

use catalog::{CATALOG, Entry};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use test_system::Driver;

fn main() -> ExitCode {
    let all = std::env::var_os("SLOW_TESTS").is_some_and(|value| value == "1");
    let drivers = [("pocl", Driver::pocl()), ("intel", Driver::intel()), ("oclgrind", Driver::oclgrind())];
    let mut trials = Vec::new();
    for (name, driver) in &drivers {
        let driver = match driver {
            Ok(driver) => driver,
            Err(why) => {
                eprintln!("left out: all programs on {name}: {why}");
                continue;
            }
        };
        for entry in CATALOG.iter().filter(|entry| all || entry.is_quick_on(name)) {
            match entry.command(driver) {
                Ok(_) => trials.push(trial(entry, driver)),
                Err(why) => eprintln!("left out: {} on {name}: {why}", entry.name),
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(entry: &'static Entry, driver: &Driver) -> Trial {
    let driver = driver.clone();
    let name =
        format!("{}::on_{}_then_it_writes_the_same_under_xsched_and_in_a_storm", entry.name, driver.name);
    Trial::test(name, move || {
        run::natively_under_xsched_and_in_a_storm(entry, &driver);
        Ok(())
    })
}
