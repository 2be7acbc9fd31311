//! Wrong command lines name the value and what is allowed; older spellings are answered; a reader who goes away does no harm.

use crate::support::{output, stderr, stdout, xcli};
use std::io::{PipeReader, PipeWriter};
use std::process::Stdio;

#[test]
fn usage_errors_name_the_value_and_what_is_allowed() {
    for (arguments, words) in [
        (&["run", "--priority", "300", "true"][..], &["'300'", "--priority", "-256 to 255"][..]),
        (&["run", "--priority", "high", "true"], &["'high'", "a whole number from -256 to 255"]),
        (&["run", "--level", "4", "true"], &["'4'", "--level", "1 (block), 2 (deactivate) or 3 (interrupt)"]),
        (&["run", "--group", "", "true"], &["--group", "1 to 255 bytes"]),
        (&["run", "--wait", "--fail", "true"], &["--wait", "--fail"]),
        (&["run", "--bogus", "true"], &["--bogus"]),
        (&["run"], &["PROGRAM"]),
        (&["hint", "-x", "c7", "-p", "1"], &["'c7'", "--queue", "a number such as q7"]),
        (&["hint", "-p", "1"], &["--queue", "--pid", "--client"]),
        (&["hint", "--pid", "1", "--client", "c1", "-p", "1"], &["--pid", "--client"]),
        (&["hint", "--pid", "1"], &["which hint", "--priority"]),
        (&["policy", "-s"], &["--name"]),
        (&["config", "-x", "1", "-l", "2"], &["XSCHED_AUTO_XQUEUE_LEVEL", "xcli run --level"]),
        (&["config", "-b", "4"], &["XSCHED_AUTO_XQUEUE_BATCH_SIZE", "XQueueSetLaunchConfig"]),
        (&["config", "-x", "c1", "-l", "2"], &["'c1'", "--xqueue", "a number such as q7"]),
        (&["config", "-x", "1", "-l", "4"], &["'4'", "--level", "1..=3"]),
        (&["config", "-x", "1", "-t", "0"], &["'0'", "--threshold", "1.."]),
        (&["--port", "99999", "list"], &["'99999'", "--port"]),
        (&["--addr", "a/b", "list"], &["'a/b'", "--addr", "an address such as 127.0.0.1"]),
        (&["--addr", "localhost", "--socket", "/x", "list"], &["--addr", "--socket"]),
        (&["bogus"], &["bogus"]),
    ] {
        let result = output(xcli().args(arguments));
        let text = stderr(&result);
        assert_eq!(result.status.code(), Some(2), "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: no {word} in {text}");
        }
        assert_eq!(stdout(&result), "");

        let json = output(xcli().arg("--json").args(arguments));
        assert_eq!(json.status.code(), Some(2));
        let error: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "usage", "{arguments:?}");
        assert!(error["error"]["message"].as_str().unwrap().contains(words[0]), "{error}");
    }
}

#[test]
fn without_a_server_the_exit_code_is_three_and_every_place_is_named() {
    let runtime = tempfile::tempdir().unwrap();
    for arguments in
        [&["list"][..], &["status"], &["policy"], &["policy", "HPF"], &["hint", "--pid", "1", "-p", "1"]]
    {
        let missing = runtime.path().join("missing.sock");
        let result = output(xcli().args(arguments).env("XSCHED_SOCKET", &missing));
        assert_eq!(result.status.code(), Some(3), "{arguments:?}");
        let text = stderr(&result);
        assert!(text.contains("start one with `xserver`"), "{text}");
        assert!(text.contains(&format!("{}: there is no such socket", missing.display())), "{text}");
    }
    let json = output(xcli().args(["--json", "--socket", "/no/x.sock", "list"]));
    let error: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
    assert_eq!((json.status.code(), &error["error"]["kind"]), (Some(3), &"no_server".into()));
}

#[test]
fn address_flags_where_nobody_asks_a_server_are_answered() {
    let result = output(xcli().args(["-a", "127.0.0.1", "-p", "50000", "config", "show"]));
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    assert!(stderr(&result).contains("without effect here"), "{}", stderr(&result));
}

#[test]
fn a_reader_who_goes_away_does_no_harm() {
    for arguments in [&["config", "show"][..], &["--json", "config", "show"], &["--help"]] {
        let (reader, writer): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
        drop(reader);
        let child = xcli().args(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let result = child.wait_with_output().unwrap();
        assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
