//! One number per key, in a map that cannot grow without end.
//!
//! Keys are kept as keyed hashes of 64 bits: no allocation for a key, sixteen bytes each, and two keys that share a
//! bucket are as rare as they are impossible to find from outside.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use parking_lot::Mutex;

use super::{Decision, Policy, gcra};
use crate::prehashed::Prehashed;

/// Enough that threads seldom meet on a lock held for some tens of nanoseconds.
const SHARDS: usize = 64;

pub(super) struct Buckets {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    max_keys_per_shard: usize,
}

/// When the debt of each key will be paid, in nanoseconds since the epoch.
type Shard = HashMap<u64, u64, Prehashed>;

impl Buckets {
    pub(super) fn new(max_keys: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, hasher: RandomState::new(), max_keys_per_shard: max_keys.div_ceil(SHARDS) }
    }

    pub(super) fn check(&self, policy: &Policy, key: &str, now: u64) -> Decision {
        let hash = self.hash(policy, key);
        let mut shard = self.shard(hash).lock();
        if let Some(paid_at) = shard.get_mut(&hash) {
            let (next, decision) = gcra::decide(policy, *paid_at, now);
            *paid_at = next.unwrap_or(*paid_at);
            return decision;
        }
        let (next, decision) = gcra::decide(policy, 0, now);
        if let Some(paid_at) = next {
            make_room(&mut shard, self.max_keys_per_shard, now);
            shard.insert(hash, paid_at);
        }
        decision
    }

    /// The decision about a key that is refused, without counting anything; `None` when it is not.
    pub(super) fn refusal(&self, policy: &Policy, key: &str, now: u64) -> Option<Decision> {
        let hash = self.hash(policy, key);
        let paid_at = self.shard(hash).lock().get(&hash).copied().unwrap_or(0);
        let (_, decision) = gcra::decide(policy, paid_at, now);
        (!decision.allowed).then_some(decision)
    }

    /// Takes over what a key owes by the count of somebody else.
    pub(super) fn note(&self, policy: &Policy, key: &str, paid_at: u64, now: u64) {
        let hash = self.hash(policy, key);
        let mut shard = self.shard(hash).lock();
        if let Some(known) = shard.get_mut(&hash) {
            *known = paid_at.max(*known);
            return;
        }
        make_room(&mut shard, self.max_keys_per_shard, now);
        shard.insert(hash, paid_at);
    }

    fn hash(&self, policy: &Policy, key: &str) -> u64 {
        self.hasher.hash_one((policy.name, key))
    }

    #[expect(clippy::indexing_slicing, reason = "the index is masked by the number of shards")]
    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // Bits from the middle: the map within uses the lowest and the highest.
        &self.shards[(hash >> 32) as usize & (SHARDS - 1)]
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// Before the map would grow, forgets who owes nothing; at the bound also an eighth of those who owe least, which
/// gives them the least. So each insertion pays for a few steps of a sweep and no task has to do it.
fn make_room(shard: &mut Shard, max_keys: usize, now: u64) {
    if shard.len() < shard.capacity().min(max_keys) {
        return;
    }
    shard.retain(|_, paid_at| *paid_at > now);
    if shard.len() >= max_keys {
        forget_least(shard, max_keys.div_ceil(8));
    } else if shard.len() * 4 > shard.capacity() * 3 {
        // The sweep found little: grow now, else the next comes too soon.
        shard.reserve(shard.len());
    }
}

fn forget_least(shard: &mut Shard, count: usize) {
    let mut debts: Vec<u64> = shard.values().copied().collect();
    let (_, threshold, _) = debts.select_nth_unstable(count.saturating_sub(1));
    let (threshold, mut left) = (*threshold, count);
    shard.retain(|_, paid_at| {
        let forget = left > 0 && *paid_at <= threshold;
        left -= usize::from(forget);
        !forget
    });
}
