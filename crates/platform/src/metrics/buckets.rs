//! Times counted in buckets that grow with them: eight to each doubling, so that a quantile is at most 6 % off.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Buckets to a doubling, as bits.
const FINENESS: u32 = 3;
const PER_DOUBLING: u64 = 1 << FINENESS;
/// From a microsecond to over a minute; what takes longer is counted in the last.
const BUCKETS: usize = 200;

/// Counts of times.
pub(super) struct Buckets(Box<[AtomicU32]>);

impl Default for Buckets {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Buckets {
    pub(super) fn count(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.0.get(bucket_of(micros)).or(self.0.last()) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        for bucket in &self.0 {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn add_to(&self, counts: &mut Counts) {
        for (sum, bucket) in counts.0.iter_mut().zip(&self.0) {
            *sum += u64::from(bucket.load(Ordering::Relaxed));
        }
    }
}

/// The sum of several [`Buckets`].
pub(super) struct Counts(Vec<u64>);

impl Default for Counts {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Counts {
    /// The time that `percent` of all do not exceed; zero when nothing was counted.
    pub(super) fn quantile(&self, percent: u64) -> Duration {
        let total: u64 = self.0.iter().sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut passed = 0;
        for (bucket, count) in (0_u64..).zip(&self.0) {
            passed += count;
            if passed >= rank {
                return Duration::from_micros(middle_of(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < PER_DOUBLING {
        return usize::try_from(micros).unwrap_or(0);
    }
    let doublings = u64::from(micros.ilog2() - FINENESS);
    let part = (micros >> doublings) & (PER_DOUBLING - 1);
    usize::try_from((doublings + 1) * PER_DOUBLING + part).unwrap_or(usize::MAX)
}

fn middle_of(bucket: u64) -> u64 {
    if bucket < PER_DOUBLING {
        return bucket;
    }
    let (doublings, part) = (bucket / PER_DOUBLING - 1, bucket % PER_DOUBLING);
    let width = 1 << doublings;
    (PER_DOUBLING + part) * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_six_percent_off() {
        let buckets = Buckets::default();
        for millis in 1..=1_000 {
            buckets.count(Duration::from_millis(millis));
        }
        let mut counts = Counts::default();
        buckets.add_to(&mut counts);
        for percent in [1, 50, 95, 99, 100] {
            let exact = u128::from(percent) * 10_000;
            let told = counts.quantile(percent).as_micros();
            assert!(told.abs_diff(exact) * 100 <= exact * 7, "{percent} %: {told} for {exact}");
        }
    }

    #[test]
    fn buckets_follow_on_each_other_without_a_gap() {
        let mut last = 0;
        for micros in 0..200_000 {
            let bucket = bucket_of(micros);
            assert!(bucket == last || bucket == last + 1, "{micros} jumps from {last} to {bucket}");
            let middle = middle_of(bucket as u64);
            assert!(middle.abs_diff(micros) * 16 <= micros.max(16), "{micros} is told as {middle}");
            last = bucket;
        }
    }

    #[test]
    fn nothing_is_zero_and_days_are_the_last_bucket() {
        assert_eq!(Counts::default().quantile(99), Duration::ZERO);
        let buckets = Buckets::default();
        buckets.count(Duration::from_hours(48));
        let mut counts = Counts::default();
        buckets.add_to(&mut counts);
        assert!(counts.quantile(50) > Duration::from_mins(1));
    }
}
