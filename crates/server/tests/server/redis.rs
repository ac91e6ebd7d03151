//! Nodes that share a Redis: what one counts and fills the other has; and a Redis that dies, hangs and comes back costs
//! nobody an answer, shows nobody what was before a write, and sends nobody away who is at another node.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use stoa_drivers::{
    redis::{RedisAddress, RedisSettings},
    testing::RedisServer,
};
use stoa_platform::{database::Engine, testing::on_engine};
use stoa_server::{Settings, wiring};
use stoa_testing::{AnotherNode, Client, Live, TestApp, json};

/// How long a node waits for Redis: on a busy machine any answer is soon enough, unless waiting in vain is the matter.
const GENEROUS: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

/// Two nodes on one PostgreSQL and a Redis of their own, which the test may hurt.
fn with_own_redis<F: Future<Output = ()>>(
    patience: Duration,
    change: fn(&mut Settings),
    test: impl FnOnce(TestApp, AnotherNode, RedisServer) -> F,
) {
    on_engine(Engine::Postgres, &wiring::migrations(), |database| async move {
        let server = RedisServer::start();
        let address = RedisAddress::parse(&server.url()).unwrap();
        let settings = RedisSettings { patience, ..RedisSettings::of(address) };
        let change = move |of_node: &mut Settings| {
            of_node.redis = Some(settings.clone());
            change(of_node);
        };
        let app = TestApp::start(database, change).await;
        let other = app.another_node().await;
        test(app, other, server).await;
    });
}

/// Polls with generous patience.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..6_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn redis_is(app: &TestApp, status: &str) -> bool {
    let health = app.anon().get("/health").await.expect(200).body;
    health["checks"]["redis"]["status"] == status && health["status"] == status
}

async fn register(client: &Client, number: usize) -> u16 {
    let body = json!({"email": format!("bob{number}@example.com"), "password": stoa_testing::PASSWORD});
    client.post("/api/auth/register", body).await.status
}

#[test]
fn two_nodes_have_one_limit() {
    with_own_redis(
        GENEROUS,
        |settings| settings.rate_limits = true,
        |app, other, redis| async move {
            for (number, client) in
                [app.anon(), other.anon(), app.anon(), other.anon(), app.anon()].iter().enumerate()
            {
                assert_eq!(register(client, number).await, 201);
            }
            for (number, client) in [other.anon(), app.anon()].iter().enumerate() {
                let status = register(client, 5 + number).await;
                assert_eq!(status, 429, "{}", client.get("/metrics").await.text);
            }
            other.stop().await;
            app.finish().await;
            drop(redis);
        },
    );
}

#[test]
fn what_one_node_made_the_other_finds_until_it_is_written() {
    with_own_redis(
        GENEROUS,
        |_| {},
        |app, other, redis| async move {
            let (admin, tea) = (app.admin().await, app.product("9.90", 5).await);
            let path = format!("/api/products/{tea}");
            // Ever new answers, until what the nodes heard of the product's making has settled.
            let turn = AtomicUsize::new(0);
            until("the other node finds what this one made", || async {
                let list = format!("/api/products?minPrice={}", turn.fetch_add(1, Ordering::SeqCst) % 9);
                let list = format!("{list}&maxPrice={}", 100 + turn.load(Ordering::SeqCst));
                let made = app.anon().get(&list).await.expect(200);
                let before = other.platform().cache.stats().shared_hits;
                let found = other.anon().get(&list).await.expect(200);
                assert_eq!((&found.text, found.header("etag")), (&made.text, made.header("etag")));
                let is_shared = other.platform().cache.stats().shared_hits > before;
                assert!(!is_shared || found.header("x-cache") == Some("HIT"));
                is_shared
            })
            .await;

            admin.patch(&path, json!({"stock": 77})).await.expect(200);
            assert_eq!(app.anon().get(&path).await.body["stock"], 77);
            until("the other node shows it", || async { other.anon().get(&path).await.body["stock"] == 77 })
                .await;
            let figures = app.anon().get("/metrics").await.expect(200).text;
            for figure in [
                "stoa_redis_up 1",
                "stoa_redis_errors_total{kind=\"timeout\"} 0",
                "stoa_cache_hits_total{level=\"shared\"}",
                "stoa_cache_fills_total{level=\"shared\"}",
                "stoa_redis_outages_total 0",
            ] {
                assert!(figures.contains(figure), "{figure} is not in {figures}");
            }
            other.stop().await;
            app.finish().await;
            drop(redis);
        },
    );
}

