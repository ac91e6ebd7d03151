//! Rate limits by GCRA, the token bucket that keeps one number per key: when its debt will be paid.
//!
//! A key may do `max` things at once; each then comes back after `window / max`. The rule is ours and not governor's:
//! there a quota is fixed when its limiter is made, no bound exists on the number of keys, keys are owned values, and
//! what remains and when all is free again is not told exactly; around ten lines of arithmetic we would write a
//! clock, a state store and a registry of limiters.

mod buckets;
mod gcra;
mod shared;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use stoa_kernel::Clock;

use self::buckets::Buckets;
pub use self::shared::{Attempt, Judging, SharedCounts, Terms, Verdict};

/// How often something may be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Its name; what is counted under one name counts under no other.
    pub name: &'static str,
    /// How much is allowed at once, and in any `window` on average.
    pub max: u32,
    /// The time in which all of `max` comes back.
    pub window: Duration,
}

/// What was decided about one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// The policy's `max`.
    pub limit: u32,
    /// How many more would be allowed right now.
    pub remaining: u32,
    /// After how long without attempts `remaining` is `limit` again.
    pub reset_after: Duration,
    /// When refused: after how long the next attempt will be allowed.
    pub retry_after: Option<Duration>,
}

/// Counts attempts by policy and key; clones share the counts.
#[derive(Clone)]
pub struct Limits(Option<Arc<Engine>>);

struct Engine {
    buckets: Buckets,
    clock: Clock,
    shared: Option<Shared>,
    /// Refusals by policy: the names are few, and whoever is refused can wait for a short lock.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// Counts that other nodes have as well.
struct Shared {
    counts: Arc<dyn SharedCounts>,
    /// How often this node had to count by itself.
    alone: AtomicU64,
}

impl Limits {
    /// How many keys are remembered at most. Beyond it those that did least are forgotten first.
    pub const MAX_KEYS: usize = 1 << 18;

    /// Limits counted in this process's memory.
    pub fn in_process(clock: Clock) -> Self {
        Self::over(clock, None)
    }

    /// Limits counted for all nodes together, and in this process while the shared counts do not answer.
    pub fn shared(clock: Clock, counts: Arc<dyn SharedCounts>) -> Self {
        Self::over(clock, Some(Shared { counts, alone: AtomicU64::new(0) }))
    }

    fn over(clock: Clock, shared: Option<Shared>) -> Self {
        let buckets = Buckets::new(Self::MAX_KEYS);
        Self(Some(Arc::new(Engine { buckets, clock, shared, refused: Mutex::default() })))
    }

    /// No limits: everything is allowed.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether anything can ever be refused.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Counts one attempt of `key` under `policy` and says whether it is allowed. A refused attempt costs nothing.
    pub async fn check(&self, policy: &Policy, key: &str) -> Decision {
        let Some(engine) = self.0.as_deref() else { return unlimited(policy) };
        let now = u64::try_from(engine.clock.now().as_micros()).unwrap_or(0).saturating_mul(1_000);
        let decision = match &engine.shared {
            None => engine.buckets.check(policy, key, now),
            // Boxed, so that who counts in process carries no place for it.
            Some(shared) => Box::pin(engine.check_with_others(shared, policy, key, now)).await,
        };
        if !decision.allowed {
            *engine.refused.lock().entry(policy.name).or_default() += 1;
        }
        decision
    }

    /// How many attempts this node counted by itself since the start although others share its counts.
    pub fn counted_alone(&self) -> u64 {
        let shared = self.0.as_ref().and_then(|engine| engine.shared.as_ref());
        shared.map_or(0, |shared| shared.alone.load(Ordering::Relaxed))
    }

    /// Whether other nodes share the counts.
    pub fn are_shared(&self) -> bool {
        self.0.as_ref().is_some_and(|engine| engine.shared.is_some())
    }

    /// How many attempts were refused since the start, by policy.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.0.as_ref().map(|engine| engine.refused.lock().clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = match (self.is_on(), self.are_shared()) {
            (false, _) => "off",
            (true, false) => "in process",
            (true, true) => "shared",
        };
        write!(f, "Limits({engine})")
    }
}

impl Engine {
    /// Asks the shared counts and keeps a copy of what they say, so that an outage frees nobody. The copy is never
    /// ahead of the truth: whoever is refused by it would be refused there, and is not asked about.
    async fn check_with_others(&self, shared: &Shared, policy: &Policy, key: &str, now: u64) -> Decision {
        if let Some(refused) = self.buckets.refusal(policy, key, now) {
            return refused;
        }
        let terms = Terms::of(policy);
        let attempt = Attempt { policy: policy.name, key, terms, now };
        let Some(Verdict { allowed, debt }) = shared.counts.take(attempt).await else {
            shared.alone.fetch_add(1, Ordering::Relaxed);
            return self.buckets.check(policy, key, now);
        };
        self.buckets.note(policy, key, now.saturating_add(debt), now);
        if allowed { gcra::allowed(policy, terms, debt) } else { gcra::refused(policy, terms, debt) }
    }
}

