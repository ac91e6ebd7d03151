//! The contract of the cache on both engines, and what sharing adds to it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use stoa_kernel::{ManualClock, Timestamp};
use stoa_platform::cache::{Cache, Entry, FillGuard, Lookup, Tag};

use super::{Node, Place, until};

const SHOES: Tag = Tag::named("shoes");
const HATS: Tag = Tag::named("hats");
/// The moment at which a place's clock begins.
const BEGUN: Timestamp = Timestamp::from_seconds(1_768_478_400);

pub(super) fn entry(data: impl Into<Bytes>, tags: &[Tag]) -> Entry {
    Entry {
        data: data.into(),
        meta: Bytes::from_static(b"{\"total\":\xff}"),
        etag: "\"1\"".into(),
        tags: tags.into(),
        stored_at: BEGUN,
        expires_at: BEGUN + Duration::from_mins(1),
    }
}

pub(super) async fn fill(cache: &Cache, key: &str) -> FillGuard {
    match cache.get_or_lock(key).await {
        Lookup::Fill(guard) => guard,
        Lookup::Hit(found) => panic!("{key} was found: {found:?}"),
    }
}

pub(super) async fn text(cache: &Cache, key: &str) -> Option<Bytes> {
    cache.get(key).await.map(|cached| cached.data.clone())
}

/// Fills until the others can have it: the first fill of a tag that the store does not know may not be kept there.
pub(super) async fn fill_for_all(node: &Node, other: &Node, key: &str, data: &'static str, tags: &[Tag]) {
    until("a fill reaches another node", || async {
        if text(&other.cache, key).await.is_some_and(|found| found == data) {
            return true;
        }
        // Told, so that it is made anew.
        node.cache.invalidate(&[Tag::named(key)]);
        until("the store is of use again", || node.shares()).await;
        let all: Vec<Tag> = tags.iter().copied().chain([Tag::named(key)]).collect();
        if let Lookup::Fill(guard) = node.cache.get_or_lock(key).await {
            guard.store(entry(data, &all)).await;
        }
        false
    })
    .await;
}

async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(Cache, ManualClock) -> F) {
    let hand = ManualClock::starting_at(BEGUN);
    test(Cache::in_process(1 << 20, hand.clock()), hand).await;
    if let Some(place) = Place::of_run() {
        let node = place.node().await;
        test(node.cache.clone(), place.hand.clone()).await;
    }
}

#[tokio::test]
async fn what_is_stored_is_found_until_its_tag_falls() {
    on_each_engine(|cache, _| async move {
        assert!(fill(&cache, "/shoes").await.store(entry("red", &[SHOES])).await);
        cache.invalidate(&[HATS]);
        assert_eq!(text(&cache, "/shoes").await.unwrap(), "red");
        cache.invalidate(&[SHOES]);
        assert_eq!(text(&cache, "/shoes").await, None);
        assert!(fill(&cache, "/shoes").await.store(entry("blue", &[SHOES])).await);
        assert_eq!(text(&cache, "/shoes").await.unwrap(), "blue");
    })
    .await;
}

#[tokio::test]
async fn a_fill_overtaken_by_an_invalidation_is_not_kept() {
    on_each_engine(|cache, _| async move {
        let guard = fill(&cache, "/shoes").await;
        cache.invalidate(&[SHOES]);
        assert!(!guard.store(entry("old", &[HATS, SHOES])).await);
        assert_eq!(text(&cache, "/shoes").await, None);
    })
    .await;
}

