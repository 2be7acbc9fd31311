//! What there is at which path. A new route is one row in [`router`], one function, and its entry in openapi.json, which a test compares.

use crate::address::Address;
use crate::asker::{Asker, Trouble};
use crate::guard::{self, Bucket, Refusals};
use crate::live::{Live, MOST_LISTENERS};
use crate::metrics;
use crate::page;
use crate::refusal::Refusal;
use crate::snapshot::{Policy, Snapshots};
use crate::token::Token;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use xsched_core::account::Totals;
use xsched_core::hint::{HINTS, HintInfo};
use xsched_core::status::{ClientStatus, Origin, QueueStatus};
use xsched_core::{ClientId, DeviceKey, HintKind, QueueId};
use xsched_ipc::control::{Reply, Request, Target};

/// Bytes of a body.
const LONGEST_BODY: usize = 4096;

/// What is at `/v1/openapi.json`.
pub(crate) const OPENAPI: &str = include_str!("../openapi.json");

/// What all handlers share.
#[derive(Clone, Debug)]
pub(crate) struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    asker: Asker,
    snapshots: Snapshots,
    live: Live,
    token: Token,
    address: Address,
    refusals: Refusals,
    bucket: Bucket,
}

impl State {
    pub(crate) fn new(asker: Asker, token: Token, address: Address, refusals: Refusals) -> State {
        State(Arc::new(Shared {
            snapshots: Snapshots::new(asker.clone()),
            live: Live::new(asker.clone()),
            asker,
            token,
            address,
            refusals,
            bucket: Bucket::default(),
        }))
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0.token
    }

    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.0.address, Address::Tcp(_))
    }

    /// Asks for a change. What is shown from now on is from after it.
    async fn change(&self, request: Request) -> Result<Reply, Refusal> {
        let (_, reply) = self.0.asker.ask(request).await?;
        self.0.snapshots.forget().await;
        match reply {
            Reply::Refused(why) => Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why)),
            reply => Ok(reply),
        }
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, trouble.to_string())
    }
}

pub(crate) fn router(state: &State) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/v1/server", get(server))
        .route("/v1/processes", get(processes))
        .route("/v1/queues", get(queues))
        .route("/v1/policy", get(policy).put(set_policy))
        .route("/v1/hints", get(hints).put(set_hint))
        .route("/v1/events", get(events))
        .route("/v1/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .merge(page::routes())
        .layer(axum::middleware::from_fn_with_state(state.clone(), guard::check))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(state.clone())
}

type Ask = axum::extract::State<State>;

async fn show_metrics(state: Ask) -> Result<Response, Refusal> {
    let text = metrics::text(&*state.0.0.snapshots.get().await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// The server; the shape of `/v1/server`.
#[derive(Debug, Serialize)]
struct Server {
    version: String,
    pid: u32,
    policy: String,
    processes: u32,
    queues: u32,
    devices: Vec<DeviceKey>,
    totals: Option<Totals>,
}

async fn server(state: Ask) -> Result<Json<Server>, Refusal> {
    let snapshot = state.0.0.snapshots.get().await?;
    let server = snapshot.server.clone();
    Ok(Json(Server {
        version: server.version,
        pid: server.pid,
        policy: server.policy,
        processes: server.clients,
        queues: server.queues,
        devices: server.devices,
        totals: server.totals,
    }))
}

/// The shape of `/v1/processes`.
#[derive(Debug, Serialize)]
struct Processes<'a> {
    processes: &'a [ClientStatus],
}

async fn processes(state: Ask) -> Result<Response, Refusal> {
    let snapshot = state.0.0.snapshots.get().await?;
    Ok(Json(Processes { processes: &snapshot.processes }).into_response())
}

/// A queue, with whose it is.
#[derive(Debug, Serialize)]
struct Queue<'a> {
    client: ClientId,
    pid: u32,
    program: &'a str,
    #[serde(flatten)]
    status: &'a QueueStatus,
}

