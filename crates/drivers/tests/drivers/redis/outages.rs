//! A Redis that dies, hangs, comes back empty or with what was true once.

use std::time::Duration;

use stoa_drivers::{redis::Redis, testing::RedisServer};
use stoa_kernel::Random;
use stoa_platform::{
    cache::{Lookup, Tag},
    database::Engine,
    limits::Policy,
    testing::engines_under_test,
};

use super::{
    GENEROUS, Node, Place,
    cache::{entry, fill, fill_for_all, text},
    until,
};

const LOGIN: Policy = Policy { name: "login", max: 5, window: Duration::from_mins(15) };
const SHOES: Tag = Tag::named("shoes");
const UP: &str = "stoa_redis_up";

/// A server of the test's own, where the run is to have servers.
fn server() -> Option<RedisServer> {
    engines_under_test().contains(&Engine::Postgres).then(RedisServer::start)
}

async fn lost(node: &Node) {
    // Asked, because an outage is found out by asking.
    until("Redis is given up", || async {
        node.limits
            .check(&Policy { name: "asking", max: 1_000_000, window: Duration::from_secs(1) }, "x")
            .await;
        node.figure(UP) < 1.0
    })
    .await;
}

async fn back(node: &Node) {
    until("Redis is back", || async { node.figure(UP) > 0.0 }).await;
    node.met().await;
}

#[tokio::test]
async fn a_server_that_is_killed_frees_nobody_and_stales_nothing() {
    let Some(mut server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let (one, other) = (place.node().await, place.node().await);
    for _ in 0..4 {
        assert!(one.limits.check(&LOGIN, "bob").await.allowed);
    }
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;

    server.kill();
    lost(&one).await;
    assert!(one.limits.check(&LOGIN, "bob").await.allowed, "the fifth");
    assert!(
        !one.limits.check(&LOGIN, "bob").await.allowed,
        "what it knew of the others' counts still counts"
    );
    assert!(one.limits.counted_alone() >= 1);
    assert_eq!(text(&one.cache, "/shoes").await.unwrap(), "red", "the entries in process go on");
    one.cache.invalidate(&[SHOES]);
    assert_eq!(text(&one.cache, "/shoes").await, None);
    fill(&one.cache, "/shoes").await.store(entry("blue", &[SHOES])).await;
    assert_eq!(text(&one.cache, "/shoes").await.unwrap(), "blue");

    server.restart();
    back(&one).await;
    back(&other).await;
    assert!(!one.limits.check(&LOGIN, "bob").await.allowed, "nor does a server that forgot free anybody");
    fill_for_all(&one, &other, "/shoes/7", "green", &[SHOES]).await;
    assert!(one.figure("stoa_redis_outages_total") >= 1.0);
}

#[tokio::test]
async fn a_frozen_server_is_waited_for_a_few_times_and_then_not_at_all() {
    let Some(server) = server() else { return };
    let place = Place::at(&server.url(), Duration::from_millis(200));
    let (one, other, third) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;

    server.freeze();
    one.cache.invalidate(&[SHOES]);
    assert_eq!(text(&one.cache, "/shoes").await, None, "never stale on the node that wrote");
    assert!(one.limits.check(&LOGIN, "bob").await.allowed);
    lost(&one).await;
    let late = one.figure("stoa_redis_errors_total{kind=\"timeout\"}");
    for n in 0..1_000 {
        let key = format!("/{n}");
        let Lookup::Fill(guard) = one.cache.get_or_lock(&key).await else { panic!("found") };
        guard.store(entry("x", &[SHOES])).await;
        assert!(one.limits.check(&LOGIN, &key).await.allowed);
    }
    assert!(
        one.figure("stoa_redis_errors_total{kind=\"timeout\"}") < late + 10.0,
        "nobody waits for a server that was given up"
    );

    server.thaw();
    back(&one).await;
    // Told now at the latest, so that nobody takes the older answer from there.
    back(&third).await;
    assert_eq!(text(&third.cache, "/shoes").await, None);
    fill_for_all(&one, &third, "/shoes", "blue", &[SHOES]).await;
}

#[tokio::test]
async fn a_server_that_comes_back_with_what_was_true_once_is_not_believed() {
    let Some(mut server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let (writer, one, other) = (place.node().await, place.node().await, place.node().await);
    fill_for_all(&one, &other, "/shoes", "red", &[SHOES]).await;
    server.save();
    writer.cache.invalidate(&[SHOES]);
    until("the write is known", || writer.shares()).await;
    let reader = place.node_alone();
    server.kill();
    lost(&writer).await;
    server.restart();
    back(&writer).await;
    assert!(!place.keys("entry:/shoes").await.is_empty(), "the older answer is there again");
    assert_eq!(text(&writer.cache, "/shoes").await, None);
    assert_eq!(text(&reader.cache, "/shoes").await, None);
    drop(other);
}

#[tokio::test]
async fn a_server_that_was_made_a_replica_is_left_for_whom_its_address_leads_to() {
    let Some(server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let (node, mut raw) = (place.node().await, place.raw().await);
    let follow = |host, port| redis::cmd("REPLICAOF").arg(host).arg(port).to_owned();
    let _: () = follow("127.0.0.1", "1").query_async(&mut raw).await.unwrap();
    assert!(node.limits.check(&LOGIN, "bob").await.allowed);
    lost(&node).await;
    assert!(node.limits.counted_alone() >= 1);
    let _: () = follow("NO", "ONE").query_async(&mut raw).await.unwrap();
    back(&node).await;
}

#[tokio::test]
async fn a_node_starts_without_a_server_and_meets_it_later() {
    let Some(mut server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    server.kill();
    let node = place.node_alone();
    node.redis.first_try(GENEROUS).await;
    assert!(!node.redis.answers().await);
    assert!(node.limits.check(&LOGIN, "bob").await.allowed);
    fill(&node.cache, "/shoes").await.store(entry("red", &[SHOES])).await;
    assert_eq!(text(&node.cache, "/shoes").await.unwrap(), "red");
    server.restart();
    back(&node).await;
}

#[tokio::test]
async fn a_server_that_refuses_writes_is_told_and_done_without() {
    let Some(server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let node = place.node().await;
    let mut raw = place.raw().await;
    let full = |bytes| redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    let _: () = full(1).query_async(&mut raw).await.unwrap();
    for _ in 0..5 {
        assert!(node.limits.check(&LOGIN, "bob").await.allowed);
    }
    assert!(!node.limits.check(&LOGIN, "bob").await.allowed);
    assert!(node.limits.counted_alone() >= 5);
    node.cache.invalidate(&[SHOES]);
    fill(&node.cache, "/shoes").await.store(entry("red", &[SHOES])).await;
    assert_eq!(text(&node.cache, "/shoes").await.unwrap(), "red");
    let refused = Redis::check(&place.settings, &Random::system()).await.unwrap_err();
    assert!(refused.to_string().contains("OOM"), "{refused}");
    let _: () = full(0).query_async(&mut raw).await.unwrap();
    node.met().await;
    assert!(Redis::check(&place.settings, &Random::system()).await.is_ok());
}
