//! `cargo run -p test-system --example storm -- SOCKET [SEED]`: suspends everybody on the processor at random, until it is killed.

use std::path::PathBuf;
use test_system::{Rival, Storm};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let socket = PathBuf::from(arguments.next().expect("storm SOCKET [SEED]"));
    let seed = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(1);
    let _storm = Storm::of(Rival::attach(&socket, 200), seed);
    loop {
        std::thread::park();
    }
}
