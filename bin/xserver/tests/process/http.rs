//! HTTP of a real server, as browsers, monitoring and strangers use it.

use crate::guest::Guest;
use crate::harness::{PATIENCE, Server, wait};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

/// A server that listens on a port of its own choice.
pub(crate) struct Http {
    pub(crate) server: Server,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Http {
    pub(crate) fn start() -> Http {
        let server = Server::start(&["HPF", "--http", "127.0.0.1:0"]);
        server.wait_for_log("HTTP on ");
        let log = server.log();
        let address = log.split("HTTP on ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        let path = server.socket().with_file_name("http-token");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = std::fs::read_to_string(&path).unwrap().trim().to_owned();
        Http { server, address, token }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends this, and answers with the status (0: none) and the body.
    pub(crate) fn send(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.send(
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}",
                self.address
            )
            .as_bytes(),
        )
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let (status, body) = self.request("GET", path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> (u16, String) {
        let headers = format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", self.token);
        self.request("PUT", path, &headers, body)
    }
}

#[test]
fn what_is_shown_over_http_is_what_the_list_says_and_what_is_changed_there_holds() {
    let http = Http::start();
    let greedy = Guest::attach(&http.server, "greedy \"x\"\n", 0);
    let urgent = Guest::attach(&http.server, "urgent", 5);
    greedy.launch(0);
    urgent.launch(0);
    wait("it is held", || greedy.is_held());
    let client = http.server.list()[0].client.0;
    let queues = http.get("/v1/queues");
    assert!(queues.contains("\"suspended\":true") && queues.contains("\"program\":\"urgent\""), "{queues}");
    let processes = http.get("/v1/processes");
    assert!(processes.contains("\"held_by\":[{"), "{processes}");
    let metrics = http.get("/metrics");
    for line in [
        "xsched_processes 2",
        "xsched_suspensions_total 1",
        "xsched_policy_info{policy=\"HPF\"} 1",
        "program=\"greedy \\\"x\\\"?\"",
        "xsched_preemption_closing_seconds_bucket{le=\"+Inf\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    // The greedy one goes first from now on.
    let (status, body) =
        http.put("/v1/hints", &format!("{{\"client\":{client},\"name\":\"priority\",\"value\":9}}"));
    assert_eq!((status, body.as_str()), (200, "{\"queues\":1,\"note\":null}"));
    wait("they have changed places", || urgent.is_held() && !greedy.is_held());
    let (status, body) = http.put("/v1/hints", &format!("{{\"client\":{client},\"name\":\"priority\"}}"));
    assert_eq!(status, 200, "{body}");
    wait("they have changed back", || !urgent.is_held() && greedy.is_held());
    let (status, body) = http.put("/v1/policy", "{\"name\":\"UP\"}");
    assert!(status == 200 && body.starts_with("{\"current\":\"UP\""), "{body}");
    assert!(http.get("/v1/policy").starts_with("{\"current\":\"UP\""));
    assert!(http.get("/v1/hints").contains("\"name\":\"priority\""));
    assert!(http.get("/v1/server").contains("\"policy\":\"UP\""));
}

#[test]
fn what_happens_comes_as_events() {
    let http = Http::start();
    let mut stream = http.connect();
    write!(stream, "GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    let mut read = |until: &str| {
        let start = Instant::now();
        let mut bytes = [0; 4096];
        while !text.contains(until) {
            assert!(start.elapsed() < PATIENCE, "no {until:?} in {text}");
            let count = stream.read(&mut bytes).unwrap();
            text += &String::from_utf8_lossy(&bytes[..count]);
        }
    };
    read("event: happenings");
    let guest = Guest::attach(&http.server, "it", 0);
    guest.launch(0);
    read("\"what\":\"joined\"");
    read("\"what\":\"ready\"");
}

#[test]
fn changes_without_the_token_are_refused_and_each_source_is_logged_once() {
    let mut http = Http::start();
    let json = "content-type: application/json\r\n";
    let body = "{\"name\":\"UP\"}";
    let wrong = format!("{json}authorization: Bearer {}x\r\n", http.token);
    let twice = format!("{json}authorization: Bearer {0}\r\nauthorization: Bearer {0}\r\n", http.token);
    for _ in 0..5 {
        assert_eq!(http.request("PUT", "/v1/policy", json, body).0, 401);
        assert_eq!(http.request("PUT", "/v1/policy", &twice, body).0, 401);
        assert_eq!(http.request("PUT", "/v1/policy", &wrong, body).0, 403);
    }
    assert!(http.get("/v1/policy").starts_with("{\"current\":\"HPF\""));
    let log = http.server.whole_log();
    assert_eq!(log.matches("refused 127.0.0.1: 401").count(), 1, "{log}");
    assert_eq!(log.matches("refused 127.0.0.1: 403").count(), 1, "{log}");
    assert!(!log.contains(&http.token), "the token is in the log");
}

#[test]
fn every_malformed_request_is_a_clear_4xx() {
    let http = Http::start();
    let host = &http.address;
    let token = &http.token;
    let raw: Vec<(&str, Vec<u8>)> = vec![
        ("no HTTP", b"hello\r\n\r\n".to_vec()),
        ("nonsense", (0..=255u8).collect()),
        ("no host", b"GET /v1/server HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec()),
        (
            "another host",
            b"GET /v1/server HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n".to_vec(),
        ),
        (
            "many headers",
            format!("GET / HTTP/1.1\r\nhost: {host}\r\n{}\r\n", "a: b\r\n".repeat(200)).into_bytes(),
        ),
        (
            "a long head",
            format!("GET / HTTP/1.1\r\nhost: {host}\r\na: {}\r\n\r\n", "b".repeat(100_000)).into_bytes(),
        ),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nhost: {host}\r\n\r\n", "b".repeat(100_000)).into_bytes(),
        ),
        (
            "two lengths",
            format!(
                "PUT /v1/policy HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"
            )
            .into_bytes(),
        ),
    ];
    for (what, bytes) in raw {
        let (status, body) = http.send(&bytes);
        assert!(
            (400..500).contains(&status) || status == 0 && what.starts_with("a long"),
            "{what}: {status} {body}"
        );
    }
    for path in
        ["/v2/server", "/..", "/v1/../etc/passwd", "/%2e%2e/x", "/v1/queues/", "//v1/server", "/v1/%00"]
    {
        let (status, body) = http.request("GET", path, "", "");
        assert!(status == 404 && body.starts_with("{\"error\":\""), "{path}: {status} {body}");
    }
    let authorized = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(5000));
    let bodies = [
        ("/v1/policy", "", 400),
        ("/v1/policy", "{", 400),
        ("/v1/policy", "{\"name\":7}", 422),
        ("/v1/policy", "{\"name\":\"HPF\",\"x\":1}", 422),
        ("/v1/policy", "{\"name\":\"NONE\"}", 422),
        ("/v1/policy", &large, 413),
        ("/v1/hints", "{\"name\":\"priority\",\"value\":1}", 422),
        ("/v1/hints", "{\"pid\":1,\"queue\":1,\"name\":\"priority\",\"value\":1}", 422),
        ("/v1/hints", "{\"pid\":999999999,\"name\":\"priority\",\"value\":1}", 422),
        ("/v1/hints", "{\"pid\":1,\"name\":\"height\",\"value\":1}", 422),
        ("/v1/server", "{}", 405),
    ];
    for (path, body, wanted) in bodies {
        let (status, answer) = http.request("PUT", path, &authorized, body);
        assert!(status == wanted && answer.starts_with("{\"error\":\""), "{path} {body}: {status} {answer}");
    }
    let (_, why) = http.put("/v1/policy", "{\"name\":\"NONE\"}");
    assert!(why.contains("is not a policy") && why.contains("HPF"), "{why}");
    let text = format!("authorization: Bearer {token}\r\n");
    assert_eq!(http.request("PUT", "/v1/policy", &text, "{\"name\":\"UP\"}").0, 415);
    assert_eq!(http.request("DELETE", "/v1/policy", &authorized, "").0, 405);
    http.get("/v1/server");
}

#[test]
fn requests_in_one_packet_are_answered_in_their_order() {
    let http = Http::start();
    let one = |path: &str, end: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{end}\r\n");
    let all = one("/v1/policy", "") + &one("/none", "") + &one("/v1/server", "connection: close\r\n");
    let mut stream = http.connect();
    stream.write_all(all.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    assert!(
        at("\"available\"") < at("there is nothing at this path")
            && at("there is nothing") < at("\"totals\"")
    );
}

#[test]
fn a_crowd_of_slow_and_rude_strangers_keeps_no_guest_waiting_and_leaves_nothing_behind() {
    let mut http = Http::start();
    let (greedy, urgent) =
        (Guest::attach(&http.server, "greedy", 0), Guest::attach(&http.server, "urgent", 5));
    let files = || std::fs::read_dir(format!("/proc/{}/fd", http.server.pid())).unwrap().count();
    let before = files();
    // As many as may be open at a time, and many more.
    let slow: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = http.connect();
            let _ = stream.write_all(b"GET / HT");
            stream
        })
        .collect();
    for _ in 0..50 {
        greedy.launch(0);
        urgent.launch(0);
        wait("it is held", || greedy.is_held());
        urgent.finish(0);
        wait("it goes on", || !greedy.is_held());
    }
    wait("those who say nothing are gone", || files() <= before + 2);
    drop(slow);
    let mut refused = 0;
    for _ in 0..1000 {
        refused += usize::from(http.request("GET", "/nothing", "", "").0 == 429);
    }
    assert!(refused > 0, "so many at once are too many");
    let log = http.server.whole_log();
    assert_eq!(log.matches("refused 127.0.0.1: 429").count(), 1, "{log}");
    assert_eq!(log.matches("refused 127.0.0.1: 503").count(), 1, "{log}");
    assert!(log.lines().count() < 30, "{log}");
}

#[test]
fn a_unix_socket_serves_too_and_is_made_again_by_the_next_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let flag = path.to_str().unwrap().to_owned();
    let mut server = Server::start(&["--http", &flag]);
    let ask = || {
        wait("it listens", || std::os::unix::net::UnixStream::connect(&path).is_ok());
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /v1/policy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask().contains("\"current\":\"HPF\""));
    server.signal(rustix::process::Signal::KILL);
    server.wait_for_end();
    server.launch(&["--http", &flag]);
    assert!(ask().contains("\"current\":\"HPF\""));
}

#[test]
fn an_address_that_others_reach_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xserver"))
        .arg("--socket")
        .arg(folder.path().join("s"))
        .args(["--http", "0.0.0.0:50000"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && text.contains("loopback") && text.contains("0.0.0.0:50000"),
        "{text}"
    );
}
