//! The thread that asks the server, and the line of those who want to know something.
//!
//! The line is short: who finds it full is told that the server is busy, and nobody waits for a server that does not answer longer than the patience
//! of the control socket. When the connection breaks, the next question makes a new one.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use xsched_core::status::ClientStatus;
use xsched_ipc::control::{self, ControlConnection, Reply, Request};

/// Questions that may wait.
const LINE: usize = 16;
/// For each packet of an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered: processes, if it was about them, and the reply that ends it.
pub(crate) type Answer = (Vec<ClientStatus>, Reply);

/// Whom to ask.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    line: SyncSender<Question>,
}

struct Question {
    request: Request,
    answer: oneshot::Sender<Result<Answer, Trouble>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Too many questions wait.
    #[error("the server has too many questions to answer; try again")]
    Busy,
    /// The server did not answer.
    #[error("the server does not answer: {0}")]
    Silent(String),
}

impl Asker {
    pub(crate) fn start(control: &Path) -> io::Result<Asker> {
        let (line, questions) = sync_channel(LINE);
        let control = control.to_owned();
        std::thread::Builder::new().name("xserver-asker".into()).spawn(move || run(&control, &questions))?;
        Ok(Asker { line })
    }

    /// One that asks nobody: what it is told, it answers by itself.
    #[cfg(test)]
    pub(crate) fn answering(answer: impl Fn(Request) -> Answer + Send + 'static) -> Asker {
        let (line, questions) = sync_channel::<Question>(LINE);
        std::thread::spawn(move || {
            for question in questions {
                let _ = question.answer.send(Ok(answer(question.request)));
            }
        });
        Asker { line }
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Trouble> {
        let (answer, answered) = oneshot::channel();
        self.line.try_send(Question { request, answer }).map_err(|_| Trouble::Busy)?;
        answered.await.unwrap_or_else(|_| Err(Trouble::Silent("it has ended".into())))
    }
}

fn run(control: &Path, questions: &Receiver<Question>) {
    crate::be_ordinary();
    let mut connection: Option<ControlConnection> = None;
    for Question { request, answer } in questions {
        // Nobody waits for it any more.
        if answer.is_closed() {
            continue;
        }
        let asked = ask(&mut connection, control, &request);
        if asked.is_err() {
            connection = None;
        }
        let _ = answer.send(asked.map_err(|error| Trouble::Silent(error.to_string())));
    }
}

fn ask(
    connection: &mut Option<ControlConnection>,
    control: &Path,
    request: &Request,
) -> Result<Answer, xsched_ipc::Error> {
    let connected = match connection {
        Some(connected) => connected,
        None => connection.insert(control::connect(control, PATIENCE)?),
    };
    connected.ask(request)
}
