//! The same questions over HTTP, for a server whose socket is out of reach: through a forwarded port, or by the flags of earlier versions.
//!
//! Answers become the replies of the control socket, so that the rest of this crate knows no difference. Deliberately absent: TLS, and what HTTP
//! does not have (rules, happenings one by one): who asks for that is told so.

use crate::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use xsched_core::account::Totals;
use xsched_core::status::{ClientStatus, ServerStatus};
use xsched_core::{DeviceKey, HintKind};
use xsched_ipc::control::{Reply, Request, Target};

/// Bytes of an answer: 10,000 queues are about 6 MB.
const LONGEST_ANSWER: u64 = 256 << 20;

/// A server, by its address.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    /// `http://127.0.0.1:50000`, without a slash at its end.
    origin: String,
    /// What changes need, if it is known.
    token: Option<String>,
    agent: ureq::Agent,
}

/// `/v1/server`.
#[derive(Deserialize)]
struct Server {
    version: String,
    pid: u32,
    policy: String,
    processes: u32,
    queues: u32,
    devices: Vec<DeviceKey>,
    totals: Option<Totals>,
}

/// `/v1/processes`.
#[derive(Deserialize)]
struct Processes {
    processes: Vec<ClientStatus>,
}

/// `/v1/policy`.
#[derive(Deserialize)]
struct Policies {
    current: String,
    available: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    help: String,
}

/// What came of a hint.
#[derive(Deserialize)]
struct Done {
    queues: u32,
    note: Option<String>,
}

impl HttpConnection {
    /// For the server at an address with a port. Nothing is asked yet.
    pub(crate) fn new(address: &str, token: Option<String>, patience: Duration) -> HttpConnection {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(patience))
            // A status that says no has a body that says why.
            .http_status_as_error(false)
            .max_redirects(0)
            // The server is on this machine, or at the end of a tunnel that is.
            .proxy(None)
            .build();
        HttpConnection { origin: format!("http://{address}"), token, agent: config.into() }
    }

    /// Where the server is, to be shown.
    pub(crate) fn place(&self) -> PathBuf {
        PathBuf::from(&self.origin)
    }

    /// Asks, as [`xsched_ipc::control::ControlConnection::ask`] does.
    pub(crate) fn ask(
        &self,
        what: &'static str,
        request: &Request,
    ) -> Result<(Vec<ClientStatus>, Reply), Error> {
        let mut clients = Vec::new();
        let reply = match request {
            Request::Status => Reply::Server(self.get::<Server>(what, "/v1/server")?.into()),
            Request::List => {
                clients = self.get::<Processes>(what, "/v1/processes")?.processes;
                Reply::Done { count: u32::try_from(clients.len()).unwrap_or(u32::MAX), note: None }
            }
            Request::Policy => self.get::<Policies>(what, "/v1/policy")?.into(),
            Request::SetPolicy { name } => {
                self.put::<Policies>(what, "/v1/policy", &json!({"name": name}))?.into()
            }
            Request::Hint { target, kind, value } => self.hint(what, target, *kind, Some(*value))?,
            Request::Unset { target, kind } => self.hint(what, target, *kind, None)?,
            Request::Rules | Request::ReloadRules | Request::Follow { .. } => {
                let why = format!(
                    "{what} is not to be had over HTTP; ask on the server's machine, without --addr and --port"
                );
                return Err(Error::Refused(why));
            }
        };
        Ok((clients, reply))
    }

    fn hint(
        &self,
        what: &'static str,
        target: &Target,
        name: HintKind,
        value: Option<i64>,
    ) -> Result<Reply, Error> {
        let (whom, number) = match target {
            Target::Queue(queue) => ("queue", queue.0),
            Target::Client(client) => ("client", client.0.into()),
            Target::Pid(pid) => ("pid", (*pid).into()),
        };
        let mut change = json!({whom: number, "name": name});
        if let (Some(value), Some(fields)) = (value, change.as_object_mut()) {
            fields.insert("value".into(), value.into());
        }
        let Done { queues, note } = self.put(what, "/v1/hints", &change)?;
        Ok(Reply::Done { count: queues, note })
    }

    fn get<T: DeserializeOwned>(&self, what: &'static str, path: &str) -> Result<T, Error> {
        self.read(what, self.agent.get(format!("{}{path}", self.origin)).call())
    }

    fn put<T: DeserializeOwned>(&self, what: &'static str, path: &str, change: &Value) -> Result<T, Error> {
        let mut request = self.agent.put(format!("{}{path}", self.origin)).content_type("application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.read(what, request.send(change.to_string()))
    }

    fn read<T: DeserializeOwned>(
        &self,
        what: &'static str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Error> {
        let failed =
            |error: ureq::Error| Error::Http { origin: self.origin.clone(), what, error: Box::new(error) };
        let mut answer = answer.map_err(failed)?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().map_err(failed)?;
        let unexpected = |answer| Error::Unexpected { path: self.place(), what, answer };
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|error| unexpected(format!("something else ({error})")));
        }
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        match body.get("error").and_then(Value::as_str) {
            Some(why) => Err(Error::Refused(why.to_owned())),
            None => Err(unexpected(format!("status {}", status.as_u16()))),
        }
    }
}

impl From<Server> for ServerStatus {
    fn from(server: Server) -> ServerStatus {
        ServerStatus {
            version: server.version,
            pid: server.pid,
            policy: server.policy,
            clients: server.processes,
            queues: server.queues,
            devices: server.devices,
            policy_reads: Vec::new(),
            priority_ceiling: None,
            // Who has the token may.
            may_steer_all: true,
            totals: server.totals,
        }
    }
}

impl From<Policies> for Reply {
    fn from(policies: Policies) -> Reply {
        let available = policies.available.into_iter().map(|policy| (policy.name, policy.help)).collect();
        Reply::Policy { current: policies.current, available }
    }
}
