//! The arithmetic of one bucket, without clock or map. Times are nanoseconds since the epoch.

use std::time::Duration;

use super::{Decision, Policy, Terms};

/// Decides one attempt at `now` of a key whose debt is paid at `paid_at`. Answers the new `paid_at` when allowed.
pub(super) fn decide(policy: &Policy, paid_at: u64, now: u64) -> (Option<u64>, Decision) {
    let terms = Terms::of(policy);
    let Terms { interval, burst } = terms;
    // No more than the burst: else a clock set back or a policy that changed would bar a key for long.
    let debt = paid_at.saturating_sub(now).min(burst);
    if policy.max == 0 || debt > burst.saturating_sub(interval) {
        return (None, refused(policy, terms, debt));
    }
    let owed = debt + interval;
    (Some(now.saturating_add(owed)), allowed(policy, terms, owed))
}

impl Terms {
    /// The terms of a policy.
    pub(super) fn of(policy: &Policy) -> Self {
        // Rounded up: a key never gets its right back too early.
        let interval = nanos(policy.window).div_ceil(u64::from(policy.max.max(1)));
        Self { interval, burst: interval.saturating_mul(u64::from(policy.max)) }
    }
}

/// What a key hears that now owes `owed`.
pub(super) fn allowed(policy: &Policy, terms: Terms, owed: u64) -> Decision {
    let Terms { interval, burst } = terms;
    let remaining = burst.saturating_sub(owed).checked_div(interval).unwrap_or(u64::from(policy.max));
    let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
    decision(policy, remaining, owed, None)
}

/// What a key hears that owes `debt`, which is too much for one more.
pub(super) fn refused(policy: &Policy, terms: Terms, debt: u64) -> Decision {
    let Terms { interval, burst } = terms;
    let bearable = burst.saturating_sub(interval);
    // With a max of zero nothing is ever owed and nothing ever allowed; the window is as good a wait as any.
    let wait = if policy.max == 0 { interval } else { debt.saturating_sub(bearable) };
    decision(policy, 0, debt, Some(Duration::from_nanos(wait)))
}

fn decision(policy: &Policy, remaining: u32, debt: u64, retry_after: Option<Duration>) -> Decision {
    Decision {
        allowed: retry_after.is_none(),
        limit: policy.max,
        remaining,
        reset_after: Duration::from_nanos(debt),
        retry_after,
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn policy(max: u32, window: Duration) -> Policy {
        Policy { name: "test", max, window }
    }

    fn allowed(policy: &Policy, attempts: impl Iterator<Item = u64>) -> u32 {
        let (mut paid_at, mut allowed) = (0, 0);
        for now in attempts {
            if let (Some(next), _) = decide(policy, paid_at, now) {
                paid_at = next;
                allowed += 1;
            }
        }
        allowed
    }

    #[test]
    fn an_odd_share_of_the_window_never_allows_one_too_many() {
        let ten_windows = (NOW..NOW + 10_000_000_000).step_by(1_000);
        let seven = policy(7, Duration::from_secs(1));
        assert_eq!(
            allowed(&seven, ten_windows),
            7 + 69,
            "the burst, and one after each seventh but the last"
        );

        // A third of ten nanoseconds is three and a bit: the third one comes back after the window, not within.
        let (three, at_once) = (policy(3, Duration::from_nanos(10)), std::iter::repeat_n(NOW, 3));
        assert_eq!(allowed(&three, at_once.chain(NOW..NOW + 10)), 3 + 2);
    }

    #[test]
    fn a_max_of_zero_refuses_all() {
        let (next, decision) = decide(&policy(0, Duration::from_mins(1)), 0, NOW);
        assert_eq!(next, None);
        assert_eq!(decision.retry_after, Some(Duration::from_mins(1)));
        assert!(!decide(&policy(0, Duration::ZERO), 0, NOW).1.allowed);
    }

    #[test]
    fn a_window_of_zero_limits_nothing() {
        let (_, decision) = decide(&policy(3, Duration::ZERO), 0, NOW);
        assert!(decision.allowed);
        assert_eq!(decision.remaining, 3);
    }

    #[test]
    fn a_clock_set_back_bars_nobody_for_longer_than_the_window() {
        let policy = policy(5, Duration::from_mins(15));
        let a_day = 86_400_000_000_000;
        let (_, decision) = decide(&policy, NOW, NOW - a_day);
        assert_eq!(decision.retry_after, Some(Duration::from_mins(3)));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let endless = policy(u32::MAX, Duration::MAX);
        assert!(!decide(&endless, u64::MAX, 0).1.allowed);
        assert_eq!(decide(&endless, 0, u64::MAX).0, Some(u64::MAX));
        let (_, decision) = decide(&policy(u32::MAX, Duration::from_secs(1)), 0, NOW);
        assert!(decision.allowed);
    }
}
