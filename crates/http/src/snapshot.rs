//! What the server is like at one moment: all that is shown over HTTP is made from this.
//!
//! It is kept for a moment and shared, so that the server is asked so often at most, however many ask here.

use crate::asker::{Asker, Trouble};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use xsched_core::status::{ClientStatus, ServerStatus};
use xsched_ipc::control::{Reply, Request};

/// How old it may be.
const FRESH: Duration = Duration::from_millis(200);

/// See the module's text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Snapshot {
    /// The server.
    pub(crate) server: ServerStatus,
    /// Policies.
    pub(crate) policies: Vec<Policy>,
    /// Attached processes, with their queues.
    pub(crate) processes: Vec<ClientStatus>,
}

/// A policy that there is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) help: String,
}

/// The last one.
#[derive(Debug)]
pub(crate) struct Snapshots {
    asker: Asker,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Snapshots {
    pub(crate) fn new(asker: Asker) -> Snapshots {
        Snapshots { asker, last: Mutex::new(None) }
    }

    /// One that is not older than [`FRESH`]. Who comes while one is made waits for that one.
    pub(crate) async fn get(&self) -> Result<Arc<Snapshot>, Trouble> {
        let mut last = self.last.lock().await;
        if let Some((_, snapshot)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(snapshot.clone());
        }
        let unexpected = || Trouble::Silent("it said something else".into());
        let (_, Reply::Server(server)) = self.asker.ask(Request::Status).await? else {
            return Err(unexpected());
        };
        let (_, Reply::Policy { available, .. }) = self.asker.ask(Request::Policy).await? else {
            return Err(unexpected());
        };
        let (processes, _) = self.asker.ask(Request::List).await?;
        let policies = available.into_iter().map(|(name, help)| Policy { name, help }).collect();
        let snapshot = Arc::new(Snapshot { server, policies, processes });
        *last = Some((Instant::now(), snapshot.clone()));
        Ok(snapshot)
    }

    /// Something was changed: the next one is to show it.
    pub(crate) async fn forget(&self) {
        *self.last.lock().await = None;
    }
}