/// The shape of `/v1/queues`.
#[derive(Debug, Serialize)]
struct Queues<'a> {
    queues: Vec<Queue<'a>>,
}

async fn queues(state: Ask) -> Result<Response, Refusal> {
    let snapshot = state.0.0.snapshots.get().await?;
    let queues = snapshot.processes.iter().flat_map(|process| {
        let (client, pid) = (process.client, process.pid);
        process.queues.iter().map(move |status| Queue { client, pid, program: &process.program, status })
    });
    Ok(Json(Queues { queues: queues.collect() }).into_response())
}

/// The shape of `/v1/policy`.
#[derive(Debug, Serialize)]
struct Policies {
    current: String,
    available: Vec<Policy>,
}

async fn policy(state: Ask) -> Result<Json<Policies>, Refusal> {
    let snapshot = state.0.0.snapshots.get().await?;
    Ok(Json(Policies { current: snapshot.server.policy.clone(), available: snapshot.policies.clone() }))
}

/// What a change of the policy says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPolicy {
    name: String,
}

async fn set_policy(state: Ask, body: Json<SetPolicy>) -> Result<Json<Policies>, Refusal> {
    state.0.change(Request::SetPolicy { name: body.0.name }).await?;
    policy(state).await
}

/// A hint that there is, and who was given it.
#[derive(Debug, Serialize)]
struct Hint {
    name: HintKind,
    help: &'static str,
    unit: &'static str,
    min: i64,
    max: i64,
    default: i64,
    given: Vec<Given>,
}

/// A hint of a queue.
#[derive(Debug, Serialize)]
struct Given {
    client: ClientId,
    queue: QueueId,
    value: i64,
    origin: Option<Origin>,
}

/// The shape of `/v1/hints`.
#[derive(Debug, Serialize)]
struct Hints {
    hints: Vec<Hint>,
}

async fn hints(state: Ask) -> Result<Json<Hints>, Refusal> {
    let snapshot = state.0.0.snapshots.get().await?;
    let mut given: BTreeMap<HintKind, Vec<Given>> = BTreeMap::new();
    for process in &snapshot.processes {
        for queue in &process.queues {
            for (kind, value) in &queue.hints {
                let origin = queue.origins.get(kind).cloned();
                let one = Given { client: process.client, queue: queue.queue, value: *value, origin };
                given.entry(*kind).or_default().push(one);
            }
        }
    }
    let mut hint = |info: &HintInfo| Hint {
        name: info.kind,
        help: info.help,
        unit: info.unit.trim(),
        min: info.min,
        max: info.max,
        default: info.default,
        given: given.remove(&info.kind).unwrap_or_default(),
    };
    Ok(Json(Hints { hints: HINTS.iter().map(&mut hint).collect() }))
}

/// What a change of a hint says: one of the first three, and no value takes it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHint {
    pid: Option<u32>,
    client: Option<ClientId>,
    queue: Option<QueueId>,
    name: HintKind,
    value: Option<i64>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Done {
    queues: u32,
    note: Option<String>,
}

async fn set_hint(state: Ask, Json(body): Json<SetHint>) -> Result<Json<Done>, Refusal> {
    let target = match (body.pid, body.client, body.queue) {
        (Some(pid), None, None) => Target::Pid(pid),
        (None, Some(client), None) => Target::Client(client),
        (None, None, Some(queue)) => Target::Queue(queue),
        _ => {
            let why = "a hint is for one of `pid`, `client` and `queue`";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
    };
    let request = match body.value {
        Some(value) => Request::Hint { target, kind: body.name, value },
        None => Request::Unset { target, kind: body.name },
    };
    match state.0.change(request).await? {
        Reply::Done { count, note } => Ok(Json(Done { queues: count, note })),
        _ => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server said something else")),
    }
}

async fn events(state: Ask) -> Result<Response, Refusal> {
    let Some(stream) = state.0.0.live.listen() else {
        let why = format!("{MOST_LISTENERS} listen already");
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why));
    };
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}
