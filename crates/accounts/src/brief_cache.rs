//! A small cache for what every request asks: entries live a second at most, so that other nodes' changes are seen
//! within one, and this node's own are dropped at once.

use std::{borrow::Borrow, hash::Hash, time::Duration};

use moka::sync::Cache;
use stoa_kernel::Timestamp;

/// How long an entry is believed.
const LIFETIME: Duration = Duration::from_secs(1);

/// Values by key, each with the moment it was read at. Clones share the entries.
#[derive(Clone)]
pub(crate) struct BriefCache<K, V>(Cache<K, (Timestamp, V)>);

impl<K, V> BriefCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(most: u64) -> Self {
        Self(Cache::builder().max_capacity(most).time_to_live(LIFETIME).build())
    }

    /// The value, unless it was read a second ago or earlier.
    pub(crate) fn get<Q>(&self, key: &Q, now: Timestamp) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (read_at, value) = self.0.get(key)?;
        (now.since(read_at) < LIFETIME).then_some(value)
    }

    pub(crate) fn put(&self, key: K, value: V, now: Timestamp) {
        self.0.insert(key, (now, value));
    }

    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.invalidate(key);
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_believed_for_less_than_a_second() {
        let cache = BriefCache::new(10);
        let start = Timestamp::from_seconds(100);
        cache.put("sid", 1, start);
        assert_eq!(cache.get("sid", start + Duration::from_millis(999)), Some(1));
        assert_eq!(cache.get("sid", start + LIFETIME), None);
        cache.put("sid", 2, start);
        cache.forget("sid");
        assert_eq!(cache.get("sid", start), None);
        cache.put("sid", 3, start);
        cache.clear();
        assert_eq!(cache.get("sid", start), None);
        cache.put("sid", 4, start);
        assert_eq!(cache.get("sid", start), Some(4), "what is read after that is believed");
    }
}
