//! A workload file for `xcli sim`: it is read, or each problem names its file and a line that it has.

use crate::Seed;

/// What is refused is refused in words that fit a line of a terminal, and with a place in the file.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Err(problems) = xsched_sim::read("w.toml", text) else { return };
    assert!(!problems.is_empty());
    for problem in problems {
        let line = problem.place.strip_prefix("w.toml:").and_then(|rest| rest.split(':').next());
        let line: usize = line.and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{problem}"));
        assert!((1..=text.lines().count() + 1).contains(&line), "{problem}");
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    vec![
        ("hpf", include_bytes!("../../../examples/sim/hpf.toml").to_vec()),
        ("levels", include_bytes!("../../../examples/sim/levels.toml").to_vec()),
        ("up", include_bytes!("../../../examples/sim/up.toml").to_vec()),
    ]
}
