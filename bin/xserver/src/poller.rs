//! What the server waits for: one epoll, and a name for each thing it watches; and a timer.
//!
//! The timer is an fd, because the time that epoll itself takes is rounded up to milliseconds on the way. A second epoll watches all but the doorbells
//! of those who are not in a hurry: while the server rests ([`Poller::rest`]), these do not wake it. Whatever happens is in the first one,
//! so that what the second one says need only be known, not handled.

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use xsched_core::{ClientId, Time};
use xsched_ipc::server::now;

/// Something to watch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    /// Somebody connects.
    Listener,
    /// A signal came that ends the server.
    End,
    /// A signal came by which the rules are read again.
    Reload,
    /// Something came on this connection, or it is closed.
    Link(u32),
    /// The process at the other end of this connection ended.
    Process(u32),
    /// The guest rang.
    Doorbell(ClientId),
    /// Something else is to be seen of the display.
    Display,
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

/// The epoll, and its timer.
pub(crate) struct Poller {
    epoll: OwnedFd,
    /// The same without doorbells, but for those that are heard at once.
    in_a_hurry: OwnedFd,
    timer: OwnedFd,
    /// When the timer rings.
    armed: Option<Time>,
    /// Room for what epoll says.
    events: Vec<Event>,
}

const TIMER: u64 = u64::MAX;

impl Poller {
    pub(crate) fn new() -> Result<Poller> {
        let [epoll, in_a_hurry] =
            [epoll::create(epoll::CreateFlags::CLOEXEC)?, epoll::create(epoll::CreateFlags::CLOEXEC)?];
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Setting it anew takes back that it rang, so that it need not be read.
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), Wake::EachWrite.flags())?;
        Ok(Poller { epoll, in_a_hurry, timer, armed: None, events: Vec::with_capacity(256) })
    }

    pub(crate) fn add(&self, fd: impl AsFd, source: Source, wake: Wake) -> Result<()> {
        epoll::add(&self.epoll, &fd, source.to_data(), wake.flags())?;
        if !matches!(source, Source::Doorbell(_)) {
            epoll::add(&self.in_a_hurry, &fd, source.to_data(), wake.flags()).inspect_err(|_| {
                let _ = epoll::delete(&self.epoll, &fd);
            })?;
        }
        Ok(())
    }

    /// What is to be heard of something that is no doorbell.
    pub(crate) fn change(&self, fd: impl AsFd, source: Source, wake: Wake) -> Result<()> {
        epoll::modify(&self.epoll, &fd, source.to_data(), wake.flags())?;
        epoll::modify(&self.in_a_hurry, fd, source.to_data(), wake.flags())
    }

    /// Whether the doorbell ends a rest.
    pub(crate) fn hurry(&self, doorbell: impl AsFd, client: ClientId, is_in_a_hurry: bool) -> Result<()> {
        if is_in_a_hurry {
            let data = Source::Doorbell(client).to_data();
            epoll::add(&self.in_a_hurry, doorbell, data, Wake::EachWrite.flags())
        } else {
            epoll::delete(&self.in_a_hurry, doorbell)
        }
    }

    /// To be called before the fd is closed: the epoll watches what is behind an fd, and a guest may hold the same thing open.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.epoll, &fd);
        let _ = epoll::delete(&self.in_a_hurry, fd);
    }

    /// Sleeps until then, or until something happens that is not only a doorbell of somebody who is not in a hurry. What happened is left for
    /// [`Poller::wait`]; the timer may be over by then.
    pub(crate) fn rest(&mut self, until: Time) {
        let left = timespec(until.as_nanos().saturating_sub(now().as_nanos()));
        let mut fds = [PollFd::new(&self.in_a_hurry, PollFlags::IN)];
        if poll(&mut fds, Some(&left)).is_ok_and(|ready| ready > 0) {
            // Taken out, so that the next rest is one. What is left over only makes it shorter.
            self.events.clear();
            let room = rustix::buffer::spare_capacity(&mut self.events);
            let _ = epoll::wait(&self.in_a_hurry, room, Some(&timespec(0)));
        }
    }

    /// Waits until something happens or it is `until`, and puts what did into `sources`, in place of what is there.
    pub(crate) fn wait(&mut self, until: Option<Time>, sources: &mut Vec<Source>) -> Result<()> {
        sources.clear();
        let at_once = timespec(0);
        let timeout = until.is_some_and(|until| until <= now()).then_some(&at_once);
        if timeout.is_none() && until != self.armed {
            let spec = Itimerspec { it_interval: timespec(0), it_value: timespec(until.map_or(0, nanos)) };
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec)?;
            self.armed = until;
        }
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        for event in &self.events {
            match Source::from_data(event.data) {
                Some(source) => sources.push(source),
                None if event.data.u64() == TIMER => self.armed = None,
                None => {}
            }
        }
        Ok(())
    }
}

/// Zero would mean never.
fn nanos(time: Time) -> u64 {
    time.as_nanos().max(1)
}

