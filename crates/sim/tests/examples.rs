//! Every file of examples/sim runs, and means something: each program gets something done.

use std::path::{Path, PathBuf};
use std::time::Duration;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() >= 3, "only {} in {}", files.len(), folder.display());
    files
}

#[test]
fn every_example_runs_the_same_twice_and_each_of_its_programs_gets_something_done() {
    for file in examples() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut workload = xsched_sim::read(&file.display().to_string(), &text).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        assert!(workload.title.is_some(), "{} has no title", file.display());
        workload.duration = workload.duration.min(Duration::from_secs(5));
        workload.draw = workload.draw.filter(|(_, to)| *to <= workload.duration);
        let outcome = xsched_sim::run(&workload);
        for part in &outcome.programs {
            assert!(part.requests > 0, "{}: {} did nothing", file.display(), part.name);
        }
        assert_eq!(outcome, xsched_sim::run(&workload), "{}", file.display());
    }
}
