//! Rate limits by GCRA, the token bucket that keeps one number per key: when its debt will be paid.
//!
//! A key may do `max` things at once; each then comes back after `window / max`. The rule is ours and not governor's:
//! there a quota is fixed when its limiter is made, no bound exists on the number of keys, keys are owned values, and
//! what remains and when all is free again is not told exactly; around ten lines of arithmetic we would write a
//! clock, a state store and a registry of limiters.

mod buckets;
mod gcra;

use std::{fmt, sync::Arc, time::Duration};

use stoa_kernel::Clock;

use self::buckets::Buckets;

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
pub struct Limits(Option<Arc<InProcess>>);

struct InProcess {
    buckets: Buckets,
    clock: Clock,
}

impl Limits {
    /// How many keys are remembered at most. Beyond it those that did least are forgotten first.
    pub const MAX_KEYS: usize = 1 << 18;

    /// Limits counted in this process's memory.
    pub fn in_process(clock: Clock) -> Self {
        Self(Some(Arc::new(InProcess { buckets: Buckets::new(Self::MAX_KEYS), clock })))
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
    pub fn check(&self, policy: &Policy, key: &str) -> Decision {
        match &self.0 {
            Some(engine) => engine.buckets.check(policy, key, engine.clock.now()),
            None => Decision {
                allowed: true,
                limit: policy.max,
                remaining: policy.max,
                reset_after: Duration::ZERO,
                retry_after: None,
            },
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limits({})", if self.is_on() { "in process" } else { "off" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use stoa_kernel::{ManualClock, Timestamp};

    use super::*;

    /// One comes back every 3 minutes.
    const LOGIN: Policy = Policy { name: "login", max: 5, window: Duration::from_mins(15) };

    fn limits() -> (Limits, ManualClock) {
        let hand = ManualClock::starting_at(Timestamp::from_seconds(1_000_000));
        (Limits::in_process(hand.clock()), hand)
    }

    fn exhaust(limits: &Limits, key: &str) {
        while limits.check(&LOGIN, key).allowed {}
    }

    #[test]
    fn allows_max_at_once_and_then_says_when() {
        let (limits, _) = limits();
        for remaining in (0..5).rev() {
            let decision = limits.check(&LOGIN, "bob");
            assert!(decision.allowed);
            assert_eq!((decision.limit, decision.remaining), (5, remaining));
            assert_eq!(decision.retry_after, None);
        }
        let refused = limits.check(&LOGIN, "bob");
        assert!(!refused.allowed);
        assert_eq!(refused.remaining, 0);
        assert_eq!(refused.retry_after, Some(Duration::from_mins(3)));
        assert_eq!(refused.reset_after, Duration::from_mins(15));
    }

    #[test]
    fn comes_back_bit_by_bit() {
        let (limits, hand) = limits();
        exhaust(&limits, "bob");
        hand.advance(Duration::from_secs(179));
        assert_eq!(limits.check(&LOGIN, "bob").retry_after, Some(Duration::from_secs(1)));
        hand.advance(Duration::from_secs(1));
        assert!(limits.check(&LOGIN, "bob").allowed);
        assert!(!limits.check(&LOGIN, "bob").allowed);
        hand.advance(Duration::from_mins(15));
        assert_eq!(limits.check(&LOGIN, "bob").remaining, 4);
    }

    #[test]
    fn keys_and_policies_count_apart() {
        let (limits, _) = limits();
        exhaust(&limits, "bob");
        assert!(limits.check(&LOGIN, "ann").allowed);
        assert!(limits.check(&Policy { name: "order", ..LOGIN }, "bob").allowed);
        assert!(!limits.check(&LOGIN, "bob").allowed);
    }

    #[test]
    fn a_policy_may_change_while_running() {
        let (limits, _) = limits();
        exhaust(&limits, "bob");
        let wider = limits.check(&Policy { max: 50, ..LOGIN }, "bob");
        assert_eq!(wider.retry_after, Some(Duration::from_secs(18)), "comes back at the new pace at once");
        let stricter = Policy { window: Duration::from_secs(5), ..LOGIN };
        let refused = limits.check(&stricter, "bob");
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(5), "no debt outlives the new window");
    }

    #[test]
    fn off_allows_all() {
        let limits = Limits::off();
        assert!((0..100).all(|_| limits.check(&LOGIN, "bob") == limits.check(&LOGIN, "bob")));
        assert!(limits.check(&LOGIN, "bob").allowed);
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
                        let decision = limits.check(&policy, "203.0.113.7");
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
            assert!(limits.check(&LOGIN, &n.to_string()).allowed);
        }
        let keys = limits.0.as_ref().unwrap().buckets.len();
        assert!(keys <= Limits::MAX_KEYS && keys > Limits::MAX_KEYS / 2, "{keys} keys");
        assert!(!limits.check(&LOGIN, "attacker").allowed);
    }

    #[test]
    fn keys_whose_debt_is_paid_are_swept() {
        let (limits, hand) = limits();
        for n in 0..400_000_u32 {
            limits.check(&LOGIN, &n.to_string());
            hand.advance(Duration::from_secs(1));
        }
        let keys = limits.0.as_ref().unwrap().buckets.len();
        assert!(keys < 5_000, "{keys} keys are kept where 180 are in debt");
    }
}
