//! The cache alone: what is found, what is not, who waits, and the promise under real threads.

use std::{
    sync::{Mutex, atomic::AtomicBool},
    time::Duration,
};

use stoa_kernel::ManualClock;
use tokio::{sync::mpsc, task::yield_now};

use super::*;

const SHOES: Tag = Tag::named("shoes");
const HATS: Tag = Tag::named("hats");

fn hand() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_seconds(1_000))
}

fn cache() -> Cache {
    Cache::in_process(Cache::DEFAULT_MAX_BYTES, hand().clock())
}

fn entry(data: impl Into<Bytes>, tags: &[Tag]) -> Entry {
    Entry {
        data: data.into(),
        meta: Bytes::new(),
        etag: "\"1\"".into(),
        tags: tags.into(),
        stored_at: Timestamp::from_seconds(1_000),
        expires_at: Timestamp::from_seconds(1_060),
    }
}

async fn fill(cache: &Cache, key: &str) -> FillGuard {
    match cache.get_or_lock(key).await {
        Lookup::Fill(guard) => guard,
        Lookup::Hit(_) => panic!("{key} was found"),
    }
}

async fn text(cache: &Cache, key: &str) -> Option<Bytes> {
    cache.get(key).await.map(|cached| cached.data.clone())
}

#[tokio::test]
async fn what_is_stored_is_found_until_its_tag_falls() {
    let cache = cache();
    assert!(fill(&cache, "/shoes").await.store(entry("red", &[SHOES])).await);
    cache.invalidate(&[HATS]);
    assert_eq!(text(&cache, "/shoes").await.unwrap(), "red");
    cache.invalidate(&[SHOES]);
    assert_eq!(text(&cache, "/shoes").await, None);
    assert!(fill(&cache, "/shoes").await.store(entry("blue", &[SHOES])).await);
    assert_eq!(text(&cache, "/shoes").await.unwrap(), "blue");
}

#[tokio::test]
async fn a_fill_overtaken_by_an_invalidation_is_not_kept() {
    let cache = cache();
    let guard = fill(&cache, "/shoes").await;
    cache.invalidate(&[SHOES]);
    assert!(!guard.store(entry("old", &[HATS, SHOES])).await);
    assert_eq!(text(&cache, "/shoes").await, None);

    let began = cache.begin();
    cache.invalidate(&[SHOES]);
    assert!(!cache.store("/shoes", began, entry("old", &[SHOES])));
    assert!(cache.store("/shoes", cache.begin(), entry("new", &[SHOES])));
}

#[tokio::test]
async fn what_is_cleared_is_gone_and_what_was_begun_before_it_too() {
    let cache = cache();
    assert!(fill(&cache, "/shoes").await.store(entry("red", &[SHOES])).await);
    let guard = fill(&cache, "/hats").await;
    cache.clear();
    assert_eq!(text(&cache, "/shoes").await, None);
    assert!(!guard.store(entry("old", &[HATS])).await);
    assert!(fill(&cache, "/hats").await.store(entry("new", &[HATS])).await);
    assert_eq!(text(&cache, "/hats").await.unwrap(), "new");
}

#[tokio::test]
async fn an_entry_expires_by_the_given_clock() {
    let hand = hand();
    let cache = Cache::in_process(1 << 20, hand.clock());
    fill(&cache, "/shoes").await.store(entry("red", &[])).await;
    hand.advance(Duration::from_millis(59_999));
    assert!(cache.get("/shoes").await.is_some());
    hand.advance(Duration::from_millis(1));
    assert!(cache.get("/shoes").await.is_none());
}

#[tokio::test]
async fn off_finds_nothing_keeps_nothing_and_lets_nobody_wait() {
    let cache = Cache::off();
    let (first, second) = (fill(&cache, "/shoes").await, fill(&cache, "/shoes").await);
    assert!(!first.store(entry("red", &[])).await);
    assert!(!second.store(entry("red", &[])).await);
    assert!(!cache.store("/shoes", cache.begin(), entry("red", &[])));
    cache.invalidate(&[SHOES]);
    assert!(cache.get("/shoes").await.is_none());
    assert_eq!(cache.stats(), Stats::default());
}

