//! What a server says over HTTP.

use crate::machine::Machine;
use crate::server::Server;
use crate::wait::{PATIENCE, eventually};
use serde_json::Value;

/// A server's HTTP.
#[derive(Debug)]
pub struct Http {
    /// Without a slash at its end.
    pub origin: String,
    /// What changes need.
    pub token: String,
}

impl Http {
    /// Of a server that was started with [`Http::FLAGS`].
    pub fn of(machine: &Machine, server: &Server) -> Http {
        let address = || Some(server.log().split_once("HTTP on ")?.1.split(',').next()?.to_owned());
        eventually("it listens", PATIENCE, || address().is_some());
        let token = std::fs::read_to_string(machine.folder().join("http-token")).unwrap().trim().to_owned();
        Http { origin: format!("http://{}", address().unwrap()), token }
    }

    /// On a port that is free.
    pub const FLAGS: [&str; 2] = ["--http", "127.0.0.1:0"];

    /// What is at a path.
    pub fn get(&self, path: &str) -> String {
        let mut response = ureq::get(format!("{}{path}", self.origin)).call().unwrap();
        response.body_mut().read_to_string().unwrap()
    }

    /// The value of a metric, of the process if it is of processes.
    pub fn metric(&self, name: &str, pid: Option<u32>) -> f64 {
        let text = self.get("/metrics");
        let of_pid = |line: &&str| pid.is_none_or(|pid| line.contains(&format!(",pid=\"{pid}\",")));
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name)).filter(of_pid);
        let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
        assert_eq!(values.len(), 1, "{name} of {pid:?} in\n{text}");
        values[0]
    }

    /// Changes something.
    pub fn put(&self, path: &str, change: &Value) {
        ureq::put(format!("{}{path}", self.origin))
            .header("authorization", format!("Bearer {}", self.token))
            .content_type("application/json")
            .send(change.to_string())
            .unwrap();
    }
}
