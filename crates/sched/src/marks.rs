//! What is to be looked at: a set that is put in order only when it is taken.
//!
//! Most of the time a turn marks one or two things. A list is then much less code to run than a tree, and a turn runs with a cold cache.

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Marks<T> {
    list: Vec<T>,
    /// Not every mark came behind all that were there: the list is not in ascending order, or the same may be in it twice.
    is_mixed: bool,
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Marks { list: Vec::new(), is_mixed: false }
    }
}

impl<T: Ord> Marks<T> {
    pub(crate) fn insert(&mut self, mark: T) {
        if self.list.len() == self.list.capacity() {
            // The same may have been marked again and again. If not, there is to be room for as many more before it is sorted again.
            self.put_in_order();
            self.list.reserve(self.list.len().max(4));
        }
        match self.list.last() {
            Some(last) if *last == mark => return,
            Some(last) => self.is_mixed |= *last > mark,
            None => {}
        }
        self.list.push(mark);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes all out: each once, in ascending order.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.put_in_order();
        std::mem::take(&mut self.list)
    }

    fn put_in_order(&mut self) {
        if std::mem::take(&mut self.is_mixed) {
            // Marks come in ascending runs, which this sort only merges.
            self.list.sort();
            self.list.dedup();
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
            assert!(marks.list.capacity() <= 32, "{}", marks.list.capacity());
        }
        assert_eq!(marks.take(), [0, 1, 2, 3, 4, 7]);
        assert!(marks.is_empty() && marks.take().is_empty());
    }
}
