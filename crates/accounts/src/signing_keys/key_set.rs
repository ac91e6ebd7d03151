//! The signing keys that there are, and what each is good for at a moment: rules on values, no database.
//!
//! ```text
//! made            signs                          its successor signs      the last token it signed runs out
//!   │── LEAD ──────▶│────────── rotation ──────────▶│──────── longest life ──────▶│
//!   ╰─ published and verifying ──────────────────────────────────────────────────╯  deleted
//! ```

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use stoa_kernel::Timestamp;

use super::key_pair::{KeptPair, PublicKey, Seal};
use crate::tokens::Signer;

/// A row of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeptKey {
    pub(crate) generation: i64,
    pub(crate) pair: KeptPair,
    pub(crate) created_at: Timestamp,
    pub(crate) signs_from: Timestamp,
    /// Set when there is a successor, or when nobody signs with keys any more.
    pub(crate) verifies_until: Option<Timestamp>,
}

/// A key, ready for use.
pub(crate) struct SigningKey {
    kept: KeptKey,
    signer: Option<Signer>,
    verifier: Option<DecodingKey>,
}

/// All keys as they were at one moment, the latest first.
pub(crate) struct KeySet {
    read_at: Option<Timestamp>,
    keys: Vec<SigningKey>,
}

impl KeySet {
    /// Nothing, not even the knowledge that there is nothing.
    pub(super) const fn unread() -> Self {
        Self { read_at: None, keys: Vec::new() }
    }

    /// The keys of the table, as read at this moment, the latest first.
    pub(super) fn of(kept: Vec<KeptKey>, seal: &Seal, read_at: Timestamp) -> Self {
        let keys = kept.into_iter().map(|kept| SigningKey {
            signer: kept.pair.signer(seal),
            verifier: kept.pair.verifier(),
            kept,
        });
        Self { read_at: Some(read_at), keys: keys.collect() }
    }

    /// Whether this was read less than `age` ago.
    pub(super) fn is_younger(&self, age: Duration, now: Timestamp) -> bool {
        self.read_at.is_some_and(|read_at| now.since(read_at) < age)
    }

    /// Whether this is as fresh as the other or fresher.
    pub(super) fn is_as_fresh_as(&self, other: &Self) -> bool {
        self.read_at >= other.read_at
    }

    /// What signs now: the latest key whose time has come. A key that was made to sign at once does so also where the
    /// clock is a little behind. One that nobody could verify for as long as a token lives signs no more.
    pub(super) fn signer(&self, now: Timestamp, longest_life: Duration) -> Option<&Signer> {
        let verifies =
            |key: &&SigningKey| key.kept.verifies_until.is_none_or(|until| until >= now + longest_life);
        let able = || self.keys.iter().filter(verifies);
        let due = able().find_map(|key| key.signer.as_ref().filter(|_| key.kept.signs_from <= now));
        due.or_else(|| able().rev().find_map(|key| key.signer.as_ref()))
    }

    /// What verifies what the key of this name signed.
    pub(super) fn verifier(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|key| key.kept.pair.kid == kid)?.verifier.as_ref()
    }

    /// The public parts that verifiers outside need now.
    pub(super) fn published(&self, now: Timestamp) -> Vec<PublicKey> {
        let needed = |key: &&SigningKey| key.kept.verifies_until.is_none_or(|until| until > now);
        self.keys.iter().filter(needed).map(|key| key.kept.pair.published()).collect()
    }

    /// Until when tokens signed by the secret may still be about, if keys sign now: they were given out before the first
    /// key was there. `None` without keys.
    pub(super) fn secret_verifies_until(&self, longest_life: Duration) -> Option<Timestamp> {
        self.keys.iter().map(|key| key.kept.created_at).min().map(|first| first + longest_life)
    }

    /// The number of the latest key; 0 without any.
    pub(super) fn generation(&self) -> i64 {
        self.keys.first().map_or(0, |key| key.kept.generation)
    }

    /// Whether it is time to publish a successor, which will sign `lead` later.
    pub(super) fn wants_successor(&self, now: Timestamp, rotation: Duration, lead: Duration) -> bool {
        let latest = self.keys.iter().find(|key| key.signer.is_some() && key.kept.verifies_until.is_none());
        latest.is_none_or(|latest| latest.kept.signs_from + rotation <= now + lead)
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Random;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const LIFE: Duration = Duration::from_mins(15);
    const LEAD: Duration = Duration::from_mins(30);
    const DAY: Duration = Duration::from_hours(24);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + minutes * 60)
    }

    fn kept(generation: i64, signs_from: i64, verifies_until: Option<i64>, secret: &[u8]) -> KeptKey {
        let pair = KeptPair::new(&Seal::of(secret).unwrap(), &Random::system()).unwrap();
        let (created_at, signs_from) = (at(signs_from) - LEAD, at(signs_from));
        KeptKey { generation, pair, created_at, signs_from, verifies_until: verifies_until.map(at) }
    }

    fn set(mut keys: Vec<KeptKey>) -> KeySet {
        keys.sort_by_key(|key| -key.generation);
        KeySet::of(keys, &Seal::of(SECRET).unwrap(), at(0))
    }

    fn signs(set: &KeySet, minutes: i64) -> Option<&str> {
        set.signer(at(minutes), LIFE)?.kid()
    }

    #[test]
    fn a_key_signs_from_its_time_until_the_next_does() {
        let (first, second) = (kept(1, 0, Some(115), SECRET), kept(2, 100, None, SECRET));
        let (one, two) = (first.pair.kid.clone(), second.pair.kid.clone());
        let set = set(vec![first, second]);
        for (minute, kid) in [(0, &one), (99, &one), (100, &two), (5_000, &two)] {
            assert_eq!(signs(&set, minute), Some(kid.as_str()), "{minute}");
        }
        assert_eq!(signs(&set, -1), Some(one.as_str()), "on a clock that is behind");
        assert!(set.verifier(&one).is_some() && set.verifier(&two).is_some() && set.verifier("x").is_none());
        assert_eq!(set.published(at(114)).len(), 2);
        assert_eq!(set.published(at(115)).len(), 1);
    }

    #[test]
    fn keys_that_were_retired_or_sealed_by_another_secret_do_not_sign() {
        let retired = set(vec![kept(1, 0, Some(15), SECRET)]);
        assert!(signs(&retired, 0).is_some() && signs(&retired, 1).is_none());
        assert!(retired.wants_successor(at(1), DAY, LEAD));
        let foreign = kept(1, 0, None, b"another secret that is long enough");
        let kid = foreign.pair.kid.clone();
        let foreign = set(vec![foreign]);
        assert!(signs(&foreign, 1).is_none() && foreign.verifier(&kid).is_some());
        assert!(foreign.wants_successor(at(1), DAY, LEAD));
    }

    #[test]
    fn a_successor_is_published_before_it_is_needed() {
        let set = set(vec![kept(1, 0, None, SECRET)]);
        let due = 24 * 60 - 30;
        assert!(!set.wants_successor(at(due) - Duration::from_micros(1), DAY, LEAD));
        assert!(set.wants_successor(at(due), DAY, LEAD));
        assert!(KeySet::unread().wants_successor(at(0), DAY, LEAD));
    }

    #[test]
    fn the_secret_verifies_as_long_as_what_it_signed_may_live() {
        assert_eq!(KeySet::unread().secret_verifies_until(LIFE), None);
        let set = set(vec![kept(2, 100, None, SECRET), kept(1, 30, Some(115), SECRET)]);
        assert_eq!(set.secret_verifies_until(LIFE), Some(at(15)));
    }
}
