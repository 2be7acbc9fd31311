//! A little OpenCL program that does what its arguments say, one after the other, so that tests read like scripts.
//!
//! `system-actor work hear exit:3` launches kernels on a thread, waits for a line of input, and exits. An action has its argument
//! behind a colon; the list of actions for a child is separated by commas (`fork:job,exit:5`), the list for the program that
//! this one becomes by semicolons (`exec:job;sleep`). OpenCL is loaded by name when it is first used,
//! unless `library:PATH` comes before.

mod actions;
mod api;
mod behind;
mod cl;
mod errno;
mod files;
mod signals;
mod text;

fn main() {
    let script: Vec<String> = std::env::args().skip(1).collect();
    if let Err(why) = actions::perform(&script) {
        text::say(&format!("failed {why}"));
        std::process::exit(99);
    }
}
