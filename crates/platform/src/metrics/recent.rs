//! What the requests of the last hour were like: how many, how long, which failed, which were slow.
//!
//! Time is cut into slots of five seconds that are used again an hour later. Recording touches counters only and never
//! waits. Who records at the very moment a slot is cleared may be counted in neither hour, which is none of anybody's
//! worries.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use stoa_kernel::Timestamp;

use super::buckets::{Buckets, Counts};

/// The longest window that can be asked for.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(1);

const SLOT_MICROS: i64 = 5_000_000;
const SLOTS: i64 = 720;
/// Slow requests that are remembered.
const SLOW: usize = 100;
/// Endpoints that a summary names.
const TOP: usize = 10;

/// The last hour.
pub struct Recent {
    slots: Box<[Slot]>,
    endpoints: Mutex<Vec<Arc<Endpoint>>>,
    slow: Mutex<VecDeque<SlowRequest>>,
}

/// Five seconds of all requests.
#[derive(Default)]
struct Slot {
    turn: Turn,
    requests: AtomicU32,
    failed: AtomicU32,
    slow: AtomicU32,
    micros: AtomicU64,
    times: OnceLock<Buckets>,
}

/// Which five seconds a slot stands for at present.
#[derive(Default)]
struct Turn {
    number: AtomicI64,
    clearing: Mutex<()>,
}

impl Turn {
    /// Whether the slot stands for `number`, after `clear` has made it do so if it stood for an earlier one.
    fn is_now(&self, number: i64, clear: impl FnOnce()) -> bool {
        if self.number.load(Ordering::Acquire) < number {
            let _alone = self.clearing.lock();
            if self.number.load(Ordering::Acquire) < number {
                clear();
                self.number.store(number, Ordering::Release);
            }
        }
        self.number.load(Ordering::Acquire) == number
    }

    fn is_within(&self, window: Window) -> bool {
        let number = self.number.load(Ordering::Acquire);
        (window.first..=window.last).contains(&number)
    }
}

#[derive(Clone, Copy)]
struct Window {
    first: i64,
    last: i64,
}

impl Window {
    fn ending(now: Timestamp, length: Duration) -> Self {
        let last = number_of(now);
        let micros = i64::try_from(length.min(LONGEST_WINDOW).as_micros()).unwrap_or(i64::MAX);
        Self { first: last - (micros / SLOT_MICROS).max(1) + 1, last }
    }
}

fn number_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(SLOT_MICROS)
}

fn place_of(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SLOTS)).unwrap_or(0)
}

/// A method on a route, with what the last hour brought to it.
pub struct Endpoint {
    method: &'static str,
    route: Arc<str>,
    slots: Box<[EndpointSlot]>,
}

#[derive(Default)]
struct EndpointSlot {
    turn: Turn,
    requests: AtomicU32,
    micros: AtomicU64,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// When.
    pub at: Timestamp,
    /// After how long.
    pub took: Duration,
    /// Whether the fault was ours.
    pub failed: bool,
    /// Whether it took longer than it should.
    pub slow: bool,
}

/// A request that took longer than it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlowRequest {
    /// When it was answered.
    pub at: Timestamp,
    /// The id under which the log knows it.
    pub request_id: String,
    /// Its method.
    pub method: &'static str,
    /// The route it matched, never the address itself.
    pub route: Arc<str>,
    /// The status of its answer.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

/// What the requests of a window were like.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub requests: u64,
    /// How many failed by our fault.
    pub failed: u64,
    /// How many took longer than they should.
    pub slow: u64,
    /// The average time.
    pub average: Duration,
    /// The time that half of them did not exceed.
    pub p50: Duration,
    /// The same of 95 in a hundred.
    pub p95: Duration,
    /// The same of 99 in a hundred.
    pub p99: Duration,
    /// The busiest endpoints, the busiest first.
    pub top: Vec<EndpointSummary>,
}

/// One endpoint in a [`Summary`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointSummary {
    /// Its method.
    pub method: &'static str,
    /// Its route.
    pub route: Arc<str>,
    /// How many requests it had.
    pub requests: u64,
    /// Their average time.
    pub average: Duration,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            endpoints: Mutex::default(),
            slow: Mutex::default(),
        }
    }
}

