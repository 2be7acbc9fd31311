//! What xcli (or any control client) asks of xserver, and the answers: JSON, one message per packet.
//!
//! A request gets any number of [`Reply::Client`] and ends with exactly one other reply. A process with so many queues that its
//! status does not fit into one packet comes in several, with the same number and different queues; [`ControlConnection::ask`] joins them.

use crate::error::Error;
use crate::peer::Credentials;
use crate::socket::{self, Deadline};
use crate::wire::{Garbage, Kind, MAX_PACKET, packet};
use rustix::fd::{AsFd, OwnedFd};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::account::Happening;
use xsched_core::status::{ClientStatus, RuleStatus, RulesStatus, ServerStatus};
use xsched_core::{ClientId, HintKind, QueueId};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The server as a whole: answered by [`Reply::Server`].
    Status,
    /// All attached processes, one [`Reply::Client`] each, then [`Reply::Done`].
    List,
    /// Sets a hint; answered by [`Reply::Done`] with the number of queues it reached, or [`Reply::Refused`].
    Hint {
        /// For whom.
        target: Target,
        /// Which.
        kind: HintKind,
        /// In the hint's unit.
        value: i64,
    },
    /// Takes back what [`Request::Hint`] gave, as far as the asker gave it, or could have; answered like that.
    Unset {
        /// For whom.
        target: Target,
        /// Which.
        kind: HintKind,
    },
    /// The rules in force: one [`Reply::Rule`] each, then [`Reply::Rules`].
    Rules,
    /// Reads the rules again (root, the `xsched` group and the server's own user may): as [`Request::Rules`], or [`Reply::Refused`] with
    /// what is wrong with the file.
    ReloadRules,
    /// The policy in force and those there are: [`Reply::Policy`].
    Policy,
    /// What happened from this number on, or from now on: [`Reply::Happenings`]. Something is kept only as long as somebody asks again within
    /// seconds.
    Follow {
        /// As [`Reply::Happenings`] said last.
        from: Option<u64>,
    },
    /// Changes the policy (root, the `xsched` group and the server's own user may): [`Reply::Policy`] or [`Reply::Refused`].
    SetPolicy {
        /// Its name.
        name: String,
    },
}

/// Whom a hint is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One queue.
    Queue(QueueId),
    /// All queues of an attached process.
    Client(ClientId),
    /// The same, by process id (as the server sees it).
    Pid(u32),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// One process; more follow.
    Client(ClientStatus),
    /// One rule; more follow.
    Rule(RuleStatus),
    /// The rules; each came before, so there are none in it on the way.
    Rules(RulesStatus),
    /// The server.
    Server(ServerStatus),
    /// The policy in force, and all there are with their help lines.
    Policy {
        /// In force.
        current: String,
        /// Name and help line of each.
        available: Vec<(String, String)>,
    },
    /// What happened.
    Happenings {
        /// What to ask with next.
        next: u64,
        /// How many came before these and are forgotten.
        lost: u64,
        /// Some of them; when there are none, there are no more.
        list: Vec<Happening>,
    },
    /// Done.
    Done {
        /// How many queues or processes it was about.
        count: u32,
        /// What the asker should know, e.g. that the policy in force does not read this hint.
        note: Option<String>,
    },
    /// Not done: who is refused what, and what is allowed.
    Refused(String),
}

/// Bytes of one answer: several times what a server with all the queues that it takes would say. One that never ends is not a server.
const MOST_OF_AN_ANSWER: usize = 512 << 20;

/// Connects to the server at `path`. Every step, this one and each later call, ends within `patience`.
pub fn connect(path: &Path, patience: Duration) -> Result<ControlConnection, Error> {
    let socket = socket::connect(Deadline::new(path, patience))?;
    Ok(ControlConnection::new(socket, path, patience))
}

/// A control client's connection to xserver.
#[derive(Debug)]
pub struct ControlConnection {
    socket: OwnedFd,
    path: PathBuf,
    patience: Duration,
}

impl ControlConnection {
    /// With the server at the other end of this socket; its path is for messages.
    pub fn new(socket: OwnedFd, path: &Path, patience: Duration) -> ControlConnection {
        ControlConnection { socket, path: path.into(), patience }
    }

    /// Who the server is.
    pub fn server(&self) -> Result<Credentials, Error> {
        Credentials::of(self.socket.as_fd())
    }

    /// Asks, and waits for all of the answer: the processes, if it was about them, and the reply that ends it.
    pub fn ask(&self, request: &Request) -> Result<(Vec<ClientStatus>, Reply), Error> {
        self.ask_for(request, MOST_OF_AN_ANSWER)
    }

    fn ask_for(&self, request: &Request, most: usize) -> Result<(Vec<ClientStatus>, Reply), Error> {
        self.send(request)?;
        let mut clients: Vec<ClientStatus> = Vec::new();
        let mut rules = Vec::new();
        let mut length = 0;
        loop {
            let (reply, bytes) = self.receive_some()?;
            length += bytes;
            if length > most {
                return Err(Garbage::Field("the answer, which has no end,").into());
            }
            match reply {
                Reply::Client(part) => match clients.last_mut().filter(|last| last.client == part.client) {
                    Some(last) => last.queues.extend(part.queues),
                    None => clients.push(part),
                },
                Reply::Rule(rule) => rules.push(rule),
                Reply::Rules(end) => return Ok((clients, Reply::Rules(RulesStatus { rules, ..end }))),
                end => return Ok((clients, end)),
            }
        }
    }

