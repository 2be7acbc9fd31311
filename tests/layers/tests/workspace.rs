//! Holds the workspace as it is against the rules.

use std::path::PathBuf;
use test_layers::source::{Source, read_all};
use test_layers::workspace::Member;
use test_layers::{others, rules, workspace};

/// The source of the members chosen, each less its tests, benchmarks and build script.
fn sources(is_chosen: impl Fn(&str) -> bool) -> Vec<Source> {
    let (root, members): (PathBuf, Vec<Member>) = workspace::read();
    let chosen = members.iter().filter(|member| is_chosen(&member.folder));
    chosen.flat_map(|member| read_all(&root, &format!("{}/src", member.folder))).collect()
}

fn demand(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "\n\n{}\n", breaches.join("\n\n"));
}

#[test]
fn every_crate_uses_only_crates_below_it() {
    let (_, members) = workspace::read();
    assert!(members.len() > 10, "cargo metadata lists the workspace");
    demand(rules::layers(&members));
}

#[test]
fn the_scheduler_reads_no_clock_and_does_no_io() {
    let sources = sources(|folder| folder == "crates/sched");
    assert!(!sources.is_empty());
    demand(rules::scheduler_is_pure(&sources));
}

#[test]
fn only_the_settings_read_the_environment() {
    let sources = sources(rules::is_product);
    let settings = sources.iter().find(|source| source.path == "crates/runtime/src/config.rs");
    let reads = settings.map(|source| source.lines_with_path("env::vars_os").len());
    assert_eq!(reads, Some(1), "the one place is seen, so others would be too");
    demand(rules::environment_is_read_in_one_place(&sources));
}

#[test]
fn names_of_vendors_stay_with_the_platforms() {
    demand(rules::vendors_stay_in_their_places(&sources(rules::is_product)));
}

#[test]
fn guests_neither_end_nor_print() {
    let sources = sources(rules::is_guest);
    assert!(!sources.is_empty());
    demand(rules::guests_do_not_end_or_print(&sources));
}

#[test]
fn crates_of_others_come_from_one_place_under_licences_that_fit_and_none_is_banned() {
    let others = others::read();
    assert!(others.len() > 30, "cargo metadata lists what is used");
    demand(others.iter().flat_map(others::breaches).collect());
}