fn unlimited(policy: &Policy) -> Decision {
    Decision {
        allowed: true,
        limit: policy.max,
        remaining: policy.max,
        reset_after: Duration::ZERO,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicU32,
        task::{Context, Poll, Waker},
    };

    use stoa_kernel::{ManualClock, Timestamp};

    use super::*;

    /// One comes back every 3 minutes.
    const LOGIN: Policy = Policy { name: "login", max: 5, window: Duration::from_mins(15) };

    fn limits() -> (Limits, ManualClock) {
        let hand = ManualClock::starting_at(Timestamp::from_seconds(1_000_000));
        (Limits::in_process(hand.clock()), hand)
    }

    /// Counted in process, so it never waits.
    fn check(limits: &Limits, policy: &Policy, key: &str) -> Decision {
        let mut checking = std::pin::pin!(limits.check(policy, key));
        match checking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(decision) => decision,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn exhaust(limits: &Limits, key: &str) {
        while check(limits, &LOGIN, key).allowed {}
    }

    #[test]
    fn allows_max_at_once_and_then_says_when() {
        let (limits, _) = limits();
        for remaining in (0..5).rev() {
            let decision = check(&limits, &LOGIN, "bob");
            assert!(decision.allowed);
            assert_eq!((decision.limit, decision.remaining), (5, remaining));
            assert_eq!(decision.retry_after, None);
        }
        let refused = check(&limits, &LOGIN, "bob");
        assert!(!refused.allowed);
        assert_eq!(refused.remaining, 0);
        assert_eq!(refused.retry_after, Some(Duration::from_mins(3)));
        assert_eq!(refused.reset_after, Duration::from_mins(15));
        assert_eq!(limits.refused(), BTreeMap::from([("login", 1)]));
    }

    #[test]
    fn comes_back_bit_by_bit() {
        let (limits, hand) = limits();
        exhaust(&limits, "bob");
        hand.advance(Duration::from_secs(179));
        assert_eq!(check(&limits, &LOGIN, "bob").retry_after, Some(Duration::from_secs(1)));
        hand.advance(Duration::from_secs(1));
        assert!(check(&limits, &LOGIN, "bob").allowed);
        assert!(!check(&limits, &LOGIN, "bob").allowed);
        hand.advance(Duration::from_mins(15));
        assert_eq!(check(&limits, &LOGIN, "bob").remaining, 4);
    }

    #[test]
    fn keys_and_policies_count_apart() {
        let (limits, _) = limits();
        exhaust(&limits, "bob");
        assert!(check(&limits, &LOGIN, "ann").allowed);
        assert!(check(&limits, &Policy { name: "order", ..LOGIN }, "bob").allowed);
        assert!(!check(&limits, &LOGIN, "bob").allowed);
    }

    #[test]
    fn a_policy_may_change_while_running() {
        let (limits, _) = limits();
        exhaust(&limits, "bob");
        let wider = check(&limits, &Policy { max: 50, ..LOGIN }, "bob");
        assert_eq!(wider.retry_after, Some(Duration::from_secs(18)), "comes back at the new pace at once");
        let stricter = Policy { window: Duration::from_secs(5), ..LOGIN };
        let refused = check(&limits, &stricter, "bob");
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(5), "no debt outlives the new window");
    }

    #[test]
    fn off_allows_all() {
        let limits = Limits::off();
        assert!((0..100).all(|_| check(&limits, &LOGIN, "bob") == check(&limits, &LOGIN, "bob")));
        assert!(check(&limits, &LOGIN, "bob").allowed);
    }

    #[test]
    fn sixty_four_threads_never_get_more_than_max() {
        let (limits, _) = limits();
        let policy = Policy { name: "general", max: 100, window: Duration::from_mins(15) };
        let allowed = AtomicU32::new(0);
        std::thread::scope(|threads| {
            for _ in 0..64 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        let decision = check(&limits, &policy, "203.0.113.7");
                        allowed.fetch_add(u32::from(decision.allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn a_million_keys_are_bounded_and_do_not_free_who_is_refused() {
        let (limits, _) = limits();
        exhaust(&limits, "attacker");
        for n in 0..1_000_000_u32 {
            assert!(check(&limits, &LOGIN, &n.to_string()).allowed);
        }
        let keys = limits.0.as_ref().unwrap().buckets.len();
        assert!(keys <= Limits::MAX_KEYS && keys > Limits::MAX_KEYS / 2, "{keys} keys");
        assert!(!check(&limits, &LOGIN, "attacker").allowed);
    }

    #[test]
    fn keys_whose_debt_is_paid_are_swept() {
        let (limits, hand) = limits();
        for n in 0..400_000_u32 {
            check(&limits, &LOGIN, &n.to_string());
            hand.advance(Duration::from_secs(1));
        }
        let keys = limits.0.as_ref().unwrap().buckets.len();
        assert!(keys < 5_000, "{keys} keys are kept where 180 are in debt");
    }
}
