//! How many, how often.

use stoa_socketio::{Observation, Reason, Transport};

use crate::{app::Stage, serve::until, websocket_client::Websocket};

#[tokio::test]
async fn sessions_are_bounded_and_room_comes_back() {
    let stage = Stage::tuned(|builder| builder.max_sessions(2)).await;
    let first = Websocket::join(stage.address).await;
    let _second = Websocket::join(stage.address).await;
    let response = reqwest::get(stage.url("EIO=4&transport=polling")).await.unwrap();
    assert_eq!(response.status(), 503);
    drop(first);
    until(|| stage.server.sessions() < 2).await;
    Websocket::join(stage.address).await;
}

#[tokio::test]
async fn events_are_bounded_with_a_last_word() {
    let mut stage = Stage::tuned(|builder| builder.max_events_per_second(Some(20))).await;
    let mut client = Websocket::join(stage.address).await;
    for _ in 0..200 {
        client.raw(&crate::websocket_client::masked(0x81, b"42[\"talk\"]")).await;
    }
    assert_eq!(client.text().await, r#"42["error",{"message":"slow down"}]"#);
    assert_eq!(client.close_status().await, Some(1008));
    assert_eq!(stage.disconnected().await, Reason::TooManyEvents);
}

#[tokio::test]
async fn refusals_to_join_are_counted_as_well() {
    let stage = Stage::tuned(|builder| builder.max_events_per_second(Some(20))).await;
    let mut client = Websocket::open(stage.address).await;
    for _ in 0..200 {
        client.raw(&crate::websocket_client::masked(0x81, b"40/random")).await;
    }
    assert_eq!(client.close_status().await, Some(1008));
}

#[tokio::test]
async fn what_happens_is_observed() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("4abc").await;
    client.close_status().await;
    stage.disconnected().await;
    assert_eq!(reqwest::get(stage.url("EIO=3&transport=polling")).await.unwrap().status(), 400);
    let observed = stage.observed.lock().unwrap().clone();
    let transport = Transport::Websocket;
    assert_eq!(observed.first(), Some(&Observation::Opened { transport }));
    let reason = Reason::Violation(stoa_socketio::Violation::BadMessage);
    assert_eq!(observed.get(1), Some(&Observation::Ended { transport, reason }));
    assert!(matches!(observed.get(2), Some(Observation::Refused { status }) if *status == 400));
}