fn timespec(nanos: u64) -> Timespec {
    const SECOND: u64 = 1_000_000_000;
    Timespec {
        tv_sec: i64::try_from(nanos / SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % SECOND).unwrap_or(0),
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
            Source::End => (1, 0),
            Source::Reload => (5, 0),
            Source::Link(number) => (2, number),
            Source::Process(number) => (3, number),
            Source::Doorbell(client) => (4, client.0),
            Source::Display => (6, 0),
        };
        EventData::new_u64(kind << 32 | u64::from(number))
    }

    fn from_data(data: EventData) -> Option<Source> {
        let number = data.u64() as u32;
        match data.u64() >> 32 {
            0 => Some(Source::Listener),
            1 => Some(Source::End),
            5 => Some(Source::Reload),
            2 => Some(Source::Link(number)),
            3 => Some(Source::Process(number)),
            4 => Some(Source::Doorbell(ClientId(number))),
            6 => Some(Source::Display),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use xsched_ipc::server::doorbell;

    fn wait(poller: &mut Poller, until: Option<Time>) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        poller.wait(until, &mut sources).map(|()| sources)
    }

    fn soon() -> Option<Time> {
        Some(now() + Duration::from_millis(2))
    }

    #[test]
    fn a_doorbell_that_is_never_read_wakes_once_per_ring() {
        let (mut poller, bell) = (Poller::new().unwrap(), doorbell().unwrap());
        poller.add(&bell, Source::Doorbell(ClientId(7)), Wake::EachWrite).unwrap();
        assert_eq!(wait(&mut poller, soon()).unwrap(), []);
        for _ in 0..3 {
            xsched_ipc::guest::ring(bell.as_fd());
            assert_eq!(wait(&mut poller, None).unwrap(), [Source::Doorbell(ClientId(7))]);
            assert_eq!(wait(&mut poller, soon()).unwrap(), []);
        }
        let other_end = bell.try_clone().unwrap();
        poller.remove(&bell);
        drop(bell);
        xsched_ipc::guest::ring(other_end.as_fd());
        assert_eq!(wait(&mut poller, soon()).unwrap(), []);
    }

    #[test]
    fn a_rest_is_not_ended_by_a_doorbell_that_is_not_in_a_hurry_and_nothing_is_lost() {
        let mut poller = Poller::new().unwrap();
        let bells = [7, 8].map(|client| (ClientId(client), doorbell().unwrap()));
        for (client, bell) in &bells {
            poller.add(bell, Source::Doorbell(*client), Wake::EachWrite).unwrap();
        }
        let [(usual, usual_bell), (urgent, urgent_bell)] = &bells;
        poller.hurry(urgent_bell, *urgent, true).unwrap();
        let rest = |poller: &mut Poller, length: u64| {
            let begin = now();
            poller.rest(begin + Duration::from_millis(length));
            now().since(begin)
        };
        const LONG: u64 = 60_000;
        xsched_ipc::guest::ring(usual_bell.as_fd());
        assert!(rest(&mut poller, 3) >= Duration::from_millis(3));
        xsched_ipc::guest::ring(urgent_bell.as_fd());
        assert!(rest(&mut poller, LONG) < Duration::from_millis(LONG));
        let mut heard = wait(&mut poller, None).unwrap();
        heard.sort_unstable_by_key(|source| format!("{source:?}"));
        assert_eq!(heard, [Source::Doorbell(*usual), Source::Doorbell(*urgent)]);
        // Each ring ends one rest, and only as long as it is in a hurry.
        assert!(rest(&mut poller, 3) >= Duration::from_millis(3));
        poller.hurry(urgent_bell, *urgent, false).unwrap();
        xsched_ipc::guest::ring(urgent_bell.as_fd());
        assert!(rest(&mut poller, 3) >= Duration::from_millis(3));
        assert_eq!(wait(&mut poller, None).unwrap(), [Source::Doorbell(*urgent)]);
    }

    #[test]
    fn the_timer_rings_when_it_should_and_not_before() {
        let (mut poller, bell) = (Poller::new().unwrap(), doorbell().unwrap());
        for _ in 0..3 {
            let until = now() + Duration::from_micros(300);
            assert_eq!(wait(&mut poller, Some(until)).unwrap(), []);
            assert!(now() >= until);
            // A time that is over is no time to wait.
            assert_eq!(wait(&mut poller, Some(Time::ZERO)).unwrap(), []);
        }
        poller.add(&bell, Source::Doorbell(ClientId(1)), Wake::EachWrite).unwrap();
        xsched_ipc::guest::ring(bell.as_fd());
        let far = Some(now() + Duration::from_secs(600));
        assert_eq!(wait(&mut poller, far).unwrap(), [Source::Doorbell(ClientId(1))]);
        assert_eq!(wait(&mut poller, soon()).unwrap(), []);
    }

    #[test]
    fn sources_read_back() {
        let all = [
            Source::Listener,
            Source::End,
            Source::Reload,
            Source::Link(1),
            Source::Process(2),
            Source::Doorbell(ClientId(u32::MAX)),
            Source::Display,
        ];
        for source in all {
            assert_eq!(Source::from_data(source.to_data()), Some(source));
        }
        assert_eq!(Source::from_data(EventData::new_u64(u64::MAX)), None);
    }
}
