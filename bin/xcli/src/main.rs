//! The command line: run, list, hint, policy, config.

fn main() {}
