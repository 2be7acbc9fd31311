//! The rules: each takes what was read and answers what breaks it, one message per breach.

use crate::source::Source;
use crate::table::{
    BESIDE, GUEST_EXCEPTIONS, GUESTS, IN_TESTS, KNOWS_VENDORS, LAYERS, MayUse, NOT_IN_SCHED, OUTSIDE,
    READS_ENVIRONMENT, VENDOR_WORDS, VENDORS,
};
use crate::workspace::{Member, fits};

/// Macros and methods that end a program or write to its output.
const NOT_IN_GUESTS: &[&[&str]] = &[
    &["print", "!"],
    &["println", "!"],
    &["eprint", "!"],
    &["eprintln", "!"],
    &["dbg", "!"],
    &["panic", "!"],
    &["todo", "!"],
    &["unimplemented", "!"],
    &["unreachable", "!"],
    &["assert", "!"],
    &["assert_eq", "!"],
    &["assert_ne", "!"],
    &[".", "unwrap", "("],
    &[".", "unwrap_err", "("],
    &[".", "expect", "("],
    &[".", "expect_err", "("],
];

/// Functions of `std::env`, and of C, that touch the environment.
const ENVIRONMENT: &[&str] =
    &["env::var", "env::var_os", "env::vars", "env::vars_os", "env::set_var", "env::remove_var"];
const ENVIRONMENT_IN_C: &[&str] = &["getenv", "secure_getenv", "setenv", "unsetenv", "putenv", "environ"];

/// Every member has a place, and uses only what is below it.
pub fn layers(members: &[Member]) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut needed: Vec<(&str, &str)> = Vec::new();
    for member in members {
        let folder = member.folder.as_str();
        let Some(place) = place(folder) else {
            breaches.push(format!(
                "{folder} is in no layer. Decide which crates it may use, add it to LAYERS (or OUTSIDE) in \
                 tests/layers/src/table.rs, and to the table in ARCHITECTURE.md."
            ));
            continue;
        };
        for used in &member.uses {
            let pair = |(who, whom, _): &&(&str, &str, &str)| fits(folder, who) && fits(&used.folder, whom);
            let exception =
                BESIDE.iter().find(pair).or_else(|| IN_TESTS.iter().find(pair).filter(|_| used.in_tests));
            if is_allowed(place, &used.folder) {
                continue;
            }
            match exception {
                Some((who, whom, _)) => needed.push((who, whom)),
                None => breaches.push(not_below(folder, place, &used.folder, used.in_tests)),
            }
        }
    }
    for (who, whom, _) in BESIDE.iter().chain(IN_TESTS) {
        if !needed.contains(&(who, whom)) {
            breaches.push(format!(
                "{who} does not use {whom} any more: take the row out of tests/layers/src/table.rs."
            ));
        }
    }
    breaches
}

/// The scheduler is told the time and does no I/O.
pub fn scheduler_is_pure(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources {
        for word in NOT_IN_SCHED {
            for line in source.lines_with_path(word) {
                breaches.push(format!(
                    "{}:{line} uses {word}. crates/sched reads no clock and does no I/O, so that every policy can be \
                     tested in virtual time: take the time from the call (core::Time), and leave I/O to bin/xserver.",
                    source.path
                ));
            }
        }
    }
    breaches
}

/// Settings have one way in.
pub fn environment_is_read_in_one_place(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| !is_under(&source.path, READS_ENVIRONMENT)) {
        for function in ENVIRONMENT.iter().chain(ENVIRONMENT_IN_C) {
            for line in source.lines_with_path(function) {
                breaches.push(format!(
                    "{}:{line} uses {function}. Only crates/runtime/src/config.rs and bin/* read the environment: make \
                     it a row of `config!` in crates/core/src/config.rs and hand the value down.",
                    source.path
                ));
            }
        }
    }
    breaches
}

