//! Pings that the server sends, and what happens when nothing answers.

use std::time::Duration;

use stoa_socketio::{Builder, Reason};

use crate::{
    app::{App, Stage},
    serve::until,
    websocket_client::Websocket,
};

fn quick(builder: Builder<App>) -> Builder<App> {
    builder.ping_interval(Duration::from_millis(60)).ping_timeout(Duration::from_millis(1_500))
}

#[tokio::test]
async fn a_client_that_answers_is_asked_again() {
    let stage = Stage::tuned(quick).await;
    let mut client = Websocket::join(stage.address).await;
    for _ in 0..5 {
        assert_eq!(client.next().await.unwrap().1, b"2");
        client.send("3").await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_cut() {
    let mut stage = Stage::tuned(quick).await;
    let mut client = Websocket::join(stage.address).await;
    assert_eq!(client.close_status().await, None);
    assert_eq!(stage.disconnected().await, Reason::PingTimeout);
    until(|| stage.server.sessions() == 0).await;
}

#[tokio::test]
async fn events_are_no_answer() {
    let mut stage = Stage::tuned(quick).await;
    let mut client = Websocket::join(stage.address).await;
    let talker = tokio::spawn(async move {
        loop {
            client.raw(&crate::websocket_client::masked(0x81, b"42[\"talk\"]")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(stage.disconnected().await, Reason::PingTimeout);
    talker.abort();
}

#[tokio::test]
async fn polling_is_asked_too() {
    let stage = Stage::tuned(quick).await;
    let greeting = reqwest::get(stage.url("EIO=4&transport=polling")).await.unwrap().text().await.unwrap();
    let greeting: serde_json::Value = serde_json::from_str(&greeting[1..]).unwrap();
    let url = stage.url(&format!("EIO=4&transport=polling&sid={}", greeting["sid"].as_str().unwrap()));
    let http = reqwest::Client::new();
    for _ in 0..3 {
        assert_eq!(http.get(&url).send().await.unwrap().text().await.unwrap(), "2");
        assert_eq!(http.post(&url).body("3").send().await.unwrap().text().await.unwrap(), "ok");
    }
    until(|| stage.server.sessions() == 0).await;
    assert_eq!(http.get(&url).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_handler_that_takes_its_time_is_not_the_client_s_fault() {
    let timeout = Duration::from_millis(1_500);
    let mut stage = Stage::tuned(|builder| quick(builder).max_inbox(1)).await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    // One runs, one waits, and the third keeps the reader from the pongs behind it.
    for _ in 0..3 {
        client.send("42[\"wait\"]").await;
    }
    assert_eq!(client.next().await.unwrap().1, b"2");
    client.send("3").await;
    tokio::time::sleep(2 * timeout).await;
    stage.permits.add_permits(3);
    for _ in 0..3 {
        stage.event("wait").await;
    }
    client.send("421[\"count\"]").await;
    assert_eq!(client.text().await, "431[4]");
}

#[tokio::test]
async fn a_server_that_stood_still_blames_nobody() {
    let stage = Stage::tuned(quick).await;
    let mut client = Websocket::join(stage.address).await;
    assert_eq!(client.next().await.unwrap().1, b"2");
    // Everything here runs on this thread: nothing is read, and no clock is looked at.
    std::thread::sleep(Duration::from_secs(3));
    client.send("3").await;
    assert_eq!(client.next().await.unwrap().1, b"2");
}
