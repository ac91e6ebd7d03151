//! The contract of rate limits on both engines, and what sharing adds to it.

use std::time::Duration;

use stoa_kernel::{ManualClock, Timestamp};
use stoa_platform::limits::{Attempt, Decision, Limits, Policy, Terms};

use super::{Node, Place, at_once};

/// One comes back every 3 minutes.
const LOGIN: Policy = Policy { name: "login", max: 5, window: Duration::from_mins(15) };

/// Runs a test on the limits of this process, and on shared ones where the run has Redis.
async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(Limits, ManualClock) -> F) {
    let hand = ManualClock::starting_at(Timestamp::from_seconds(1_000_000));
    test(Limits::in_process(hand.clock()), hand).await;
    if let Some(place) = Place::of_run() {
        let node = place.node().await;
        test(node.limits.clone(), place.hand.clone()).await;
        assert_eq!(node.limits.counted_alone(), 0, "Redis was asked, and answered");
    }
}

async fn exhaust(limits: &Limits, key: &str) {
    while limits.check(&LOGIN, key).await.allowed {}
}

#[tokio::test]
async fn max_at_once_are_allowed_and_then_it_is_said_when() {
    on_each_engine(|limits, _| async move {
        for remaining in (0..5).rev() {
            let decision = limits.check(&LOGIN, "bob").await;
            assert!(decision.allowed);
            assert_eq!((decision.limit, decision.remaining, decision.retry_after), (5, remaining, None));
        }
        let refused = limits.check(&LOGIN, "bob").await;
        assert_eq!((refused.allowed, refused.remaining), (false, 0));
        assert_eq!(refused.retry_after, Some(Duration::from_mins(3)));
        assert_eq!(refused.reset_after, Duration::from_mins(15));
        assert_eq!(limits.refused()["login"], 1);
    })
    .await;
}

#[tokio::test]
async fn it_comes_back_bit_by_bit() {
    on_each_engine(|limits, hand| async move {
        exhaust(&limits, "bob").await;
        hand.advance(Duration::from_secs(179));
        assert_eq!(limits.check(&LOGIN, "bob").await.retry_after, Some(Duration::from_secs(1)));
        hand.advance(Duration::from_secs(1));
        assert!(limits.check(&LOGIN, "bob").await.allowed);
        assert!(!limits.check(&LOGIN, "bob").await.allowed);
        hand.advance(Duration::from_mins(15));
        assert_eq!(limits.check(&LOGIN, "bob").await.remaining, 4);
    })
    .await;
}

#[tokio::test]
async fn keys_and_policies_count_apart_and_a_policy_may_change() {
    on_each_engine(|limits, _| async move {
        exhaust(&limits, "bob").await;
        assert!(limits.check(&LOGIN, "ann").await.allowed);
        assert!(limits.check(&Policy { name: "order", ..LOGIN }, "bob").await.allowed);
        assert!(!limits.check(&LOGIN, "bob").await.allowed);
        let wider = limits.check(&Policy { max: 50, ..LOGIN }, "bob").await;
        assert_eq!(wider.retry_after, Some(Duration::from_secs(18)));
    })
    .await;
}

#[tokio::test]
async fn extremes_are_decided_alike() {
    on_each_engine(|limits, _| async move {
        let policy = |name, max, window| Policy { name, max, window };
        let none = limits.check(&policy("none", 0, Duration::from_mins(1)), "bob").await;
        assert_eq!((none.allowed, none.retry_after), (false, Some(Duration::from_mins(1))));
        let endless = limits.check(&policy("endless", 3, Duration::ZERO), "bob").await;
        assert_eq!((endless.allowed, endless.remaining), (true, 3));
        assert!(limits.check(&policy("wide", u32::MAX, Duration::from_secs(1)), "bob").await.allowed);
        let century = policy("century", 2, Duration::from_hours(876_000));
        assert!(limits.check(&century, "bob").await.allowed && limits.check(&century, "bob").await.allowed);
        assert!(!limits.check(&century, "bob").await.allowed);
    })
    .await;
}

