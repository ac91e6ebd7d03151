//! How much memory the process and the machine use, and whether that of the process grows. Read from `/proc`; where
//! there is none it is not known.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use stoa_kernel::Timestamp;

/// Samples that are kept: an hour of them at one every half minute.
const SAMPLES: usize = 120;
/// Growth over less time than this says nothing.
const SHORTEST: Duration = Duration::from_mins(5);

/// The memory of this process, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessMemory {
    /// What is resident.
    pub rss: u64,
    /// What of it the process asked for itself: heap and stacks, without files and code that are mapped.
    pub heap: u64,
}

impl ProcessMemory {
    /// As it is now.
    pub fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/status").ok()?;
        Some(Self { rss: kibibytes(&text, "VmRSS:")?, heap: kibibytes(&text, "RssAnon:")? })
    }
}

/// The memory of the machine, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemMemory {
    /// All of it.
    pub total: u64,
    /// What can be had without swapping.
    pub available: u64,
}

impl SystemMemory {
    /// As it is now.
    pub fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        Some(Self { total: kibibytes(&text, "MemTotal:")?, available: kibibytes(&text, "MemAvailable:")? })
    }

    /// How much of a hundred is in use.
    pub fn usage_percent(&self) -> f64 {
        let used = self.total.saturating_sub(self.available);
        if self.total == 0 { 0.0 } else { float(used) * 100.0 / float(self.total) }
    }
}

/// A line like `VmRSS:    12345 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// Samples of the last hour, and how fast they grow.
#[derive(Debug, Default)]
pub struct Growth(Mutex<VecDeque<(Timestamp, u64)>>);

impl Growth {
    /// Keeps a sample.
    pub fn sample(&self, now: Timestamp, bytes: u64) {
        let mut samples = self.0.lock();
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back((now, bytes));
    }

    /// Bytes an hour by the line that lies closest to all samples; unknown until they span five minutes.
    pub fn per_hour(&self) -> Option<f64> {
        let samples = self.0.lock();
        let ((first, base), (last, _)) = (*samples.front()?, *samples.back()?);
        if last.since(first) < SHORTEST {
            return None;
        }
        let points = samples.iter().map(|(at, bytes)| {
            let hours = at.since(first).as_secs_f64() / 3_600.0;
            (hours, float(*bytes) - float(base))
        });
        let (mut count, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (hours, bytes) in points {
            count += 1.0;
            x += hours;
            y += bytes;
            xx += hours * hours;
            xy += hours * bytes;
        }
        let spread = count * xx - x * x;
        (spread > 0.0).then(|| (count * xy - x * y) / spread)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no machine has so many bytes that some of them matter")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_the_samples() {
        let growth = Growth::default();
        for minute in 0..4 {
            growth.sample(Timestamp::from_seconds(minute * 60), 1_000_000);
        }
        assert_eq!(growth.per_hour(), None, "three minutes say nothing");
        let growth = Growth::default();
        for minute in 0_u32..300 {
            let zigzag = if minute % 2 == 0 { 10 } else { 0 };
            growth
                .sample(Timestamp::from_seconds(i64::from(minute) * 60), u64::from(minute) * 1_000 + zigzag);
        }
        let slope = growth.per_hour().unwrap();
        assert!((slope - 60_000.0).abs() < 10.0, "{slope}");
        assert_eq!(growth.0.lock().len(), SAMPLES);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_both() {
        let (process, system) = (ProcessMemory::read().unwrap(), SystemMemory::read().unwrap());
        assert!(process.heap > 0 && process.heap <= process.rss && process.rss < system.total);
        assert!((0.0..=100.0).contains(&system.usage_percent()));
    }
}
