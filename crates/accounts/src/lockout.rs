//! When an identifier has failed too often: ten times in fifteen minutes lock it for fifteen.

use std::time::Duration;

use stoa_kernel::Timestamp;

const MOST_FAILURES: usize = 10;
const WINDOW: Duration = Duration::from_mins(15);
/// How long a locked identifier stays locked.
pub(crate) const LOCKED_FOR: Duration = Duration::from_mins(15);
/// After how long failures mean nothing any more.
pub(crate) const FORGOTTEN_AFTER: Duration = WINDOW;

/// The moments at which an identifier failed lately.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Failures(Vec<i64>);

impl Failures {
    /// From the stored JSON; what cannot be read counts as nothing.
    pub(crate) fn read(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_default())
    }

    /// As it is stored.
    pub(crate) fn write(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "[]".into())
    }

    /// Notes one more failure. True when it was one too many; then the count begins anew.
    pub(crate) fn note(&mut self, now: Timestamp) -> bool {
        let forgotten = (now - WINDOW).as_micros();
        self.0.retain(|at| *at > forgotten);
        self.0.push(now.as_micros());
        let locks = self.0.len() >= MOST_FAILURES;
        if locks {
            self.0.clear();
        }
        locks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: &mut Failures, times: usize, now: Timestamp) -> bool {
        (0..times).fold(false, |_, _| failures.note(now))
    }

    #[test]
    fn the_tenth_failure_within_the_window_locks() {
        let mut failures = Failures::default();
        let start = Timestamp::from_seconds(1_000_000);
        assert!(!after(&mut failures, 9, start));
        assert!(after(&mut failures, 1, start + WINDOW - Duration::from_micros(1)));
        assert!(!after(&mut failures, 9, start + WINDOW), "the count begins anew");
    }

    #[test]
    fn the_window_slides() {
        let mut failures = Failures::default();
        let start = Timestamp::from_seconds(1_000_000);
        assert!(!after(&mut failures, 5, start));
        assert!(!after(&mut failures, 4, start + Duration::from_mins(10)));
        assert!(!after(&mut failures, 5, start + WINDOW), "the first five are forgotten");
        assert!(after(&mut failures, 1, start + WINDOW));
    }

    #[test]
    fn survives_storage() {
        let mut failures = Failures::default();
        failures.note(Timestamp::from_seconds(5));
        assert_eq!(Failures::read(&failures.write()), failures);
        assert_eq!(Failures::read("nonsense"), Failures::default());
    }
}
