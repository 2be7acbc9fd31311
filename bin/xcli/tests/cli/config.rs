//! `xcli config show`: what holds, where it came from, and what is wrong.

use crate::support::{output, stderr, stdout, xcli};
use serde_json::Value;

fn setting<'a>(settings: &'a Value, name: &str) -> &'a Value {
    let settings = settings.as_array().expect("an array");
    settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn later_sources_win_and_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    std::fs::write(&file, "policy = \"FIFO\"\ngrace = \"1ms\"\nsocket = \"/file.sock\"\npriority = 3\n")
        .unwrap();
    let mut command = xcli();
    command.args(["--json", "--socket", "/flag.sock", "config", "show", "--config"]).arg(&file);
    command.env("XSCHED_GRACE", "2ms").env("XSCHED_SOCKET", "/env.sock").env("HOME", "/");
    let result = output(&mut command);
    assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""));
    let settings: Value = serde_json::from_slice(&result.stdout).unwrap();
    for (name, value, source) in [
        ("lease", "1s", "default"),
        ("policy", "FIFO", "file"),
        ("priority", "3", "file"),
        ("grace", "2ms", "environment"),
        ("socket", "/flag.sock", "command line"),
    ] {
        let setting = setting(&settings, name);
        assert_eq!(
            (setting["value"].as_str(), setting["source"].as_str()),
            (Some(value), Some(source)),
            "{name}"
        );
        assert!(setting["env"].as_str().unwrap().starts_with("XSCHED_"));
        assert!(!setting["help"].as_str().unwrap().is_empty());
    }
}

#[test]
fn the_text_has_every_setting_with_its_help_within_eighty_columns() {
    let result = output(xcli().args(["config", "show"]));
    let text = stdout(&result);
    for key in xsched_core::config::KEYS {
        assert!(text.contains(key.env), "{}", key.env);
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(stdout(&output(xcli().arg("config"))), text, "show may be left out");
}

#[test]
fn what_cannot_be_used_is_reported_and_the_rest_is_shown() {
    let mut command = xcli();
    command
        .args(["config", "show"])
        .env("XSCHED_GRUOP", "a")
        .env("XSCHED_WINDOW", "5")
        .env("XSCHED_LEASE", "3s");
    let result = output(&mut command);
    assert_eq!(result.status.code(), Some(1));
    assert!(stdout(&result).contains("3s"));
    let text = stderr(&result);
    assert!(text.contains("XSCHED_GRUOP: is not a setting; did you mean XSCHED_GROUP?"), "{text}");
    assert!(text.contains("XSCHED_WINDOW: \"5\" is not valid; expected a duration"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("xcli: XSCHED_")), "{text}");

    let json = output(command.arg("--json"));
    let error: Value = serde_json::from_slice(&json.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "failed");
    assert_eq!(error["error"]["problems"].as_array().unwrap().len(), 2);
    assert!(serde_json::from_slice::<Value>(&json.stdout).unwrap().is_array());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let result = output(xcli().args(["config", "show", "--config", "/no/such.toml"]));
    assert_eq!(result.status.code(), Some(1));
    assert!(stderr(&result).contains("cannot read /no/such.toml"), "{}", stderr(&result));
}
