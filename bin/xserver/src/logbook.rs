//! What is logged about peers: so many lines of one kind about one user in a second, and how many there were beyond.
//!
//! A peer decides how often it comes, asks and is refused. Without a bound it could fill the disk, and hide in the crowd what others
//! did. Deliberately absent: the lines themselves; whoever writes one asks first.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use xsched_core::Time;

/// For how long lines are counted.
const SECOND: Duration = Duration::from_secs(1);

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// A connection that was not taken in, or was ended before it was a guest's.
    Refused,
    /// A moment in which nobody can be taken in; about no user, so under root's number.
    NoRoom,
    /// A guest that starts with a lower priority than it asked for.
    Clamped,
    /// A guest that comes or goes, and the devices that it uses.
    Life,
    /// A change that somebody asked for.
    Change,
}

/// What was written in the present second.
#[derive(Debug, Default)]
pub(crate) struct Logbook {
    pages: BTreeMap<(Kind, u32), Page>,
}

#[derive(Debug)]
struct Page {
    since: Time,
    lines: u32,
    left_out: u64,
}

/// Lines that were not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeftOut {
    kind: Kind,
    uid: u32,
    count: u64,
}

impl Kind {
    /// Lines in a second about one user.
    fn most(self) -> u32 {
        match self {
            Kind::Refused | Kind::NoRoom | Kind::Clamped => 1,
            Kind::Change => 10,
            Kind::Life => 100,
        }
    }
}

impl Logbook {
    /// Whether one more line of this kind may be written about user `uid`.
    pub(crate) fn admits(&mut self, kind: Kind, uid: u32, now: Time) -> bool {
        let page = self.pages.entry((kind, uid)).or_insert(Page { since: now, lines: 0, left_out: 0 });
        // A page with lines left out stays until they are told of.
        if page.left_out == 0 && now.since(page.since) >= SECOND {
            *page = Page { since: now, lines: 0, left_out: 0 };
        }
        let is_admitted = page.lines < kind.most();
        if is_admitted {
            page.lines += 1;
        } else {
            page.left_out += 1;
        }
        is_admitted
    }

    /// When the next account of lines that were left out is due.
    pub(crate) fn due(&self) -> Option<Time> {
        let pages = self.pages.values().filter(|page| page.left_out > 0);
        pages.map(|page| page.since + SECOND).min()
    }

    /// Accounts that are due. What is over is forgotten.
    pub(crate) fn accounts(&mut self, now: Time) -> Vec<LeftOut> {
        if self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let mut accounts = Vec::new();
        self.pages.retain(|(kind, uid), page| {
            let is_over = now.since(page.since) >= SECOND;
            if is_over && page.left_out > 0 {
                accounts.push(LeftOut { kind: *kind, uid: *uid, count: page.left_out });
            }
            !is_over
        });
        accounts
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut { kind, uid, count } = self;
        let what = match kind {
            Kind::NoRoom => return write!(f, "left out: {count} more moments without room within a second"),
            Kind::Refused => "refused connections",
            Kind::Clamped => "processes that asked for too high a priority",
            Kind::Life => "lines about processes that came and went",
            Kind::Change => "changes",
        };
        write!(f, "left out: {count} more {what} of uid {uid} within a second")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_crowd_gets_one_line_and_an_account_of_the_rest() {
        let mut log = Logbook::default();
        let admitted = (0..500).filter(|n| log.admits(Kind::Refused, 1000, at(*n))).count();
        assert_eq!(admitted, 1);
        assert!(log.admits(Kind::Refused, 1001, at(500)), "others have lines of their own");
        assert!(log.admits(Kind::Clamped, 1000, at(500)));
        assert_eq!((log.due(), log.accounts(at(999))), (Some(at(1000)), vec![]));
        // Before its account is written, no new line is.
        assert!(!log.admits(Kind::Refused, 1000, at(1000)));
        let [account] = log.accounts(at(1000)).try_into().unwrap();
        assert_eq!(account.to_string(), "left out: 500 more refused connections of uid 1000 within a second");
        assert!(log.admits(Kind::Refused, 1000, at(1001)));
        assert_eq!(log.due(), None);
    }

    #[test]
    fn lines_that_are_few_are_all_written_and_nothing_is_kept_for_ever() {
        let mut log = Logbook::default();
        assert!((0..10).all(|n| log.admits(Kind::Refused, 7, at(n * 1000))));
        assert!((0..100).all(|n| log.admits(Kind::Life, n, at(20_000))));
        assert!((0..2).map(|_| log.admits(Kind::Refused, 8, at(20_000))).eq([true, false]));
        assert_eq!(log.accounts(at(30_000)).len(), 1);
        assert!(log.pages.is_empty());
    }
}
