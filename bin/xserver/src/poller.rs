//! What the server waits for: one epoll, and a name for each thing it watches.

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::time::Timespec;
use std::time::Duration;

/// Something to watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Somebody connects.
    Listener,
    /// A signal came.
    Signals,
    /// Something came on this connection, or it is closed.
    Link(u32),
    /// The process at the other end of this connection ended.
    Process(u32),
    /// The guest of this connection rang.
    Doorbell(u32),
}

/// When to wake for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// While there is something to read.
    Readable,
    /// While there is room to write.
    Writable,
    /// Once per write to it; for what is never read.
    EachWrite,
    /// Only when it is closed.
    Closed,
}

/// The epoll.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Poller> {
        Ok(Poller { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, source: Source, wake: Wake) -> Result<()> {
        epoll::add(&self.epoll, fd, source.to_data(), wake.flags())
    }

    pub(crate) fn change(&self, fd: impl AsFd, source: Source, wake: Wake) -> Result<()> {
        epoll::modify(&self.epoll, fd, source.to_data(), wake.flags())
    }

    /// To be called before the fd is closed: the epoll watches what is behind an fd, and a guest may hold the same thing open.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something happens or `timeout` is over, and answers what did.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Source>> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        let mut events = Vec::with_capacity(256);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) => Ok(events.iter().filter_map(|event| Source::from_data(event.data)).collect()),
            Err(Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }
}

impl Wake {
    fn flags(self) -> EventFlags {
        match self {
            Wake::Readable => EventFlags::IN | EventFlags::RDHUP,
            Wake::Writable => EventFlags::OUT | EventFlags::RDHUP,
            Wake::EachWrite => EventFlags::IN | EventFlags::ET,
            Wake::Closed => EventFlags::empty(),
        }
    }
}

impl Source {
    fn to_data(self) -> EventData {
        let (kind, number) = match self {
            Source::Listener => (0u64, 0),
            Source::Signals => (1, 0),
            Source::Link(number) => (2, number),
            Source::Process(number) => (3, number),
            Source::Doorbell(number) => (4, number),
        };
        EventData::new_u64(kind << 32 | u64::from(number))
    }

    fn from_data(data: EventData) -> Option<Source> {
        let number = data.u64() as u32;
        match data.u64() >> 32 {
            0 => Some(Source::Listener),
            1 => Some(Source::Signals),
            2 => Some(Source::Link(number)),
            3 => Some(Source::Process(number)),
            4 => Some(Source::Doorbell(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_ipc::server::doorbell;

    #[test]
    fn a_doorbell_that_is_never_read_wakes_once_per_ring() {
        let (poller, bell) = (Poller::new().unwrap(), doorbell().unwrap());
        poller.add(&bell, Source::Doorbell(7), Wake::EachWrite).unwrap();
        let now = Some(Duration::ZERO);
        assert_eq!(poller.wait(now).unwrap(), []);
        for _ in 0..3 {
            xsched_ipc::guest::ring(bell.as_fd());
            assert_eq!(poller.wait(now).unwrap(), [Source::Doorbell(7)]);
            assert_eq!(poller.wait(now).unwrap(), []);
        }
        let other_end = bell.try_clone().unwrap();
        poller.remove(&bell);
        drop(bell);
        xsched_ipc::guest::ring(other_end.as_fd());
        assert_eq!(poller.wait(now).unwrap(), []);
    }

    #[test]
    fn sources_read_back() {
        let all = [
            Source::Listener,
            Source::Signals,
            Source::Link(1),
            Source::Process(2),
            Source::Doorbell(u32::MAX),
        ];
        for source in all {
            assert_eq!(Source::from_data(source.to_data()), Some(source));
        }
        assert_eq!(Source::from_data(EventData::new_u64(u64::MAX)), None);
    }
}