impl Recent {
    /// An endpoint to record by. Ask once for each: they are kept for good.
    pub fn endpoint(&self, method: &'static str, route: Arc<str>) -> Arc<Endpoint> {
        let slots = (0..SLOTS).map(|_| EndpointSlot::default()).collect();
        let endpoint = Arc::new(Endpoint { method, route, slots });
        self.endpoints.lock().push(Arc::clone(&endpoint));
        endpoint
    }

    /// Counts a request.
    pub fn record(&self, endpoint: &Endpoint, finished: Finished) {
        let number = number_of(finished.at);
        let micros = u64::try_from(finished.took.as_micros()).unwrap_or(u64::MAX);
        if let Some(slot) = self.slots.get(place_of(number)) {
            slot.record(number, micros, finished);
        }
        if let Some(slot) = endpoint.slots.get(place_of(number)) {
            slot.record(number, micros);
        }
    }

    /// Remembers a slow request, and forgets the oldest when there are many.
    pub fn remember(&self, request: SlowRequest) {
        let mut slow = self.slow.lock();
        if slow.len() >= SLOW {
            slow.pop_front();
        }
        slow.push_back(request);
    }

    /// The latest slow requests, the latest first.
    pub fn slow_requests(&self, limit: usize) -> Vec<SlowRequest> {
        self.slow.lock().iter().rev().take(limit).cloned().collect()
    }

    /// What the requests of the last `window` were like, in steps of five seconds.
    pub fn summary(&self, now: Timestamp, window: Duration) -> Summary {
        let window = Window::ending(now, window);
        let mut summary = Summary::default();
        let (mut micros, mut times) = (0_u64, Counts::default());
        for slot in self.slots.iter().filter(|slot| slot.turn.is_within(window)) {
            summary.requests += u64::from(slot.requests.load(Ordering::Relaxed));
            summary.failed += u64::from(slot.failed.load(Ordering::Relaxed));
            summary.slow += u64::from(slot.slow.load(Ordering::Relaxed));
            micros = micros.saturating_add(slot.micros.load(Ordering::Relaxed));
            if let Some(counted) = slot.times.get() {
                counted.add_to(&mut times);
            }
        }
        summary.average = average(micros, summary.requests);
        (summary.p50, summary.p95, summary.p99) =
            (times.quantile(50), times.quantile(95), times.quantile(99));
        summary.top = self.top(window);
        summary
    }

    fn top(&self, window: Window) -> Vec<EndpointSummary> {
        let endpoints = self.endpoints.lock().clone();
        let mut top: Vec<_> = endpoints.iter().filter_map(|endpoint| endpoint.summary(window)).collect();
        top.sort_by(|a, b| {
            Reverse(a.requests)
                .cmp(&Reverse(b.requests))
                .then_with(|| (&a.route, a.method).cmp(&(&b.route, b.method)))
        });
        top.truncate(TOP);
        top
    }
}

