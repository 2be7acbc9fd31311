//! Strangers at the server's HTTP: other users, those who send too much, too slowly or too many at once, and those who try paths. All are refused, each
//! kind is logged once, and what they cost is bounded.

use crate::guest::Guest;
use crate::harness::{Server, wait};
use crate::http::Http;
use crate::somebody::{Job, NOBODY, STRANGER, Somebody, is_possible};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Does it so often, and says how often the log names that status.
fn logged(http: &Http, status: u16, mut rude: impl FnMut()) -> usize {
    for _ in 0..5 {
        rude();
    }
    let line = format!("refused 127.0.0.1: {status}");
    wait(&format!("it logs {status}"), || http.server.log().contains(&line));
    http.server.log().matches(&line).count()
}

/// KiB of the server's memory.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn too_much_is_refused_and_logged_once_for_each_kind() {
    let http = Http::start();
    let host = &http.address;
    let before = memory(&http.server);
    let authorized = format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", http.token);

    // A body that says how long it is, and one that does not.
    let large = "x".repeat(1 << 20);
    let count = logged(&http, 413, || {
        let (status, _) = http.request("PUT", "/v1/policy", &authorized, &large[..5000]);
        assert_eq!(status, 413);
        let head = format!(
            "PUT /v1/policy HTTP/1.1\r\nhost: {host}\r\n{authorized}transfer-encoding: chunked\r\n\r\n"
        );
        let (status, _) = http.send(format!("{head}100000\r\n{large}\r\n0\r\n\r\n").as_bytes());
        // The answer may be lost where the rest of what was sent is thrown away.
        assert!(status == 413 || status == 0, "{status}");
    });
    assert_eq!(count, 1);

    // A flood of headers: many, long, and one that never ends.
    let flood =
        |headers: &str| http.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n").as_bytes()).0;
    let count = logged(&http, 400, || {
        assert!(matches!(flood(&"a: b\r\n".repeat(10_000)), 0 | 400..500));
        assert!(matches!(flood(&format!("a: {}\r\n", "b".repeat(1 << 20))), 0 | 400..500));
        assert!(matches!(flood(&"b".repeat(1 << 20)), 0 | 400..500));
    });
    assert_eq!(count, 1);

    let grown = memory(&http.server).saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB");
    http.get("/v1/server");
}

#[test]
fn path_tricks_find_nothing_and_are_logged_once_without_what_could_change_a_terminal() {
    let http = Http::start();
    let tricks = [
        "/../../etc/passwd",
        "/page/../../http-token",
        "/page/..%2f..%2fhttp-token",
        "/page/%2e%2e/%2e%2e/http-token",
        "/page/..\\..\\http-token",
        "/page/page.css/",
        "/page/page.css%00.html",
        "/page//page.css",
        "/page/",
        "/page",
        "//",
        "/./v1/server",
        "/v1/server;x=1",
        "/V1/server",
        "/v1/server%0d%0aset-cookie:%20a",
        "/%1b[2J%1b[31mred",
    ];
    let count = logged(&http, 404, || {
        for path in tricks {
            let (status, body) = http.request("GET", path, "", "");
            assert!(status == 404 && body.starts_with("{\"error\":\""), "{path}: {status} {body}");
            assert!(!body.contains(&http.token) && !body.contains("root:"), "{path}: {body}");
        }
    });
    assert_eq!(count, 1);
    // A whole address in place of a path is not another way in, and raw control characters are no HTTP.
    assert_eq!(http.request("GET", "http://evil.example/v1/server", "", "").0, 421);
    let (status, _) = http.request("GET", "/v1/\u{1b}[31m", "", "");
    assert!(matches!(status, 0 | 400..500), "{status}");
    let log = http.server.log();
    assert!(!log.contains('\u{1b}') && !log.contains(&http.token), "{log}");
}

