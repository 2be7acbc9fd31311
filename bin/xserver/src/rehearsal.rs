//! The server without its loop, its sockets and its clock, for tests that feed it with garbage.
//!
//! What stands here in place of `server` does the same with the same parts, in the same order; only the times are the caller's, and
//! a guest comes without a connection. Deliberately absent: anything that the server itself uses.

use crate::control::{self, Answered};
use crate::guests::Guests;
use crate::rights::Rights;
use std::time::Duration;
use xsched_core::{ClientId, DeviceKey, Time};
use xsched_ipc::control::{Reply, Request};
use xsched_ipc::peer::Credentials;
use xsched_ipc::server::{HEARTBEAT_EVERY, Newcomer};
use xsched_sched::{PolicyKind, Scheduler, Settings};

/// A server on paper.
#[derive(Debug)]
pub struct Rehearsal {
    guests: Guests,
    rights: Rights,
    now: Time,
    /// When the scheduler wants its next turn.
    next: Option<Time>,
    beat_due: Time,
    dropped: Vec<(ClientId, String)>,
}

/// What a server keeps that depends on its guests; after they left, all of it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Attached guests.
    pub guests: usize,
    /// Their queues.
    pub queues: usize,
    /// The queues that the scheduler knows.
    pub scheduled_queues: usize,
    /// What was taken of the quota.
    pub quota: usize,
    /// Devices in use.
    pub devices: Vec<DeviceKey>,
    /// Queues to be looked at again, gates to be written, pages to be read.
    pub pending: usize,
}

impl Rehearsal {
    /// A server without guests. Only `root` may steer everything; others get priorities up to `ceiling`.
    pub fn new(policy: PolicyKind, settings: Settings, ceiling: u32) -> Rehearsal {
        Rehearsal {
            guests: Guests::new(Scheduler::new(policy, settings)),
            rights: Rights::of_root(ceiling),
            now: Time::from_nanos(1),
            next: None,
            beat_due: Time::ZERO,
            dropped: Vec::new(),
        }
    }

    /// A guest says hello, as `server::Server::take_in` hears it.
    pub fn attach(&mut self, who: Credentials, mut newcomer: Newcomer) -> ClientId {
        let (hints, _) = self.rights.clamp(&who, newcomer.hello.hints);
        newcomer.hello.hints = hints;
        let client = self.guests.new_client();
        self.guests.join(client, client.0, who, newcomer, self.now);
        self.guests.classify(client, &self.rights, self.now);
        let read = self.guests.read_page(client, self.now);
        self.drop_if_wrong(client, read);
        self.turn();
        client
    }

    /// The guest rings its doorbell.
    pub fn ring(&mut self, client: ClientId) {
        let read = self.guests.read_ring(client, self.now);
        self.drop_if_wrong(client, read);
        self.turn();
    }

    /// The guest's connection ends.
    pub fn leave(&mut self, client: ClientId) {
        self.guests.leave(client, self.now);
        self.turn();
    }

    /// Somebody asks; all of the answer.
    pub fn ask(&mut self, who: &Credentials, request: Request) -> Vec<Reply> {
        let mut replies = Vec::new();
        match control::answer(&mut self.guests, &self.rights, who, request, self.now) {
            Answered::Replies(all) => replies.extend(all),
            Answered::List(mut listing) => loop {
                replies.push(listing.next(&self.guests));
                if matches!(replies.last(), Some(Reply::Done { .. })) {
                    break;
                }
            },
        }
        self.turn();
        replies
    }

    /// Time passes; whatever is due in it is done when it is due.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.next.into_iter().chain([self.beat_due]).chain(self.guests.scans.due()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            if self.beat_due <= self.now {
                self.beat_due = self.now + HEARTBEAT_EVERY;
                let all: Vec<ClientId> = self.guests.table.keys().copied().collect();
                for client in all {
                    let read = self.guests.read_ring(client, self.now);
                    self.drop_if_wrong(client, read);
                }
            }
            if let Err((client, reason)) = self.guests.scan(self.now) {
                self.drop_if_wrong(client, Err(reason));
            }
            self.turn();
        }
        self.now = end;
    }

    /// Whom the server has dropped since this was asked last, and why.
    pub fn take_dropped(&mut self) -> Vec<(ClientId, String)> {
        std::mem::take(&mut self.dropped)
    }

    /// What the server keeps at present.
    pub fn kept(&self) -> Kept {
        let guests = &self.guests;
        Kept {
            guests: guests.table.len(),
            queues: guests.places.len(),
            scheduled_queues: guests.scheduler.queue_count(),
            quota: guests.taken_of_quota(),
            devices: guests.device_keys(),
            pending: guests.lingering.len() + guests.unwritten.len() + guests.scans.len(),
        }
    }

    fn turn(&mut self) {
        loop {
            let turn = self.guests.turn(self.now);
            for client in &turn.parted {
                self.drop_if_wrong(*client, Err("it has parted from this server".into()));
            }
            if turn.parted.is_empty() {
                // A turn that wants another one at once gets it in the next moment, as in the loop.
                self.next = turn.next.map(|next| next.max(self.now + Duration::from_nanos(1)));
                return;
            }
        }
    }

    fn drop_if_wrong(&mut self, client: ClientId, read: Result<(), String>) {
        if let Err(reason) = read {
            self.guests.leave(client, self.now);
            self.dropped.push((client, reason));
        }
    }
}
