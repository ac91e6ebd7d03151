//! From long polling to a WebSocket, with nothing lost on the way.

use std::time::Duration;

use stoa_socketio::Observation;

use crate::{
    app::Stage,
    polling::Polling,
    serve::until,
    websocket_client::{TEXT, Websocket},
};

async fn try_upgrade(stage: &Stage, polling: &Polling) -> Websocket {
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={}", polling.sid());
    Websocket::open_at(stage.address, &target).await
}

async fn probe(stage: &Stage, polling: &Polling) -> Websocket {
    let mut socket = try_upgrade(stage, polling).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket
}

#[tokio::test]
async fn a_session_moves_with_all_that_is_queued() {
    let mut stage = Stage::new().await;
    let polling = Polling::join(&stage).await;
    let socket = stage.connected().await;
    let mut stream = probe(&stage, &polling).await;
    socket.emit("news", &(1,)).unwrap();
    assert_eq!(polling.poll().await, "42[\"news\",1]");
    assert_eq!(polling.poll().await, "6");
    socket.emit("news", &(2,)).unwrap();
    // What follows the upgrade in the same breath belongs to the session already.
    stream
        .raw(
            &[
                crate::websocket_client::masked(0x80 | TEXT, b"5"),
                crate::websocket_client::masked(0x80 | TEXT, b"42[\"echo\",3]"),
            ]
            .concat(),
        )
        .await;
    assert_eq!(stream.text().await, "42[\"news\",2]");
    assert_eq!(stream.text().await, "42[\"echo\",3]");
    assert_eq!(stage.server.sessions(), 1);
    assert!(stage.observed.lock().unwrap().contains(&Observation::Upgraded));
}

#[tokio::test]
async fn a_poll_that_waits_is_let_go() {
    let stage = Stage::new().await;
    let polling = Polling::join(&stage).await;
    let (heard, mut stream) = tokio::join!(polling.poll(), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        probe(&stage, &polling).await
    });
    assert_eq!(heard, "6");
    stream.send("5").await;
    stream.send("42[\"echo\"]").await;
    assert_eq!(stream.text().await, "42[\"echo\"]");
}

#[tokio::test]
async fn after_the_upgrade_polling_is_refused_and_harms_nothing() {
    let stage = Stage::new().await;
    let polling = Polling::join(&stage).await;
    let mut stream = probe(&stage, &polling).await;
    stream.send("5").await;
    stream.send("42[\"echo\"]").await;
    assert_eq!(stream.text().await, "42[\"echo\"]");
    assert_eq!(polling.get().await.status(), 400);
    assert_eq!(polling.post("42[\"echo\"]").await.status(), 400);
    let mut second = try_upgrade(&stage, &polling).await;
    second.close_status().await;
    stream.send("42[\"echo\"]").await;
    assert_eq!(stream.text().await, "42[\"echo\"]");
}

#[tokio::test]
async fn a_second_attempt_beside_the_first_is_closed() {
    let stage = Stage::new().await;
    let polling = Polling::join(&stage).await;
    let mut first = probe(&stage, &polling).await;
    let mut second = try_upgrade(&stage, &polling).await;
    assert_eq!(second.close_status().await, Some(1000));
    first.send("5").await;
    first.send("42[\"echo\"]").await;
    assert_eq!(first.text().await, "42[\"echo\"]");
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_polling_as_it_was() {
    let stage = Stage::tuned(|builder| builder.upgrade_timeout(Duration::from_secs(1))).await;
    let polling = Polling::join(&stage).await;
    for wrong in ["3probe", "5", "42[\"echo\"]"] {
        let mut stream = try_upgrade(&stage, &polling).await;
        stream.send(wrong).await;
        assert_eq!(stream.close_status().await, None);
    }
    let mut silent = try_upgrade(&stage, &polling).await;
    assert_eq!(silent.close_status().await, None);
    drop(probe(&stage, &polling).await);
    // The attempt is over when a new one is let through.
    until_it_may_upgrade(&stage, &polling).await;
}

async fn until_it_may_upgrade(stage: &Stage, polling: &Polling) {
    loop {
        let mut stream = try_upgrade(stage, polling).await;
        stream.send("2probe").await;
        if stream.next().await.is_some_and(|(opcode, _)| opcode == TEXT) {
            stream.send("5").await;
            stream.send("42[\"echo\"]").await;
            assert_eq!(stream.text().await, "42[\"echo\"]");
            return;
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_takes_the_attempt_with_it() {
    let stage = Stage::new().await;
    let polling = Polling::join(&stage).await;
    let mut stream = probe(&stage, &polling).await;
    polling.post("1").await;
    stream.send("5").await;
    assert_eq!(stream.close_status().await, None);
    until(|| stage.server.sessions() == 0).await;
}