impl Slot {
    fn record(&self, number: i64, micros: u64, finished: Finished) {
        if !self.turn.is_now(number, || self.clear()) {
            return;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.times.get_or_init(Buckets::default).count(finished.took);
        if finished.failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if finished.slow {
            self.slow.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn clear(&self) {
        for count in [&self.requests, &self.failed, &self.slow] {
            count.store(0, Ordering::Relaxed);
        }
        self.micros.store(0, Ordering::Relaxed);
        if let Some(times) = self.times.get() {
            times.clear();
        }
    }
}

impl EndpointSlot {
    fn record(&self, number: i64, micros: u64) {
        let clear = || {
            self.requests.store(0, Ordering::Relaxed);
            self.micros.store(0, Ordering::Relaxed);
        };
        if self.turn.is_now(number, clear) {
            self.requests.fetch_add(1, Ordering::Relaxed);
            self.micros.fetch_add(micros, Ordering::Relaxed);
        }
    }
}

impl Endpoint {
    fn summary(&self, window: Window) -> Option<EndpointSummary> {
        let (mut requests, mut micros) = (0_u64, 0_u64);
        for slot in self.slots.iter().filter(|slot| slot.turn.is_within(window)) {
            requests += u64::from(slot.requests.load(Ordering::Relaxed));
            micros = micros.saturating_add(slot.micros.load(Ordering::Relaxed));
        }
        let (method, route) = (self.method, Arc::clone(&self.route));
        (requests > 0).then(|| EndpointSummary {
            method,
            route,
            requests,
            average: average(micros, requests),
        })
    }
}

fn average(micros: u64, requests: u64) -> Duration {
    Duration::from_micros(micros.checked_div(requests).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_768_478_400);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(START.as_seconds() + seconds)
    }

    fn answered(seconds: i64, millis: u64) -> Finished {
        Finished { at: at(seconds), took: Duration::from_millis(millis), failed: false, slow: false }
    }

    #[test]
    fn a_window_holds_what_was_in_it_and_nothing_else() {
        let recent = Recent::default();
        let products = recent.endpoint("GET", "/api/products".into());
        let orders = recent.endpoint("POST", "/api/orders".into());
        recent.record(&products, answered(0, 400));
        for second in 600..610 {
            recent.record(&products, answered(second, 10));
        }
        recent.record(&orders, Finished { failed: true, slow: true, ..answered(605, 2_000) });
        let summary = recent.summary(at(610), Duration::from_mins(5));
        assert_eq!((summary.requests, summary.failed, summary.slow), (11, 1, 1));
        assert_eq!(summary.average, Duration::from_micros(2_100_000 / 11));
        assert!(summary.p50 < Duration::from_millis(11) && summary.p99 > Duration::from_millis(1_800));
        let top: Vec<_> = summary.top.iter().map(|top| (top.method, &*top.route, top.requests)).collect();
        assert_eq!(top, [("GET", "/api/products", 10), ("POST", "/api/orders", 1)]);
        assert_eq!(summary.top[0].average, Duration::from_millis(10));
        assert_eq!(recent.summary(at(610), Duration::from_mins(11)).requests, 12);
    }

    #[test]
    fn an_hour_later_the_slots_are_used_again() {
        let recent = Recent::default();
        let endpoint = recent.endpoint("GET", "/".into());
        recent.record(&endpoint, Finished { failed: true, slow: true, ..answered(0, 9) });
        recent.record(&endpoint, answered(3_600, 5));
        let summary = recent.summary(at(3_600), LONGEST_WINDOW);
        assert_eq!((summary.requests, summary.failed, summary.slow), (1, 0, 0));
        assert_eq!(summary.top[0].requests, 1);
        recent.record(&endpoint, answered(0, 9));
        assert_eq!(
            recent.summary(at(3_600), LONGEST_WINDOW).requests,
            1,
            "what comes an hour late is dropped"
        );
        assert_eq!(recent.summary(at(90_000), LONGEST_WINDOW), Summary::default());
    }

    #[test]
    fn only_the_latest_slow_requests_are_remembered() {
        let recent = Recent::default();
        for number in 0..250 {
            let took = Duration::from_secs(2);
            let request_id = number.to_string();
            recent.remember(SlowRequest {
                at: START,
                request_id,
                method: "GET",
                route: "/".into(),
                status: 200,
                took,
            });
        }
        let ids: Vec<_> = recent.slow_requests(2).into_iter().map(|slow| slow.request_id).collect();
        assert_eq!(ids, ["249", "248"]);
        assert_eq!(recent.slow_requests(1_000).len(), SLOW);
    }

    #[test]
    fn threads_that_record_at_once_lose_nothing() {
        let recent = Recent::default();
        let endpoint = recent.endpoint("GET", "/".into());
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| (0..10_000).for_each(|_| recent.record(&endpoint, answered(7, 1))));
            }
        });
        let summary = recent.summary(at(7), Duration::from_secs(5));
        assert_eq!((summary.requests, summary.top[0].requests), (80_000, 80_000));
    }
}
