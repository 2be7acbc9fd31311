//! What happens, as it happens, for everybody who listens (server-sent events).
//!
//! One task asks the server ten times in a second, only while somebody listens. Who does not keep up misses some, and is told so by a
//! `lost` that is not zero; what waits for him is bounded.

use crate::asker::Asker;
use axum::response::sse::Event;
use futures_util::Stream;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use xsched_core::account::Happening;
use xsched_ipc::control::{Reply, Request};

const EVERY: Duration = Duration::from_millis(100);
/// Messages that wait for a listener: a few seconds of them.
const WAITING: usize = 64;
/// Questions for one message.
const ROUNDS: usize = 40;
/// Listeners at a time.
pub(crate) const MOST_LISTENERS: usize = 32;

#[derive(Serialize)]
struct Message<'a> {
    lost: u64,
    happenings: &'a [Happening],
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    sender: Sender<Arc<str>>,
    asker: Asker,
    is_pumping: Arc<AtomicBool>,
}

impl Live {
    pub(crate) fn new(asker: Asker) -> Live {
        Live { sender: broadcast::channel(WAITING).0, asker, is_pumping: Arc::default() }
    }

    /// Listens; `None` if too many do.
    pub(crate) fn listen(
        &self,
    ) -> Option<impl Stream<Item = Result<Event, std::convert::Infallible>> + use<>> {
        if self.sender.receiver_count() >= MOST_LISTENERS {
            return None;
        }
        let receiver = self.sender.subscribe();
        // One thread runs all tasks, so nothing comes between this and the end of the pump.
        if !self.is_pumping.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().pump());
        }
        Some(futures_util::stream::unfold(receiver, next))
    }

    async fn pump(self) {
        let mut from = None;
        while self.sender.receiver_count() > 0 {
            let (mut all, mut missed) = (Vec::new(), 0);
            for _ in 0..ROUNDS {
                let Ok((_, Reply::Happenings { next, lost, list })) =
                    self.asker.ask(Request::Follow { from }).await
                else {
                    break;
                };
                let is_all = list.is_empty();
                missed += lost;
                from = Some(next);
                all.extend(list);
                if is_all {
                    break;
                }
            }
            let message = Message { lost: missed, happenings: &all };
            if let Ok(text) = serde_json::to_string(&message) {
                let _ = self.sender.send(text.into());
            }
            tokio::time::sleep(EVERY).await;
        }
        self.is_pumping.store(false, Ordering::Relaxed);
    }
}

/// The next message, and where to go on.
async fn next(
    mut receiver: Receiver<Arc<str>>,
) -> Option<(Result<Event, std::convert::Infallible>, Receiver<Arc<str>>)> {
    let text = match receiver.recv().await {
        Ok(text) => text.to_string(),
        Err(RecvError::Lagged(count)) => format!("{{\"lost\":{count},\"happenings\":[]}}"),
        Err(RecvError::Closed) => return None,
    };
    Some((Ok(Event::default().event("happenings").data(text)), receiver))
}
