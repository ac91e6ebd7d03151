//! Nodes that die, of several on one database and one Redis.

use stoa_drivers::testing::RedisServer;
use stoa_platform::database::Engine;
use stoa_testing::{Client, Live, PASSWORD, json};

use crate::{
    crash::on,
    node::{Home, Node},
};

/// Two nodes on one PostgreSQL and a Redis of their own.
struct Cluster {
    homes: [Home; 2],
    nodes: Vec<Node>,
    _redis: RedisServer,
}

impl Cluster {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let home = Home::new(Engine::Postgres)
            .with("STOA_JWT_SECRET", "a secret that is good for tests alone")
            // Tokens name it, and are to be good at both.
            .with("STOA_PUBLIC_URL", "http://shop.example")
            .with("REDIS_URL", &redis.url())
            .with("STOA_REDIS_TIMEOUT", "5s");
        let homes = [home.another(), home];
        let nodes = vec![homes[0].start().await, homes[1].start().await];
        Self { homes, nodes, _redis: redis }
    }

    async fn shopper(&self, name: &str) -> Client {
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
        let session = self.homes[0].anon().post("/api/auth/register", body).await.expect(201).body;
        self.homes[0].anon().signed_in(session)
    }

    async fn live(&self, node: usize, who: &Client) -> Live {
        Live::socketio(&self.homes[node].address(), who).await
    }
}

/// Of several who were at a node that died, those who are elsewhere by then were never gone, and the others are gone when
/// its lease ends.
async fn the_users_of_a_dead_node_go_when_its_lease_ends() {
    let mut cluster = Cluster::start().await;
    let (ann, bob, cat) =
        (cluster.shopper("ann").await, cluster.shopper("bob").await, cluster.shopper("cat").await);
    let mut watching = cluster.live(0, &ann).await;
    let _there = [cluster.live(1, &bob).await, cluster.live(1, &cat).await];
    let mut missing = vec![bob.user_id(), cat.user_id()];
    while !missing.is_empty() {
        let told = watching.hears("user-online").await.payload;
        missing.retain(|user| told["userId"] != *user);
    }
    cluster.nodes.pop().unwrap().kill();
    let _here = cluster.live(0, &cat).await;
    assert_eq!(watching.hears("user-offline").await.payload, json!({"userId": bob.user_id()}));
    let told = watching.heard_so_far().await;
    assert!(!told.iter().any(|heard| heard.word == "user-offline"), "{told:?}");
    let figures = cluster.homes[0].anon().get("/metrics").await.text;
    for figure in ["stoa_nodes 1", "stoa_nodes_lost_total 1", "stoa_online_users 2", "stoa_relay_up 1"] {
        assert!(figures.lines().any(|line| line == figure), "{figure} is not in {figures}");
    }
}

#[test]
fn crash_of_a_node_of_two() {
    on(Engine::Postgres, the_users_of_a_dead_node_go_when_its_lease_ends());
}