#[tokio::test]
async fn an_entry_expires_by_the_given_clock() {
    on_each_engine(|cache, hand| async move {
        fill(&cache, "/shoes").await.store(entry("red", &[SHOES])).await;
        hand.advance(Duration::from_millis(59_999));
        assert!(cache.get("/shoes").await.is_some());
        hand.advance(Duration::from_millis(1));
        assert!(cache.get("/shoes").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn one_fills_and_the_others_get_what_it_stored() {
    on_each_engine(|cache, _| async move {
        let guard = fill(&cache, "/shoes").await;
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { matches!(cache.get_or_lock("/shoes").await, Lookup::Hit(_)) })
            })
            .collect();
        tokio::task::yield_now().await;
        guard.store(entry("red", &[SHOES])).await;
        for waiter in waiters {
            assert!(waiter.await.unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn what_one_node_fills_serves_the_others_whole() {
    let Some(place) = Place::of_run() else { return };
    let (one, other) = (place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes?page=1&", "red", &[SHOES, HATS]).await;
    let found = other.cache.get("/shoes?page=1&").await.unwrap();
    let made = entry("red", &[SHOES, HATS, Tag::named("/shoes?page=1&")]);
    assert_eq!(format!("{:?}", *found), format!("{made:?}"));
    assert!(other.cache.stats().shared_hits >= 1 && one.cache.stats().shared_fills >= 1);
}

#[tokio::test]
async fn what_falls_on_one_node_is_not_found_by_those_who_come_later() {
    let Some(place) = Place::of_run() else { return };
    let (one, other, late) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;
    one.cache.invalidate(&[SHOES]);
    assert_eq!(text(&one.cache, "/shoes").await, None, "at once on the node itself");
    // Another node hears of it by the log, and from then on does not have it either.
    other.cache.invalidate(&[SHOES]);
    assert_eq!(text(&other.cache, "/shoes").await, None);
    until("the write is known to all", || one.shares()).await;
    assert_eq!(text(&late.cache, "/shoes").await, None, "not even by a node that has not heard of it");
}

#[tokio::test]
async fn a_fill_begun_before_a_write_elsewhere_is_not_kept_for_others() {
    let Some(place) = Place::of_run() else { return };
    let (slow, writer, reader) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&slow, &reader, "/shoes", "red", &[SHOES]).await;
    let guard = fill(&slow.cache, "/shoes/7").await;
    writer.cache.invalidate(&[SHOES]);
    until("the write is known to all", || writer.shares()).await;
    // The slow node has not heard yet, so it keeps what it read before the write: but for itself alone.
    assert!(guard.store(entry("old", &[SHOES])).await);
    assert_eq!(text(&reader.cache, "/shoes/7").await, None);
}

#[tokio::test]
async fn a_node_that_starts_takes_nothing_from_before() {
    let Some(place) = Place::of_run() else { return };
    let (one, other) = (place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;
    // The last process of it may have died between a commit and its telling.
    let started = place.node().await;
    assert_eq!(text(&started.cache, "/shoes").await, None);
}

#[tokio::test]
async fn more_tags_at_once_than_are_told_one_by_one_fell_all() {
    let Some(place) = Place::of_run() else { return };
    let (one, other, third) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&one, &other, "/hats", "blue", &[HATS]).await;
    let many: Vec<Tag> = (0..5_000).map(|n| Tag::of("shoe", n)).collect();
    one.cache.invalidate(&many);
    until("that is known to all", || one.shares()).await;
    assert_eq!(text(&third.cache, "/hats").await, None);
    assert!(text(&other.cache, "/hats").await.is_some(), "what a node has by itself is not touched");
}

#[tokio::test]
async fn what_is_cleared_is_gone_for_all() {
    let Some(place) = Place::of_run() else { return };
    let (one, other, third) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&one, &other, "/hats", "blue", &[HATS]).await;
    one.cache.clear();
    assert_eq!(text(&one.cache, "/hats").await, None);
    until("that is known to all", || one.shares()).await;
    assert_eq!(text(&third.cache, "/hats").await, None);
}

#[tokio::test]
async fn what_was_evicted_makes_nothing_true_again() {
    let Some(place) = Place::of_run() else { return };
    for part in ["clock", "tag:", "entry:"] {
        let (one, other, third) = (place.node().await, place.node().await, place.node().await);
        fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;
        for key in place.keys(part).await {
            let _: () = redis::cmd("DEL").arg(key).query_async(&mut place.raw().await).await.unwrap();
        }
        assert_eq!(text(&third.cache, "/shoes").await, None, "without {part}");
        fill_for_all(&one, &third, "/shoes/again", "blue", &[SHOES]).await;
    }
}

#[tokio::test]
async fn an_entry_that_nobody_wrote_is_not_found() {
    let Some(place) = Place::of_run() else { return };
    let (one, other) = (place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;
    let third = place.node_alone();
    let mut raw = place.raw().await;
    third.met().await;
    fill_for_all(&one, &other, "/shoes/7", "red", &[SHOES]).await;
    let key = place.keys("entry:/shoes/7").await.remove(0);
    let _: () = redis::cmd("HSET").arg(&key).arg("times").arg("soon").query_async(&mut raw).await.unwrap();
    assert_eq!(text(&third.cache, "/shoes/7").await, None);
    assert!(third.figure("stoa_redis_errors_total{kind=\"answer\"}") >= 1.0);
    let _: () = redis::pipe().del(&key).set(&key, "text").query_async(&mut raw).await.unwrap();
    assert_eq!(text(&third.cache, "/shoes/7").await, None);
}

#[tokio::test]
async fn what_is_large_stays_at_home() {
    let Some(place) = Place::of_run() else { return };
    let (one, other) = (place.node().await, place.node().await);
    let large = vec![b'a'; (1 << 20) + 1];
    for _ in 0..2 {
        one.cache.invalidate(&[SHOES]);
        until("it can be shared", || one.shares()).await;
        fill(&one.cache, "/shoes").await.store(entry(large.clone(), &[SHOES])).await;
    }
    assert_eq!(text(&other.cache, "/shoes").await, None);
}

/// A source of truth, and for each node which value its readers must see at least.
#[derive(Default)]
struct Source {
    values: [AtomicU64; 4],
    writing: [Mutex<()>; 4],
    heard: [[AtomicU64; 4]; 2],
}

impl Source {
    /// Writes by way of one node; the other hears of it afterwards.
    fn write(&self, nodes: &[Cache; 2], by: usize, key: usize) {
        let _one_at_a_time = self.writing[key].lock().unwrap();
        let value = self.values[key].fetch_add(1, Ordering::SeqCst) + 1;
        for node in [by, 1 - by] {
            nodes[node].invalidate(&[Tag::of("key", key)]);
            self.heard[node][key].store(value, Ordering::SeqCst);
            std::thread::yield_now();
        }
    }

    async fn read(&self, cache: &Cache, key: usize) -> u64 {
        match cache.get_or_lock(&format!("/{key}")).await {
            Lookup::Hit(cached) => u64::from_le_bytes(cached.data.as_ref().try_into().unwrap()),
            Lookup::Fill(guard) => {
                let value = self.values[key].load(Ordering::SeqCst);
                tokio::task::yield_now().await;
                let tags = [Tag::named("keys"), Tag::of("key", key)];
                guard.store(entry(value.to_le_bytes().to_vec(), &tags)).await;
                value
            }
        }
    }
}

/// Writes of each writer: so many at least, and so many at most until a node has used what another filled.
const ROUNDS: usize = 150;
const MOST_ROUNDS: usize = 10_000;
/// Readers that read all the time.
const RESTLESS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_what_was_before_a_write_its_node_has_heard_of() {
    let Some(place) = Place::of_run() else { return };
    let both = [place.node().await, place.node().await];
    let nodes = Arc::new([both[0].cache.clone(), both[1].cache.clone()]);
    let (source, writing) = (Arc::new(Source::default()), Arc::new(AtomicBool::new(true)));
    let readers: Vec<_> = (0..16)
        .map(|reader| {
            let (source, nodes, writing) = (Arc::clone(&source), Arc::clone(&nodes), Arc::clone(&writing));
            tokio::spawn(async move {
                let mut reads = 0;
                while writing.load(Ordering::SeqCst) {
                    // Some never pause; the others have two keys to themselves, on which a node may come late enough
                    // to find what the other has filled.
                    let key = if reader < RESTLESS { reads % 2 } else { (reader / 2 + reads) % 4 };
                    let node = reader % 2;
                    let at_least = source.heard[node][key].load(Ordering::SeqCst);
                    let seen = source.read(&nodes[node], key).await;
                    assert!(seen >= at_least, "key {key}: {seen} after node {node} heard of {at_least}");
                    reads += 1;
                    if reader < RESTLESS {
                        tokio::task::yield_now().await;
                    } else {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (source, nodes) = (Arc::clone(&source), Arc::clone(&nodes));
            tokio::spawn(async move {
                let used = |nodes: &[Cache; 2]| nodes.iter().any(|node| node.stats().shared_hits > 0);
                for round in 0..MOST_ROUNDS {
                    // On a busy machine it takes longer until a node happens upon what the other has filled.
                    if round >= ROUNDS && used(&nodes) {
                        break;
                    }
                    let (source, nodes) = (Arc::clone(&source), Arc::clone(&nodes));
                    let write = move || source.write(&nodes, (writer + round) % 2, (writer + round / 2) % 4);
                    tokio::task::spawn_blocking(write).await.unwrap();
                    // Quiet enough for the store to be of use in between.
                    tokio::time::sleep(Duration::from_millis(u64::try_from(round % 8).unwrap())).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    writing.store(false, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let shared_hits: u64 = both.iter().map(|node| node.cache.stats().shared_hits).sum();
    assert!(shared_hits > 0, "the nodes never used each other's fills");
}
