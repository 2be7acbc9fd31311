//! What a scheduler has to bear of those who speak HTTP badly: requests that are none, and connections that never get to the point.
//!
//! Meanwhile `wake` measures.

use crate::crowd::raise_limit;
use crate::http::Http;
use anyhow::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Malformed requests.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    requests: u64,
    /// Of them in a second, at most.
    #[arg(long, value_name = "N", default_value_t = 400)]
    rate: u32,
    /// Connections that say a byte now and then.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    slow: usize,
    /// The unix socket on which xserver speaks HTTP.
    #[arg(long, value_name = "PATH")]
    http: PathBuf,
}

/// Between two bytes of a slow connection.
const BETWEEN: Duration = Duration::from_millis(500);

/// What is sent in place of a request. The long ones are too long.
fn malformed(n: u64) -> Vec<u8> {
    match n % 8 {
        0 => b"\r\n\r\n\0\xff\xfe\r\n\r\n".to_vec(),
        1 => b"GET /v1/queues HTTP/9.9\r\n\r\n".to_vec(),
        2 => b"GET /v1/queues HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n".to_vec(),
        3 => b"PUT /v1/policy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{".to_vec(),
        4 => [b"GET /".as_slice(), &[b'a'; 32 << 10], b" HTTP/1.1\r\n\r\n"].concat(),
        5 => b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        6 => {
            b"PUT /v1/policy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnot"
                .to_vec()
        }
        _ => b"BREW /v1/queues HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            .to_vec(),
    }
}

/// Sends all of the requests, with the slow connections beside them.
pub(crate) fn run(args: &Args) -> Result<()> {
    raise_limit();
    let is_over = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        scope.spawn(|| slow(args, &is_over));
        let sent = bad(args);
        is_over.store(true, Ordering::Relaxed);
        sent
    });
    println!("{sent} malformed requests, {} slow connections", args.slow);
    Ok(())
}

/// Sends requests that are none. Whether the answer is a refusal or a closed door is not the matter here. Answers how many were taken.
fn bad(args: &Args) -> u64 {
    let mut sent = 0;
    for n in 0..args.requests {
        std::thread::sleep(Duration::from_secs(1) / args.rate.max(1));
        let taken = Http::connect(&args.http).and_then(|mut http| http.send(&malformed(n)));
        sent += u64::from(taken.is_ok());
    }
    sent
}

/// Keeps slow connections open; one that is closed is opened again.
fn slow(args: &Args, is_over: &AtomicBool) {
    let mut open: Vec<Option<Http>> = (0..args.slow).map(|_| None).collect();
    while !is_over.load(Ordering::Relaxed) {
        for connection in &mut open {
            let is_alive = connection.as_mut().is_some_and(|http| http.send(b"G").is_ok());
            if !is_alive {
                *connection = Http::connect(&args.http).ok();
            }
        }
        std::thread::sleep(BETWEEN);
    }
}