/// What the shared counts themselves say, without what a node knows already.
async fn by_redis(node: &Node, policy: &Policy, key: &str, now: Timestamp) -> (bool, Duration) {
    let interval = u64::try_from(policy.window.as_nanos()).unwrap().div_ceil(u64::from(policy.max));
    let terms = Terms { interval, burst: interval * u64::from(policy.max) };
    let now = u64::try_from(now.as_micros()).unwrap() * 1_000;
    let attempt = Attempt { policy: policy.name, key, terms, now };
    let verdict = node.redis.counts().take(attempt).await.expect("a verdict");
    (verdict.allowed, Duration::from_nanos(verdict.debt))
}

#[tokio::test]
async fn both_engines_decide_the_same_to_the_nanosecond() {
    let Some(place) = Place::of_run() else { return };
    let (node, own) = (place.node().await, Limits::in_process(place.hand.clock()));
    let policies = [
        LOGIN,
        Policy { name: "seven", max: 7, window: Duration::from_secs(1) },
        Policy { name: "three", max: 3, window: Duration::from_millis(10) },
        Policy { name: "many", max: 997, window: Duration::from_secs(1) },
    ];
    let mut random = 88_172_645_463_325_252_u64;
    for _ in 0..2_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let policy = &policies[usize::try_from(random % 4).unwrap()];
        let key = ["bob", "ann"][usize::try_from(random >> 8 & 1).unwrap()];
        place.hand.advance(Duration::from_micros((random >> 16) % 2_000));
        let Decision { allowed, reset_after, .. } = own.check(policy, key).await;
        let there = by_redis(&node, policy, key, place.hand.clock().now()).await;
        assert_eq!(there, (allowed, reset_after), "{policy:?} {key}");
    }
}

#[tokio::test]
async fn nodes_share_what_is_left() {
    let Some(place) = Place::of_run() else { return };
    let policy = Policy { name: "general", max: 100, window: Duration::from_mins(15) };
    let nodes = [place.node().await, place.node().await];
    let tasks = (0..300).map(|n| {
        let (limits, policy) = (nodes[n % 2].limits.clone(), policy.clone());
        async move { limits.check(&policy, "203.0.113.7").await.allowed }
    });
    let allowed = at_once(tasks).await.into_iter().filter(|allowed| *allowed).count();
    assert_eq!(allowed, 100);
    assert_eq!(nodes.map(|node| node.limits.counted_alone()), [0, 0]);
}

#[tokio::test]
async fn prefixes_keep_shops_apart() {
    let (Some(one), Some(other)) = (Place::of_run(), Place::of_run()) else { return };
    let (one, other) = (one.node().await, other.node().await);
    exhaust(&one.limits, "bob").await;
    assert!(other.limits.check(&LOGIN, "bob").await.allowed);
}

#[tokio::test]
async fn keys_end_by_themselves_and_tell_nobody_whose_they_are() {
    let Some(place) = Place::of_run() else { return };
    let node = place.node().await;
    node.limits.check(&LOGIN, "account:bob@example.com").await;
    let keys = place.keys("limit:login").await;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    assert!(!key.contains("bob"));
    let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut place.raw().await).await.unwrap();
    assert!((1..=Duration::from_mins(4).as_millis()).contains(&u128::try_from(left).unwrap()), "{left} ms");
}

#[tokio::test]
async fn what_makes_no_sense_is_counted_here() {
    let Some(place) = Place::of_run() else { return };
    let (node, mut raw) = (place.node().await, place.raw().await);
    node.limits.check(&LOGIN, "bob").await;
    let key = place.keys("limit:login").await.remove(0);
    let _: () = redis::pipe().del(&key).rpush(&key, "a list").query_async(&mut raw).await.unwrap();
    assert!(node.limits.check(&LOGIN, "bob").await.allowed);
    assert_eq!(node.limits.counted_alone(), 1);
    assert!(node.figure("stoa_redis_errors_total{kind=\"answer\"}") >= 1.0);
    // Text that is no time is no debt.
    let _: () = redis::pipe().del(&key).set(&key, "soon").query_async(&mut raw).await.unwrap();
    assert!(node.limits.check(&LOGIN, "bob").await.allowed);
    assert_eq!(node.limits.counted_alone(), 1);
}