    /// Sends a request.
    pub fn send(&self, request: &Request) -> Result<(), Error> {
        let bytes = request.to_packet()?;
        socket::send(self.socket.as_fd(), &bytes, &[], Deadline::new(&self.path, self.patience))
    }

    /// The next reply. A refusal to talk at all (another version, too many connections) is an error.
    pub fn receive(&self) -> Result<Reply, Error> {
        self.receive_some().map(|(reply, _)| reply)
    }

    /// With its length in bytes.
    fn receive_some(&self) -> Result<(Reply, usize), Error> {
        let deadline = Deadline::new(&self.path, self.patience);
        let mut answer = socket::receive(self.socket.as_fd(), "the request", deadline)?;
        match crate::guest::open(answer.bytes()?)? {
            (Kind::Reply, body) => {
                let reply = serde_json::from_slice(body).map_err(|_| Garbage::Field("the reply"))?;
                Ok((reply, body.len()))
            }
            (kind, _) => Err(Garbage::Kind(kind as u16).into()),
        }
    }
}

impl Request {
    /// As a packet.
    pub fn to_packet(&self) -> Result<Vec<u8>, Error> {
        to_packet(Kind::Request, self)
    }

    /// Reads the body of a packet.
    pub fn parse(body: &[u8]) -> Result<Request, Garbage> {
        serde_json::from_slice(body).map_err(|_| Garbage::Field("the request"))
    }
}

impl Reply {
    /// As packets: one, or several for a process with very many queues.
    pub fn to_packets(&self) -> Result<Vec<Vec<u8>>, Error> {
        match to_packet(Kind::Reply, self) {
            Ok(packet) => Ok(vec![packet]),
            Err(error) => match self {
                Reply::Client(status) if status.queues.len() > 1 => {
                    let mut halves = [status.clone(), status.clone()];
                    let [first, second] = &mut halves;
                    second.queues = first.queues.split_off(first.queues.len() / 2);
                    let packets = halves.map(|half| Reply::Client(half).to_packets());
                    packets.into_iter().try_fold(Vec::new(), |all, more| Ok([all, more?].concat()))
                }
                _ => Err(error),
            },
        }
    }
}

fn to_packet(kind: Kind, message: &impl Serialize) -> Result<Vec<u8>, Error> {
    let body = serde_json::to_vec(message).map_err(|_| Garbage::Field("a message as JSON"))?;
    let packet = packet(kind, &body);
    if packet.len() > MAX_PACKET { Err(Error::TooLong { length: packet.len() }) } else { Ok(packet) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xsched_core::status::QueueStatus;
    use xsched_core::{DeviceId, DeviceKey, GroupId, Level};

    #[test]
    fn the_status_of_a_process_with_many_queues_comes_in_parts_that_fit() {
        let queue = |n| QueueStatus {
            queue: QueueId(n),
            device_id: DeviceId(1),
            device: DeviceKey::cpu(0),
            level: Level::Block,
            ready: false,
            suspended: false,
            windowed: false,
            awaited: false,
            launched: n,
            completed: 0,
            suspensions: 0,
            hints: Default::default(),
            origins: Default::default(),
            remark: None,
            times: Default::default(),
        };
        let status = ClientStatus {
            client: ClientId(1),
            pid: 1,
            uid: 1,
            program: "p".into(),
            group: GroupId(1),
            container: None,
            group_name: None,
            refused_priority: None,
            level_limit: None,
            threshold: None,
            accounts: Vec::new(),
            queues: (0..3000).map(queue).collect(),
        };
        let packets = Reply::Client(status).to_packets().unwrap();
        let numbers: Vec<u64> = packets
            .iter()
            .flat_map(|packet| {
                assert!(packet.len() <= MAX_PACKET);
                let (_, body) = crate::wire::open(packet).unwrap();
                let Reply::Client(part) = serde_json::from_slice(body).unwrap() else { panic!() };
                part.queues.into_iter().map(|queue| queue.queue.0)
            })
            .collect();
        assert!(packets.len() > 1 && numbers.into_iter().eq(0..3000));
    }

    #[test]
    fn an_answer_that_has_no_end_is_given_up() {
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let status = ClientStatus {
            client: ClientId(1),
            pid: 1,
            uid: 1,
            program: "p".into(),
            group: GroupId(1),
            container: None,
            group_name: None,
            refused_priority: None,
            level_limit: None,
            threshold: None,
            accounts: Vec::new(),
            queues: Vec::new(),
        };
        let packets = Reply::Client(status).to_packets().unwrap();
        let server = std::thread::spawn(move || {
            while rustix::net::send(&theirs, &packets[0], rustix::net::SendFlags::NOSIGNAL).is_ok() {}
        });
        let asker = ControlConnection::new(ours, Path::new("here"), Duration::from_secs(20));
        let error = asker.ask_for(&Request::List, 100_000).unwrap_err();
        assert!(error.to_string().contains("no end"), "{error}");
        drop(asker);
        server.join().unwrap();
    }

    proptest! {
        #[test]
        fn garbage_is_not_a_request_and_nothing_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Request::parse(&bytes).is_err());
            let _ = Request::parse(text.as_bytes());
        }
    }
}