#[tokio::test]
async fn counts_what_happens() {
    let cache = cache();
    let _ = cache.get("/shoes").await;
    fill(&cache, "/shoes").await.store(entry("red", &[])).await;
    let _ = cache.get("/shoes").await;
    assert!(matches!(cache.get_or_lock("/shoes").await, Lookup::Hit(_)));
    assert_eq!(cache.stats(), Stats { hits: 2, misses: 2, fills: 1, ..Stats::default() });
}

#[tokio::test]
async fn memory_stays_under_its_bound() {
    let cache = Cache::in_process(1 << 20, hand().clock());
    for n in 0..1_000 {
        let key = format!("/shoes/{n}");
        cache.store(&key, cache.begin(), entry(vec![0; 10_000], &[SHOES]));
    }
    let room = cache.room();
    assert!((50..=104).contains(&room.entries), "{} entries of 10 kB in 1 MiB", room.entries);
    assert!((500_000..=1 << 20).contains(&room.bytes), "{} bytes", room.bytes);
    assert_eq!(room.evictions + room.entries, 1_000);
}

#[tokio::test]
async fn one_fills_and_the_others_get_what_it_stored() {
    let cache = cache();
    let guard = fill(&cache, "/shoes").await;
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { matches!(cache.get_or_lock("/shoes").await, Lookup::Hit(_)) })
        })
        .collect();
    yield_now().await;
    guard.store(entry("red", &[SHOES])).await;
    for waiter in waiters {
        assert!(waiter.await.unwrap(), "a waiter filled although the answer was there");
    }
    assert_eq!(cache.stats(), Stats { hits: 20, misses: 1, fills: 1, ..Stats::default() });
}

#[tokio::test]
async fn waiters_get_the_answer_even_if_it_is_too_big_to_keep() {
    let cache = Cache::in_process(1_000, hand().clock());
    let guard = fill(&cache, "/shoes").await;
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { matches!(cache.get_or_lock("/shoes").await, Lookup::Hit(_)) }
    });
    yield_now().await;
    guard.store(entry(vec![0; 5_000], &[])).await;
    cache.0.as_ref().unwrap().entries.run_pending_tasks();
    assert!(waiter.await.unwrap());
}

#[tokio::test]
async fn a_fill_given_up_passes_to_one_waiter() {
    let cache = cache();
    let guard = fill(&cache, "/shoes").await;
    let filling = Arc::new(AtomicU64::new(0));
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let (cache, filling) = (cache.clone(), Arc::clone(&filling));
            tokio::spawn(async move {
                if let Lookup::Fill(guard) = cache.get_or_lock("/shoes").await {
                    filling.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    guard.store(entry("red", &[])).await;
                }
            })
        })
        .collect();
    yield_now().await;
    drop(guard);
    for waiter in waiters {
        waiter.await.unwrap();
    }
    assert_eq!(filling.load(Ordering::SeqCst), 1);
    assert_eq!(text(&cache, "/shoes").await.unwrap(), "red");
}

#[tokio::test]
async fn cancelled_waiters_and_fillers_leave_nobody_stuck() {
    let cache = cache();
    let filler = tokio::spawn({
        let cache = cache.clone();
        async move {
            let _guard = fill(&cache, "/shoes").await;
            std::future::pending::<()>().await;
        }
    });
    yield_now().await;
    let wait = || {
        let cache = cache.clone();
        tokio::spawn(async move { matches!(cache.get_or_lock("/shoes").await, Lookup::Fill(_)) })
    };
    let (cancelled, patient) = (wait(), wait());
    yield_now().await;
    cancelled.abort();
    filler.abort();
    assert!(patient.await.unwrap(), "the fill passed to the waiter that is left");
    assert_eq!(cache.0.as_ref().unwrap().flights.len(), 0);
}

#[tokio::test]
async fn a_waiter_after_an_invalidation_never_gets_the_older_answer() {
    let cache = cache();
    let guard = fill(&cache, "/shoes").await;
    cache.invalidate(&[SHOES]);
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { fill(&cache, "/shoes").await.store(entry("new", &[SHOES])).await }
    });
    yield_now().await;
    assert!(!guard.store(entry("old", &[SHOES])).await);
    assert!(waiter.await.unwrap());
    assert_eq!(text(&cache, "/shoes").await.unwrap(), "new");
}

