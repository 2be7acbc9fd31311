//! What is known of commands that failed, for those who wait for one: kept for a stretch of commands together.
//!
//! Nearly none fails. So a submit costs no memory of its own for that, only a count of references that the worker never touches, and a stretch lives as long
//! as somebody holds a [`super::Ticket`] of it or one of its commands is not complete. Only the first error of a command counts. All is
//! noted under the state's lock; it is read by anybody.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use xsched_hal::Error;

/// Commands of a stretch.
const LENGTH: u64 = 64;

/// The failures among commands with numbers in a row.
#[derive(Debug)]
pub(super) struct Stretch {
    numbers: Range<u64>,
    /// In the order in which they became known: the first one that covers a command is its error.
    failures: Mutex<Vec<(Range<u64>, Error)>>,
}

impl Stretch {
    /// The stretch that begins with this command.
    pub(super) fn from(first: u64) -> Stretch {
        Stretch { numbers: first..first + LENGTH, failures: Mutex::default() }
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// Why the command failed, if it did.
    pub(super) fn error_of(&self, number: u64) -> Option<Error> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, error)| error.clone())
    }

    /// The commands failed, as far as they are in this stretch; whether that is news of any.
    pub(super) fn fail(&self, numbers: &Range<u64>, error: &Error) -> bool {
        let numbers = numbers.start.max(self.numbers.start)..numbers.end.min(self.numbers.end);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |number| failures.iter().any(|(failed, _)| failed.contains(&number));
        let is_news = !numbers.clone().all(is_known);
        if is_news {
            failures.push((numbers, error.clone()));
        }
        is_news
    }
}

/// The stretches of all commands that are not complete, in their order.
#[derive(Debug, Default)]
pub(super) struct Stretches(VecDeque<Arc<Stretch>>);

impl Stretches {
    /// One that follows on the last one.
    pub(super) fn push(&mut self, stretch: Arc<Stretch>) {
        self.0.push_back(stretch);
    }

    /// Takes over those that follow on the last one here.
    pub(super) fn append(&mut self, others: &mut Stretches) {
        self.0.append(&mut others.0);
    }

    /// These commands failed. Whether that is news of any of them.
    pub(super) fn fail(&self, numbers: Range<u64>, error: &Error) -> bool {
        let first = self.0.partition_point(|stretch| stretch.numbers.end <= numbers.start);
        let concerned = self.0.range(first..).take_while(|stretch| stretch.numbers.start < numbers.end);
        concerned.fold(false, |is_news, stretch| stretch.fail(&numbers, error) | is_news)
    }

    /// All commands up to this one are complete.
    pub(super) fn complete(&mut self, number: u64) {
        while self.0.front().is_some_and(|stretch| stretch.numbers.end <= number + 1) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_first_error_and_a_stretch_goes_when_it_is_complete() {
        let mut all = Stretches::default();
        let stretches: Vec<_> = (0..3).map(|n| Arc::new(Stretch::from(1 + n * LENGTH))).collect();
        stretches.iter().for_each(|stretch| all.push(stretch.clone()));
        let error_of = |number: u64| {
            let holder = stretches.iter().find(|stretch| stretch.has(number));
            holder.and_then(|stretch| stretch.error_of(number))
        };
        assert!(all.fail(70..71, &Error::Panicked));
        assert!(!all.fail(70..71, &Error::Discarded), "it failed already");
        assert!(all.fail(60..130, &Error::Discarded));
        assert!(!all.fail(60..130, &Error::Panicked));
        assert!(!all.fail(500..501, &Error::Panicked), "there is none");
        assert_eq!([59, 130].map(error_of), [None, None]);
        assert_eq!([60, 69, 71, 129].map(error_of), [(); 4].map(|()| Some(Error::Discarded)));
        assert_eq!(error_of(70), Some(Error::Panicked));
        all.complete(LENGTH - 1);
        assert_eq!(all.0.len(), 3);
        all.complete(2 * LENGTH);
        assert_eq!(all.0.len(), 1);
        assert_eq!(Arc::strong_count(&stretches[0]), 1);
    }
}
