//! xcli's questions over HTTP (`-a ADDR -p PORT`) to the real xserver, and where nobody answers as one does.

use crate::real::Server;
use crate::support::{build, output, stderr, stdout, xcli};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

/// A port that was free a moment ago.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn ask(port: &str, arguments: &[&str]) -> Output {
    output(xcli().args(["-a", "127.0.0.1", "-p", port]).args(arguments))
}

#[test]
fn the_server_is_asked_over_http_and_changes_need_its_token() {
    let port = free_port();
    let mut command = Command::new(build("xserver", "xserver"));
    command.args(["--http", &format!("127.0.0.1:{port}")]);
    let server = Server::start_with(command);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let result = ask(&port, &[&["--json"], arguments].concat());
        assert_eq!((result.status.code(), stderr(&result).as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_slice(&result.stdout).unwrap()
    };
    assert_eq!(json(&["status"])["pid"], server.child.id());
    assert_eq!(json(&["list"]), serde_json::json!([]));
    assert_eq!(json(&["policy"])["current"], "HPF");
    let frame = stdout(&ask(&port, &["top", "--once", "--frequency", "20"]));
    assert!(frame.contains("policy HPF"), "{frame}");
    let shown = stdout(&ask(&port, &["status"]));
    assert!(shown.contains(&format!("http://127.0.0.1:{port}\n")), "{shown}");

    // Not without the token (this machine may have a server, and that one a token); with it, as over the socket.
    let mut without = xcli();
    without.env("XSCHED_SOCKET", "/no/server/here.sock").args(["-p", &port, "policy", "UP"]);
    let refused = output(&mut without);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("changes need the token"), "{}", stderr(&refused));
    let token = server.socket().with_file_name("http-token");
    let with = |arguments: &[&str]| {
        output(xcli().env("XSCHED_HTTP_TOKEN", &token).args(["-p", &port]).args(arguments))
    };
    assert_eq!(stdout(&with(&["policy", "UP"])), "policy UP is in force\n");
    let beside =
        output(xcli().env("XSCHED_SOCKET", server.socket()).args(["-p", &port]).args(["policy", "CFS"]));
    assert_eq!(stdout(&beside), "policy CFS is in force\n");
    for (arguments, word) in [
        (&["policy", "NO_SUCH"][..], "NO_SUCH"),
        (&["hint", "-x", "q99", "-p", "1"], "q99"),
        (&["hint", "--client", "c99", "--unset", "priority"], "c99"),
        (&["rules"], "not to be had over HTTP"),
    ] {
        let refused = with(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&refused).contains(word), "{arguments:?}: {}", stderr(&refused));
    }
    let missing = output(xcli().env("XSCHED_HTTP_TOKEN", "/no/token").args(["-p", &port, "policy", "UP"]));
    assert!(stderr(&missing).contains("XSCHED_HTTP_TOKEN /no/token"), "{}", stderr(&missing));
}

#[test]
fn nobody_answers_there_then_the_exit_code_is_three() {
    let port = free_port();
    let result = ask(&port, &["list"]);
    assert_eq!(result.status.code(), Some(3), "{}", stderr(&result));
    assert!(stderr(&result).contains(&format!("http://127.0.0.1:{port}")), "{}", stderr(&result));
    assert!(stderr(&result).contains("`xserver --http ADDRESS:PORT`"), "{}", stderr(&result));
}

#[test]
fn something_else_answers_there_then_it_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (answer, said) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "something else"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "status 404"),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "status 302"),
        ("SSH-2.0-OpenSSH_9\r\n", "asking xserver at http://127.0.0.1"),
    ] {
        let server = listener.try_clone().unwrap();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        });
        let result = ask(&port, &["list"]);
        answering.join().unwrap();
        assert_eq!(result.status.code(), Some(1), "{answer}: {}", stderr(&result));
        assert!(stderr(&result).contains(said), "{answer}: {}", stderr(&result));
    }
}
