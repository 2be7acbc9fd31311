//! The scheduling daemon.

fn main() {}