#[test]
fn the_slow_are_ended_and_logged_once_and_nobody_waits_for_them() {
    // Each kind has a server of its own, so that its line in the log is its own.
    let slow: [fn(&str) -> String; 3] = [
        |head| format!("GET /v1/server HTTP/1.1\r\n{head}"),
        |head| format!("PUT /v1/policy HTTP/1.1\r\n{head}content-length: 14\r\n\r\n{{\"name\""),
        // Nobody reads what comes.
        |head| format!("GET /v1/openapi.json HTTP/1.1\r\n{head}\r\n").repeat(350),
    ];
    let servers = slow.map(|start| {
        let http = Http::start();
        let guests =
            ["greedy", "urgent"].map(|name| Guest::attach(&http.server, name, i64::from(name == "urgent")));
        let files = files(&http);
        let json = "content-type: application/json";
        let head = format!("host: {}\r\nauthorization: Bearer {}\r\n{json}\r\n", http.address, http.token);
        let streams = [(); 5].map(|()| {
            let mut stream = http.connect();
            stream.set_nonblocking(true).unwrap();
            let _ = stream.write(start(&head).as_bytes());
            stream
        });
        (http, guests, files, streams)
    });
    for (_, [greedy, urgent], ..) in &servers {
        for _ in 0..30 {
            greedy.launch(0);
            urgent.launch(0);
            wait("it is held", || greedy.is_held());
            urgent.finish(0);
            wait("it goes on", || !greedy.is_held());
        }
    }
    for (http, _, before, _) in &servers {
        wait("they are gone", || files(http) <= *before);
        wait("it is logged", || http.server.log().contains("refused 127.0.0.1: 408"));
        let log = http.server.log();
        assert_eq!(log.matches("refused 127.0.0.1: 408").count(), 1, "{log}");
        assert!(http.server.list().len() == 2 && log.lines().count() < 20, "{log}");
    }
}

/// Files that the server has open.
fn files(http: &Http) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", http.server.pid())).unwrap().count()
}

#[test]
fn a_thousand_requests_in_one_packet_are_answered_in_their_order_or_refused_and_cost_little() {
    let mut http = Http::start();
    let before = memory(&http.server);
    let one = |end: &str| format!("GET /v1/policy HTTP/1.1\r\nhost: {}\r\n{end}\r\n", http.address);
    let all = one("").repeat(999) + &one("connection: close\r\n");
    let mut stream = http.connect();
    let mut sender = stream.try_clone().unwrap();
    let begun = Instant::now();
    let sending = std::thread::spawn(move || sender.write_all(all.as_bytes()));
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    sending.join().unwrap().unwrap();
    let (answered, refused) = (text.matches(" 200 OK").count(), text.matches(" 429 ").count());
    assert!(answered >= 400 && answered + refused == 1000, "{answered} and {refused}");
    // 400 at once and 200 in a second: a slow machine need not refuse any.
    let most = 401.0 + 200.0 * begun.elapsed().as_secs_f64();
    assert!(answered as f64 <= most, "{answered}, more than {most:.0}");
    let grown = memory(&http.server).saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB");
    let said = http.server.whole_log().matches("refused 127.0.0.1: 429").count();
    assert_eq!(said, usize::from(refused > 0));
}

#[test]
fn another_user_reads_at_the_socket_of_roots_server_and_changes_nothing() {
    if !is_possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let (socket, token) = (folder.path().join("http.sock"), folder.path().join("http-token"));
    let mut server =
        Server::start(&["HPF", "--http", socket.to_str().unwrap(), "--http-token", token.to_str().unwrap()]);
    server.wait_for_log("HTTP on ");
    for _ in 0..3 {
        let mut other = Somebody::start(Job::Http, &socket, Some(NOBODY), None);
        assert_eq!(
            [other.says(), other.says(), other.says()],
            ["HTTP/1.1 200 OK", "HTTP/1.1 401 Unauthorized", "PermissionDenied"]
        );
    }
    let log = server.whole_log();
    assert_eq!(log.matches(&format!("refused uid {NOBODY}: 401 PUT /v1/policy")).count(), 1, "{log}");
}

#[test]
fn another_user_does_not_even_reach_the_socket_of_a_users_own_server() {
    if !is_possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let program = folder.path().join("xserver");
    std::fs::copy(env!("CARGO_BIN_EXE_xserver"), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let socket = folder.path().join("http.sock");
    let user = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program);
    command.arg("--socket").arg(folder.path().join("x.sock")).arg("--http").arg(&socket);
    let mut server = command.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).map(|it| it.permissions().mode() & 0o777).unwrap_or(0);
    wait("it listens", || mode(&socket) != 0);
    assert_eq!((mode(&socket), mode(&folder.path().join("http-token"))), (0o600, 0o600));
    let mut other = Somebody::start(Job::Http, &socket, Some(STRANGER), None);
    assert_eq!([other.says(), other.says(), other.says()], ["PermissionDenied"; 3]);
    let mut own = Somebody::start(Job::Http, &socket, Some(NOBODY), None);
    assert_eq!([own.says(), own.says()], ["HTTP/1.1 200 OK", "HTTP/1.1 401 Unauthorized"]);
    assert_eq!(own.says().len(), 64, "the token");
    server.kill().unwrap();
    server.wait().unwrap();
}
