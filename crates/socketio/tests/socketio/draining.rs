//! Going away without keeping clients from coming back.

use std::time::Duration;

use stoa_socketio::Reason;

use crate::{app::Stage, serve::until, websocket_client::Websocket};

#[tokio::test]
async fn streams_are_closed_without_a_disconnect_and_nobody_new_comes_in() {
    let mut stage = Stage::new().await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Websocket::join(stage.address).await);
        stage.connected().await;
    }
    let polling = reqwest::get(stage.url("EIO=4&transport=polling")).await.unwrap().text().await.unwrap();
    let greeting: serde_json::Value = serde_json::from_str(&polling[1..]).unwrap();
    let poll = stage.url(&format!("EIO=4&transport=polling&sid={}", greeting["sid"].as_str().unwrap()));

    stage.server.drain(Duration::from_millis(50)).await;
    for client in &mut clients {
        let (opcode, payload) = client.next().await.unwrap();
        assert_eq!((opcode, payload), (8, 1001_u16.to_be_bytes().to_vec()));
        assert_eq!(stage.disconnected().await, Reason::Draining);
    }
    // The packet that closes a session, in answer to the next poll.
    assert_eq!(reqwest::get(&poll).await.unwrap().text().await.unwrap(), "1");
    assert_eq!(reqwest::get(&poll).await.unwrap().status(), 400);
    let response = reqwest::get(stage.url("EIO=4&transport=polling")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    until(|| stage.server.sessions() <= 1).await;
}

#[tokio::test]
async fn nobody_to_close_takes_no_time() {
    let stage = Stage::new().await;
    stage.server.drain(Duration::from_hours(1)).await;
}