/// What is not a platform's knows no vendor.
pub fn vendors_stay_in_their_places(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| !is_under(&source.path, KNOWS_VENDORS)) {
        for token in &source.tokens {
            if let Some(vendor) = vendor_in(&token.text) {
                breaches.push(format!(
                    "{}:{} names a vendor's interface ({vendor}, in {}). Only {} may: let the platform hand over what is \
                     special about it, through a trait of crates/hal or a value.",
                    source.path,
                    token.line,
                    token.text,
                    KNOWS_VENDORS.join(" ")
                ));
            }
        }
    }
    breaches
}

/// A scheduled program is neither ended nor written over by us.
pub fn guests_do_not_end_or_print(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut needed: Vec<(&str, &str)> = Vec::new();
    for source in sources {
        for words in NOT_IN_GUESTS {
            let word = words.concat();
            let exception = GUEST_EXCEPTIONS
                .iter()
                .find(|(path, what, _)| *what == word && is_under(&source.path, &[path]));
            for line in source.lines_with(words) {
                match exception {
                    Some((path, what, _)) => needed.push((path, what)),
                    None => breaches.push(format!(
                        "{}:{line} has {word}. This code runs inside other people's programs: hand an error up, or let \
                         the call through ungated. If it cannot happen and no other way reads well, add a row with the \
                         reason to GUEST_EXCEPTIONS in tests/layers/src/table.rs.",
                        source.path
                    )),
                }
            }
        }
    }
    for (path, what, _) in GUEST_EXCEPTIONS {
        if !needed.contains(&(path, what)) {
            breaches.push(format!("{path} has no {what} any more: take the row out of GUEST_EXCEPTIONS."));
        }
    }
    breaches
}

/// Whether a member's folder is a guest's.
pub fn is_guest(folder: &str) -> bool {
    GUESTS.iter().any(|pattern| fits(folder, pattern))
}

/// Whether a member is in a layer, or is a shim: only these have promises about their source.
pub fn is_product(folder: &str) -> bool {
    matches!(place(folder), Some(Place::Layer(_) | Place::Outside(MayUse::Nothing | MayUse::Only(_))))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Layer(u8),
    Outside(MayUse),
}

fn place(folder: &str) -> Option<Place> {
    let in_layer = LAYERS.iter().find(|(_, patterns)| patterns.iter().any(|pattern| fits(folder, pattern)));
    let outside = || OUTSIDE.iter().find(|(pattern, _)| fits(folder, pattern));
    in_layer
        .map(|(layer, _)| Place::Layer(*layer))
        .or_else(|| outside().map(|(_, may_use)| Place::Outside(*may_use)))
}

fn is_allowed(user: Place, used: &str) -> bool {
    match (user, place(used)) {
        (Place::Layer(user), Some(Place::Layer(used))) => used < user,
        (Place::Outside(MayUse::Only(what)), Some(_)) => fits(used, what),
        (Place::Outside(MayUse::Anything), Some(_)) => true,
        _ => false,
    }
}

fn not_below(folder: &str, place: Place, used: &str, in_tests: bool) -> String {
    let name = |place| match place {
        Some(Place::Layer(layer)) => format!("layer {layer}"),
        Some(Place::Outside(_)) => "outside the layers".into(),
        None => "in no layer".into(),
    };
    let list = if in_tests { "IN_TESTS" } else { "BESIDE" };
    format!(
        "{folder} ({}) uses {used} ({}), which is not below it. A crate may use crates of lower layers only: move the code, \
         or pass what is needed as a value or a trait of a lower layer. If the use is right, say why in {list} in \
         tests/layers/src/table.rs.",
        name(Some(place)),
        name(self::place(used)),
    )
}

