//! A map of mostly one entry: the units of a group, the gates of a unit.
//!
//! The one stands in its owner itself, where a tree would have it two look-ups in cold memory away; a decision that closes a thousand gates
//! is made of little else. Invariant: in ascending order of the keys, each once. More than one are on the heap, in one piece: then to come or go costs as
//! many steps as there are entries behind, and to be found the logarithm of them.

use smallvec::SmallVec;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Few<K, V>(SmallVec<[(K, V); 1]>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Few(SmallVec::new())
    }
}

impl<K: Ord + Copy, V> Few<K, V> {
    /// Where the key is, or else where it belongs.
    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |&(key, _)| key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.0.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = self.find(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// What is there, or else what is put there now.
    #[expect(clippy::indexing_slicing, reason = "the place was found, or made just now")]
    pub(crate) fn get_or_insert_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let place = self.find(key).unwrap_or_else(|place| {
            self.0.insert(place, (key, new()));
            place
        });
        &mut self.0[place].1
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let place = self.find(key).ok()?;
        Some(self.0.remove(place).1)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (*key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.0.iter().map(|&(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Entry(u8, u32),
        Remove(u8),
        Retain(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0_u8..12, 0_u32..1_000).prop_map(|(key, value)| Step::Entry(key, value)),
            (0_u8..12).prop_map(Step::Remove),
            (2_u32..9).prop_map(Step::Retain),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// Against the map of the standard library.
        #[test]
        fn it_holds_what_a_tree_would_and_in_the_same_order(steps in steps()) {
            let (mut few, mut tree) = (Few::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Entry(key, value) => {
                        *few.get_or_insert_with(key, || value) += 1;
                        *tree.entry(key).or_insert(value) += 1;
                    }
                    Step::Remove(key) => prop_assert_eq!(few.remove(key), tree.remove(&key)),
                    Step::Retain(n) => {
                        few.retain(|value| value % n != 0);
                        tree.retain(|_, value| *value % n != 0);
                    }
                }
                prop_assert!(few.iter().eq(tree.iter().map(|(&key, value)| (key, value))));
                prop_assert!(few.keys().eq(tree.keys().copied()) && few.values().eq(tree.values()));
                prop_assert_eq!(few.is_empty(), tree.is_empty());
                for key in 0..12 {
                    prop_assert_eq!(few.get(key), tree.get(&key));
                    prop_assert_eq!(few.get_mut(key), tree.get_mut(&key));
                }
            }
        }
    }
}
