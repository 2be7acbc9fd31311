//! What is to be looked at: a set that is put in order only when it is taken.
//!
//! Most of the time a turn marks one or two things. A list is then much less code to run than a tree, and a turn runs with a cold cache.

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Marks<T>(Vec<T>);

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Marks(Vec::new())
    }
}

impl<T: Ord> Marks<T> {
    pub(crate) fn insert(&mut self, mark: T) {
        if self.0.len() == self.0.capacity() {
            // The same may have been marked again and again. If not, there is to be room for as many more before it is sorted again.
            self.put_in_order();
            self.0.reserve(self.0.len().max(4));
        }
        self.0.push(mark);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all out: each once, in ascending order.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.put_in_order();
        std::mem::take(&mut self.0)
    }

    fn put_in_order(&mut self) {
        if self.0.len() > 1 {
            // Marks come in ascending runs, which this sort only merges.
            self.0.sort();
            self.0.dedup();
        }
    }
}

impl<T: Ord> Extend<T> for Marks<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, marks: I) {
        marks.into_iter().for_each(|mark| self.insert(mark));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_comes_out_once_and_in_order_and_takes_room_once() {
        let mut marks = Marks::default();
        for round in 0..1_000 {
            marks.extend([7, 3, round % 5]);
            assert!(marks.0.capacity() <= 32, "{}", marks.0.capacity());
        }
        assert_eq!(marks.take(), [0, 1, 2, 3, 4, 7]);
        assert!(marks.is_empty() && marks.take().is_empty());
    }
}
