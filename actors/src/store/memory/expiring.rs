//! A map whose entries end by themselves.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use tokio::time::Instant;

/// A map whose entries end at a time of their own. What has ended is not seen any more, and is swept out by the writes:
/// each sweep visits everything, and the next one waits until the map has doubled, so that a write's share is constant
/// and the map is never more than twice as large as what is alive in it (or [`FLOOR`]).
pub(crate) struct Expiring<K, V> {
    entries: HashMap<K, Entry<V>>,
    sweep_at: usize,
}

struct Entry<V> {
    until: Instant,
    value: V,
}

/// Below this many entries a sweep is not worth it.
const FLOOR: usize = 64;

impl<K: Hash + Eq, V> Expiring<K, V> {
    /// An empty map.
    pub(crate) fn new() -> Self {
        Self { entries: HashMap::new(), sweep_at: FLOOR }
    }

    /// What is under a key, if it has not ended.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Instant) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| &entry.value)
    }

    /// As `get`, to be changed and, with `until`, to live on.
    pub(crate) fn renew<Q: Hash + Eq + ?Sized>(
        &mut self,
        key: &Q,
        until: Option<Instant>,
        now: Instant,
    ) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (value, end) = self.living(key, now)?;
        *end = until.unwrap_or(*end);
        Some(value)
    }

    /// Puts an entry in the place of whatever was there.
    pub(crate) fn put(&mut self, key: K, value: V, until: Instant, now: Instant) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| entry.until > now);
            self.sweep_at = (2 * self.entries.len()).max(FLOOR);
        }
        self.entries.insert(key, Entry { until, value });
    }

    /// Takes an entry out.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, now: Instant) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).filter(|entry| entry.until > now).map(|entry| entry.value)
    }

    /// As `get`, to be changed, with its end.
    pub(crate) fn living<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, now: Instant) -> Option<(&mut V, &mut Instant)>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key).filter(|entry| entry.until > now)?;
        Some((&mut entry.value, &mut entry.until))
    }

    /// What has not ended, in no order.
    pub(crate) fn iter(&self, now: Instant) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().filter(move |(_, entry)| entry.until > now).map(|(key, entry)| (key, &entry.value))
    }

    /// How many entries are held, ended ones among them.
    pub(crate) fn held(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_is_neither_seen_nor_kept_for_long() {
        let mut map = Expiring::new();
        for key in 0..100_000u32 {
            let now = Instant::now();
            map.put(key, (), now + Duration::from_millis(10), now);
            assert!(map.get(&key, now).is_some());
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(map.held() <= FLOOR + 1, "{} entries after {key} writes", map.held());
        }
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(map.get(&99_999, Instant::now()).is_none());
    }
}
