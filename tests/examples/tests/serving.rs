//! examples/serving, as far as it goes without a GPU: what is missing is said in a line, and what two servers are asked is measured right.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/serving").join(name)
}

fn python(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("python3");
    command
        .arg(script(name))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CUDA_VISIBLE_DEVICES", "");
    command.output().unwrap()
}

/// A server of OpenAI's interface that makes a token in each so many milliseconds, one request after another.
struct Stub {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Stub {
    fn start(token: Duration) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (requests, device) = (Arc::<AtomicUsize>::default(), Arc::new(Mutex::new(())));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counted, device) = (Arc::clone(&counted), Arc::clone(&device));
                std::thread::spawn(move || answer(stream, token, &device, &counted));
            }
        });
        Stub { url, requests }
    }
}

fn answer(stream: TcpStream, token: Duration, device: &Mutex<()>, counted: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).ok()? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let tokens = body.split("\"max_tokens\": ").nth(1)?.split([',', '}']).next()?.parse::<u32>().ok()?;
    let alone = device.lock().ok()?;
    std::thread::sleep(token * tokens);
    drop(alone);
    counted.fetch_add(1, Ordering::Relaxed);
    let said = format!("{{\"usage\": {{\"completion_tokens\": {tokens}}}}}");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", said.len());
    (&stream).write_all((head + &said).as_bytes()).ok()
}

#[test]
fn serving_without_a_gpu_then_one_line_says_what_is_missing() {
    let output = python("serve.py", &["--port", "8001"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(
        said.starts_with("serve.py: ") && (said.contains("pip install") || said.contains("no NVIDIA GPU")),
        "{said}"
    );
}

#[test]
fn two_servers_then_times_and_tokens_are_those_that_they_take() {
    let (online, batch) = (Stub::start(Duration::from_millis(5)), Stub::start(Duration::from_millis(2)));
    let arguments = ["--online", &online.url, "--batch", &batch.url, "--seconds", "2", "--rounds", "1"];
    let more = ["--period", "200", "--online-tokens", "4", "--batch-tokens", "10", "--batch-requests", "2"];
    let output = python("measure.py", &[&arguments[..], &more].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Vec<&str>> =
        said.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names[2..], ["online alone", "batch alone", "together"], "{said}");
    let number = |row: usize, column: usize| rows[row][column].trim_end_matches(" %").parse::<f64>().unwrap();
    assert_eq!((rows[2][1], rows[4][1]), ("10", "10"), "ten requests in two seconds: {said}");
    // 4 tokens of 5 ms, and 500 tokens a second; more only where the machine is busy.
    assert!(number(2, 2) >= 20.0 && number(4, 2) >= 20.0, "{said}");
    assert!((50.0..600.0).contains(&number(3, 5)), "{said}");
    assert_eq!(online.requests.load(Ordering::Relaxed), 3 + 20, "three to warm up");
    assert!(batch.requests.load(Ordering::Relaxed) > 10);
}

#[test]
fn nobody_to_ask_then_it_says_whom() {
    let output = python(
        "measure.py",
        &["--online", "http://127.0.0.1:9", "--batch", "http://127.0.0.1:9", "--seconds", "1"],
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("measure.py: the online server: "), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
}
