//! How long messages took: they carry the time when they were said.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::failure::Failure;

const MARK: &[u8] = b"said=";

/// The clock of one process that both says and hears.
pub(crate) struct Stamps(Instant);

impl Stamps {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// This, with the time in it.
    pub(crate) fn stamped(&self, content: &str) -> String {
        format!("{content} said={}", self.0.elapsed().as_micros())
    }

    /// How long ago the message was said, if it carries a time.
    pub(crate) fn since(&self, message: &[u8]) -> Option<Duration> {
        let mark = message.windows(MARK.len()).position(|part| part == MARK)?;
        let digits = message.get(mark + MARK.len()..)?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let micros = std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
        self.0.elapsed().checked_sub(Duration::from_micros(micros))
    }
}

/// Times that several listeners note.
#[derive(Default)]
pub(crate) struct Latencies(Mutex<Vec<Duration>>);

impl Latencies {
    pub(crate) fn note(&self, latency: Duration) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(latency);
    }

    pub(crate) fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// What half of them and 99 of 100 stay below.
pub(crate) struct Percentiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Percentiles {
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Result<Self, Failure> {
        latencies.sort_unstable();
        let at = |share: usize| {
            latencies
                .get(latencies.len() * share / 100)
                .copied()
                .ok_or_else(|| Failure::new("nothing was heard"))
        };
        Ok(Self { p50: at(50)?, p99: at(99)? })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        write!(f, "p50 {:.1} ms, p99 {:.1} ms", millis(self.p50), millis(self.p99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_when_it_was_said() {
        let stamps = Stamps(Instant::now().checked_sub(Duration::from_secs(3)).unwrap());
        let message =
            format!("42[\"new-message\",{{\"content\":\"{}\",\"seq\":9}}]", stamps.stamped("Hello"));
        assert!(stamps.since(message.as_bytes()).unwrap() < Duration::from_secs(3));
        assert!(stamps.since(b"said=1000000\"").unwrap() >= Duration::from_secs(2));
        assert_eq!(stamps.since(b"no time"), None);
        assert_eq!(stamps.since(b"said=never"), None);
        assert_eq!(stamps.since(b"said=99999999999999"), None, "not said yet");
    }

    #[test]
    fn percentiles_are_of_what_was_heard() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let found = Percentiles::of(latencies).unwrap();
        assert_eq!(found.to_string(), "p50 101.0 ms, p99 199.0 ms");
        assert!(Percentiles::of(Vec::new()).is_err());
    }
}