#[tokio::test]
async fn an_answer_that_falls_while_it_is_handed_over_is_not_taken() {
    let cache = cache();
    let engine = cache.0.as_ref().unwrap();
    let Target { key, began, flight, .. } = fill(&cache, "/shoes").await.target.unwrap();
    let kept = engine.keep(key, began, entry("old", &[SHOES])).unwrap();
    cache.invalidate(&[SHOES]);
    // Came after the invalidation, and still before those who wait were told.
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { matches!(cache.get_or_lock("/shoes").await, Lookup::Fill(_)) }
    });
    yield_now().await;
    flight.unwrap().land(kept);
    assert!(waiter.await.unwrap());
}

#[tokio::test]
async fn who_waited_twice_in_vain_waits_no_longer() {
    let cache = cache();
    let (granted, mut grants) = mpsc::unbounded_channel();
    let first = fill(&cache, "/shoes").await;
    for _ in 0..3 {
        let (cache, granted) = (cache.clone(), granted.clone());
        tokio::spawn(async move { granted.send(fill(&cache, "/shoes").await) });
    }
    yield_now().await;
    drop(first);
    drop(grants.recv().await.unwrap());
    for _ in 0..10 {
        yield_now().await;
    }
    // Two fills in a row gave up, so the two that are left go on at once instead of one after the other.
    let both = (grants.try_recv(), grants.try_recv());
    assert!(matches!(both, (Ok(_), Ok(_))), "{both:?}");
}

/// A source of truth that is committed to by many, and says which value every later reader must see at least.
struct Source {
    values: [AtomicU64; 8],
    writing: [Mutex<()>; 8],
    completed: [AtomicU64; 8],
}

impl Source {
    fn write(&self, cache: &Cache, key: usize) {
        let _one_at_a_time = self.writing[key].lock().unwrap();
        let value = self.values[key].fetch_add(1, Ordering::SeqCst) + 1;
        cache.invalidate(&[Tag::of("key", key)]);
        self.completed[key].store(value, Ordering::SeqCst);
    }

    async fn read(&self, cache: &Cache, key: usize) -> u64 {
        match cache.get_or_lock(&format!("/{key}")).await {
            Lookup::Hit(cached) => u64::from_le_bytes(cached.data.as_ref().try_into().unwrap()),
            Lookup::Fill(guard) => {
                let value = self.values[key].load(Ordering::SeqCst);
                // Time for a write to come between reading and storing.
                std::thread::yield_now();
                let tags = [Tag::named("keys"), Tag::of("key", key)];
                guard.store(entry(value.to_le_bytes().to_vec(), &tags)).await;
                value
            }
        }
    }
}

#[test]
fn no_reader_sees_what_was_before_a_completed_write() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let cache = cache();
    let source =
        Source { values: Default::default(), writing: Default::default(), completed: Default::default() };
    let writing = AtomicBool::new(true);
    let read = |reader: usize| {
        let mut reads = 0_usize;
        while writing.load(Ordering::SeqCst) {
            let key = (reader + reads) % 8;
            let at_least = source.completed[key].load(Ordering::SeqCst);
            let seen = runtime.handle().block_on(source.read(&cache, key));
            assert!(seen >= at_least, "key {key}: {seen} after {at_least} was written");
            reads += 1;
        }
    };
    let read = &read;
    std::thread::scope(|threads| {
        for reader in 0..64 {
            threads.spawn(move || read(reader));
        }
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let (source, cache) = (&source, &cache);
                threads.spawn(move || {
                    for n in 0..500 {
                        source.write(cache, (writer + n) % 8);
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        writing.store(false, Ordering::SeqCst);
    });
    let stats = cache.stats();
    assert!(stats.hits > 0 && stats.fills > 0, "{stats:?}: both ways were taken");
}

#[test]
fn threads_that_miss_at_once_fill_once() {
    const ROUNDS: u64 = 500;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (cache, start) = (cache(), std::sync::Barrier::new(8));
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for round in 0..ROUNDS {
                    start.wait();
                    let lookup = runtime.handle().block_on(cache.get_or_lock(&format!("/{round}")));
                    if let Lookup::Fill(guard) = lookup {
                        assert!(runtime.handle().block_on(guard.store(entry("red", &[SHOES]))));
                    }
                }
            });
        }
    });
    assert_eq!(cache.stats(), Stats { hits: 7 * ROUNDS, misses: ROUNDS, fills: ROUNDS, ..Stats::default() });
}
