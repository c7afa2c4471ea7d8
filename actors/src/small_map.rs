//! A map in the order of its keys that nearly always holds one entry or a few: a node of a B-tree, or the least hash table, has room
//! for many more, and each session and each group of a node would pay for it.

use std::collections::BTreeMap;

/// Entries that stand side by side. With more they move into a tree, so that no entry costs more than that however many there are.
const FEW: usize = 16;

/// The map.
#[derive(Debug)]
pub(crate) enum SmallMap<K, V> {
    /// Sorted.
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &few[at].1),
            Self::Many(many) => many.get(key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &mut few[at].1),
            Self::Many(many) => many.get_mut(key),
        }
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts an entry in; returns what was under its key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::Few(few) => match place(few, &key) {
                Ok(at) => Some(std::mem::replace(&mut few[at].1, value)),
                Err(_) if few.len() == FEW => {
                    let mut many: BTreeMap<K, V> = few.drain(..).collect();
                    many.insert(key, value);
                    *self = Self::Many(many);
                    None
                }
                Err(at) => {
                    if few.is_empty() {
                        few.reserve_exact(1);
                    }
                    few.insert(at, (key, value));
                    None
                }
            },
            Self::Many(many) => many.insert(key, value),
        }
    }

    /// Takes an entry out. The last one leaves nothing behind.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = match self {
            Self::Few(few) => place(few, key).ok().map(|at| few.remove(at).1),
            Self::Many(many) => many.remove(key),
        };
        if self.is_empty() {
            *self = Self::default();
        }
        removed
    }

    /// In the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            Self::Few(few) => (few.as_slice(), None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

fn place<K: Ord, V>(few: &[(K, V)], key: &K) -> Result<usize, usize> {
    few.binary_search_by(|(other, _)| other.cmp(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sophie_kit::properties::cases;

    use super::*;

    proptest! {
        #![proptest_config(cases("small_map", 256))]

        #[test]
        fn it_holds_what_a_tree_holds_however_many_there_are(acts in prop::collection::vec((any::<bool>(), 0..40_u8, any::<u8>()), 0..200)) {
            let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
            for (puts, key, value) in acts {
                match puts {
                    true => prop_assert_eq!(small.insert(key, value), tree.insert(key, value)),
                    false => prop_assert_eq!(small.remove(&key), tree.remove(&key)),
                }
                prop_assert_eq!((small.len(), small.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert_eq!(small.get(&key), tree.get(&key));
                prop_assert_eq!(small.get_mut(&key), tree.get_mut(&key));
                prop_assert!(small.iter().eq(tree.iter()));
            }
        }
    }

    #[test]
    fn one_entry_has_room_for_one_and_none_for_none() {
        let mut map = SmallMap::default();
        let room = |map: &SmallMap<u8, u8>| match map {
            SmallMap::Few(few) => few.capacity(),
            SmallMap::Many(_) => usize::MAX,
        };
        assert_eq!(room(&map), 0);
        map.insert(1, 1);
        assert_eq!(room(&map), 1);
        (0..=FEW as u8).for_each(|key| _ = map.insert(key, key));
        assert_eq!(room(&map), usize::MAX);
        (0..=FEW as u8).for_each(|key| _ = map.remove(&key));
        assert_eq!(room(&map), 0);
    }
}