/// A writer at one node and readers at both, through everything that may happen to a Redis.
#[test]
fn through_every_outage_no_answer_fails_and_no_write_is_followed_by_what_was_before() {
    with_own_redis(
        SHORT,
        |_| {},
        |app, other, mut redis| async move {
            let (admin, tea) = (app.admin().await, app.product("9.90", 0).await);
            let path = format!("/api/products/{tea}");
            let mut stock = 0;
            for happening in ["well", "frozen", "thawed", "killed", "restarted"] {
                match happening {
                    "frozen" => redis.freeze(),
                    "thawed" => redis.thaw(),
                    "killed" => redis.kill(),
                    "restarted" => redis.restart(),
                    _ => {}
                }
                for _ in 0..20 {
                    stock += 1;
                    admin.patch(&path, json!({"stock": stock})).await.expect(200);
                    for _ in 0..2 {
                        let seen = app.anon().get(&path).await.expect(200).body["stock"].clone();
                        assert_eq!(seen, stock, "{happening}: after the write was answered");
                        other.anon().get(&path).await.expect(200);
                        other.anon().get("/api/products").await.expect(200);
                    }
                }
                until("the other node shows it", || async {
                    other.anon().get(&path).await.expect(200).body["stock"] == stock
                })
                .await;
                match happening {
                    "frozen" | "killed" => until("it is told", || redis_is(&app, "degraded")).await,
                    _ => until("it is well again", || redis_is(&app, "healthy")).await,
                }
                app.anon().get("/health/ready").await.expect(200);
            }
            other.stop().await;
            app.finish().await;
        },
    );
}

#[test]
fn limits_go_on_when_redis_is_gone() {
    with_own_redis(
        SHORT,
        |settings| settings.rate_limits = true,
        |app, other, mut redis| async move {
            assert_eq!(register(&app.anon(), 0).await, 201);
            redis.kill();
            for number in 1..5 {
                assert_eq!(register(&app.anon(), number).await, 201);
            }
            assert_eq!(register(&app.anon(), 5).await, 429, "what was counted together still counts");
            assert!(app.platform().limits.counted_alone() > 0);
            other.stop().await;
            app.finish().await;
        },
    );
}

/// How long a node is waited for in these tests.
const LEASE: Duration = Duration::from_secs(3);

fn with_short_leases(settings: &mut Settings) {
    settings.realtime.beat = LEASE / 3;
    settings.realtime.lease = LEASE;
    settings.realtime.presence_grace = Duration::from_millis(300);
}

async fn hears_of(watcher: &mut Live, word: &str, who: &Client) {
    while watcher.hears(word).await.payload["userId"] != who.user_id() {}
}

/// Nobody was sent away whom the test did not send.
async fn nobody_left(watcher: &mut Live) {
    let told = watcher.heard_so_far().await;
    assert!(!told.iter().any(|heard| heard.word == "user-offline"), "{told:?}");
}

async fn hears_others(node: &Client, wanted: u8) {
    until("the node hears others, or does not", || async {
        let figures = node.get("/metrics").await.text;
        figures.lines().any(|line| line == format!("stoa_relay_up {wanted}"))
    })
    .await;
}

/// Through an outage each node goes on with its own, nobody who is elsewhere is sent away, and afterwards everybody hears
/// what happened meanwhile.
#[test]
fn a_redis_that_is_killed_and_started_anew_sends_nobody_away() {
    with_own_redis(SHORT, with_short_leases, |app, other, mut redis| async move {
        let people = ["ann", "bob", "cat", "dan", "eve"];
        let mut clients = Vec::new();
        for name in people {
            clients.push(app.shopper(name).await);
        }
        let [ann, bob, cat, dan, eve] = &clients[..] else { panic!("five") };
        let mut watching = app.socketio(ann).await;
        let _bob = Live::socketio(&other.address(), bob).await;
        let leaving = Live::socketio(&other.address(), eve).await;
        hears_of(&mut watching, "user-online", bob).await;

        redis.kill();
        for node in [app.anon(), other.anon()] {
            hears_others(&node, 0).await;
        }
        let here = app.socketio(cat).await;
        hears_of(&mut watching, "user-online", cat).await;
        drop(here);
        hears_of(&mut watching, "user-offline", cat).await;
        drop(leaving);
        let _dan = Live::plain(&other.address(), dan).await;
        // Longer than a lease.
        tokio::time::sleep(LEASE * 2).await;
        nobody_left(&mut watching).await;
        let mut newcomer = app.socketio(ann).await;
        let listed = newcomer.hears("online-users").await.payload;
        assert!(listed["users"].as_array().unwrap().contains(&json!(bob.user_id())), "{listed}");

        redis.restart();
        hears_of(&mut watching, "user-online", dan).await;
        hears_of(&mut watching, "user-offline", eve).await;
        tokio::time::sleep(LEASE * 2).await;
        nobody_left(&mut watching).await;
        other.stop().await;
        app.finish().await;
    });
}

#[test]
fn a_node_without_a_redis_from_the_start_meets_the_others_later() {
    with_own_redis(SHORT, with_short_leases, |app, other, mut redis| async move {
        redis.kill();
        let third = app.another_node().await;
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut watching = Live::socketio(&third.address(), &ann).await;
        let _there = Live::socketio(&other.address(), &bob).await;
        nobody_left(&mut watching).await;
        redis.restart();
        hears_of(&mut watching, "user-online", &bob).await;
        third.stop().await;
        other.stop().await;
        app.finish().await;
    });
}
