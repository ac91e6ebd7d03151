//! How many messages a client may send in a second.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that holds a second's worth and fills evenly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// When all that was taken will have been given back.
    paid_at: Option<Instant>,
}

impl Pace {
    /// Full.
    pub fn new() -> Self {
        Self { paid_at: None }
    }

    /// Whether one more may come at `now`, of `per_second`.
    pub fn allows(&mut self, per_second: u32, now: Instant) -> bool {
        let paid_at =
            self.paid_at.map_or(now, |paid_at| paid_at.max(now)) + Duration::from_secs(1) / per_second.max(1);
        let allowed = paid_at - now <= Duration::from_secs(1);
        if allowed {
            self.paid_at = Some(paid_at);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_may_come_at_once_and_then_evenly() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        assert!((0..10).all(|_| pace.allows(10, start)));
        assert!(!pace.allows(10, start));
        assert!(!pace.allows(10, start + Duration::from_millis(99)));
        assert!(pace.allows(10, start + Duration::from_millis(100)));
        assert!(!pace.allows(10, start + Duration::from_millis(100)));
        assert!((0..10).all(|_| pace.allows(10, start + Duration::from_secs(5))));
    }
}