/// Whether `path` is one of `places`: a file, or anything in a folder, which has a slash at its end.
fn is_under(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// The vendor that a name or a string mentions.
fn vendor_in(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let within = VENDORS.iter().find(|vendor| lower.contains(**vendor));
    within.or_else(|| VENDOR_WORDS.iter().find(|vendor| words_of(text).any(|word| word == **vendor))).copied()
}

/// The words of `HipQueue`, `hip_queue`, "hip queue": hip, queue.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if c.is_ascii_uppercase() && was_lower {
            spaced.push(' ');
        }
        was_lower = c.is_ascii_lowercase();
        spaced.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    spaced.split_whitespace().map(String::from).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parse;
    use crate::workspace::Use;

    fn member(folder: &str, uses: &str, in_tests: bool) -> Member {
        let uses = if uses.is_empty() { vec![] } else { vec![Use { folder: uses.into(), in_tests }] };
        Member { folder: folder.into(), uses }
    }

    /// With the rows that the table has, so that only the rest counts.
    fn breaches(member: Member) -> Vec<String> {
        let beside = BESIDE.iter().map(|(who, whom, _)| self::member(who, whom, false));
        let in_tests = IN_TESTS.iter().map(|(who, whom, _)| self::member(who, whom, true));
        layers(&[member].into_iter().chain(beside).chain(in_tests).collect::<Vec<_>>())
    }

    #[test]
    fn uses_of_lower_layers_are_silent_and_all_others_named() {
        for (who, whom) in [
            ("crates/hal", "crates/core"),
            ("bin/new", "crates/client"),
            ("platforms/new", "platforms/new/control"),
            ("lib", "platforms/new"),
            ("shims/new", "crates/shim"),
            ("tests/new", "bin/xserver"),
        ] {
            assert_eq!(breaches(member(who, whom, false)), [""; 0], "{who} uses {whom}");
        }
        for (who, whom) in [
            ("crates/core", "crates/hal"),
            ("crates/queue", "crates/sched"),
            ("shims/new", "crates/core"),
            ("lib", "crates/shim"),
            ("crates/runtime", "platforms/new"),
            ("crates/hal", "tests/new"),
        ] {
            for in_tests in [false, true] {
                let breaches = breaches(member(who, whom, in_tests));
                assert!(breaches.len() == 1 && breaches[0].contains(whom), "{who} uses {whom}: {breaches:?}");
            }
        }
    }

    #[test]
    fn a_member_that_nobody_placed_is_told_where_to_go() {
        let breaches = breaches(member("crates/new", "", false));
        assert!(breaches[0].contains("crates/new") && breaches[0].contains("table.rs"), "{breaches:?}");
    }

    #[test]
    fn an_exception_that_nobody_needs_is_named() {
        assert_eq!(layers(&[]).len(), BESIDE.len() + IN_TESTS.len());
    }

    #[test]
    fn vendors_are_found_in_names_and_strings_and_not_in_other_words() {
        for text in
            ["\"libcuda.so\"", "OpenCL", "opencl_lib", "HipQueue", "hip", "\"the vpi stream\"", "zeLevelZero"]
        {
            assert!(vendor_in(text).is_some(), "{text}");
        }
        for text in ["membership", "ship", "ascending", "clear", "include", "\"amd64\"", "Client"] {
            assert_eq!(vendor_in(text), None, "{text}");
        }
    }

    #[test]
    fn each_rule_about_source_finds_what_it_is_about() {
        let count = |rule: fn(&[Source]) -> Vec<String>, text: &str| {
            let sources = [parse("crates/new/src/lib.rs", text).0];
            rule(&sources).iter().filter(|breach| breach.contains("crates/new")).count()
        };
        assert_eq!(count(scheduler_is_pure, "use std::{thread, time::{Duration, Instant}};"), 2);
        assert_eq!(count(scheduler_is_pure, "use core::time::Duration; fn thread() {}"), 0);
        assert_eq!(
            count(environment_is_read_in_one_place, "fn f() { std::env::var_os(a); libc::getenv(b) }"),
            2
        );
        assert_eq!(count(environment_is_read_in_one_place, "env!(\"A\"); fn var() {}"), 0);
        assert_eq!(count(vendors_stay_in_their_places, "/// OpenCL\nfn f() { \"cuda\" }"), 1);
        assert_eq!(count(guests_do_not_end_or_print, "fn f() { a.unwrap(); b.expect(\"\"); println!() }"), 3);
        assert_eq!(count(guests_do_not_end_or_print, "fn f() { a.unwrap_or(b); expect(c) }"), 0);
        assert_eq!(count(guests_do_not_end_or_print, "#[cfg(test)] mod tests { fn f() { a.unwrap() } }"), 0);
    }
}
