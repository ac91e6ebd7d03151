//! Words between nodes, through a Redis that is well, killed, frozen and started anew.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use stoa_drivers::testing::RedisServer;
use stoa_platform::{
    database::Engine,
    metrics::Metrics,
    relay::{Heard, Relay},
    testing::engines_under_test,
};
use tokio::sync::mpsc::Receiver;

use super::{GENEROUS, Node, Place, until};

const PAUSE: Duration = Duration::from_millis(50);

/// One of the nodes, listening.
struct Talker {
    relay: Arc<dyn Relay>,
    heard: Receiver<Heard>,
    node: Node,
}

impl Talker {
    fn at(place: &Place) -> Self {
        let node = place.node_alone();
        let relay = node.redis.relay(&Metrics::off());
        let heard = relay.listen();
        Self { relay, heard, node }
    }

    async fn up(place: &Place) -> Self {
        let mut talker = Self::at(place);
        talker.hears(&Heard::Up).await;
        talker
    }

    async fn next(&mut self) -> Heard {
        self.heard.recv().await.unwrap()
    }

    async fn hears(&mut self, wanted: &Heard) {
        let heard = self.next().await;
        assert_eq!(heard, *wanted);
    }

    /// Lets words pass that others say until they are heard.
    async fn comes_to(&mut self, wanted: &Heard) {
        while self.next().await != *wanted {}
    }
}

fn word(text: impl ToString) -> Bytes {
    Bytes::from(text.to_string())
}

fn server() -> Option<RedisServer> {
    engines_under_test().contains(&Engine::Postgres).then(RedisServer::start)
}

/// Says something until it is heard: others may come back to the server later.
async fn is_heard(speaker: &Talker, hearer: &mut Talker) {
    let again = Heard::Word(word("again"));
    loop {
        speaker.relay.say(word("again"));
        tokio::select! {
            heard = hearer.next() => if heard == again { return },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

#[tokio::test]
async fn what_a_node_says_all_hear_in_its_order_and_the_node_too() {
    let Some(place) = Place::of_run() else { return };
    let (mut one, mut other) = (Talker::up(&place).await, Talker::up(&place).await);
    for number in 0..500 {
        assert!(one.relay.say(word(number)));
    }
    for talker in [&mut one, &mut other] {
        for number in 0..500 {
            talker.hears(&Heard::Word(word(number))).await;
        }
    }
    assert!(other.relay.say(word("back")));
    one.hears(&Heard::Word(word("back"))).await;
}

#[tokio::test]
async fn another_shop_on_the_same_server_hears_nothing() {
    let (Some(place), Some(shop)) = (Place::of_run(), Place::of_run()) else { return };
    let (mut one, mut other) = (Talker::up(&place).await, Talker::up(&shop).await);
    assert!(one.relay.say(word("here")));
    one.hears(&Heard::Word(word("here"))).await;
    assert!(other.relay.say(word("there")));
    other.hears(&Heard::Word(word("there"))).await;
}

#[tokio::test]
async fn too_long_a_word_is_not_said() {
    let Some(place) = Place::of_run() else { return };
    let mut one = Talker::up(&place).await;
    assert!(!one.relay.say(word("x".repeat(64 * 1024 + 1))));
    assert!(one.relay.say(word("short")));
    one.hears(&Heard::Word(word("short"))).await;
}

#[tokio::test]
async fn who_does_not_listen_for_long_is_told_that_something_was_missed() {
    let Some(place) = Place::of_run() else { return };
    let (one, mut deaf) = (Talker::up(&place).await, Talker::up(&place).await);
    let mut said = 0;
    while said < 5_000 {
        if one.relay.say(word(said)) {
            said += 1;
        } else {
            tokio::task::yield_now().await;
        }
    }
    deaf.comes_to(&Heard::Down).await;
    deaf.comes_to(&Heard::Up).await;
    is_heard(&one, &mut deaf).await;
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_anew_is_told_of() {
    let Some(mut server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let (mut one, mut other) = (Talker::up(&place).await, Talker::up(&place).await);
    server.kill();
    one.hears(&Heard::Down).await;
    other.hears(&Heard::Down).await;
    until("nothing can be said", || async { !one.relay.say(word("lost")) }).await;
    server.restart();
    one.comes_to(&Heard::Up).await;
    other.comes_to(&Heard::Up).await;
    is_heard(&one, &mut other).await;
}

#[tokio::test]
async fn a_server_that_does_nothing_is_one_that_is_not_there() {
    let Some(server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let mut one = Talker::up(&place).await;
    server.freeze();
    one.hears(&Heard::Down).await;
    server.thaw();
    one.comes_to(&Heard::Up).await;
}

#[tokio::test]
async fn a_server_that_forbids_it_is_done_without_and_serves_all_else() {
    let Some(server) = server() else { return };
    let place = Place::at(&server.url(), GENEROUS);
    let mut raw = place.raw().await;
    let rule = |rule: &str| redis::cmd("ACL").arg("SETUSER").arg("default").arg(rule).to_owned();
    let _: () = rule("resetchannels").query_async(&mut raw).await.unwrap();
    let mut one = Talker::at(&place);
    one.node.met().await;
    assert!(one.heard.try_recv().is_err(), "nobody is heard");
    let _: () = rule("allchannels").query_async(&mut raw).await.unwrap();
    one.hears(&Heard::Up).await;
    is_heard(&Talker::up(&place).await, &mut one).await;
}
