//! A plain endpoint on the lower half alone.

use std::{sync::Arc, time::Duration};

use http::Response;
use stoa_socketio::{
    Body, Reason,
    websocket::{self, Frame, Heartbeat, Inbound, Message, Outbound, OutboundLimits},
};
use tokio::sync::mpsc;

use crate::{
    serve::{patiently, serve},
    websocket_client::{PING, PONG, Websocket},
};

/// Echoes, and tells how connections end.
pub(crate) async fn serve_echo() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Reason>) {
    let (ended, heard) = mpsc::unbounded_channel();
    let address = serve(move |mut request| {
        let ended = ended.clone();
        async move {
            let Ok(accepted) = websocket::accept(&mut request) else {
                let mut response = Response::new(Body::default());
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
                return response;
            };
            let outbound = Outbound::new(OutboundLimits::default());
            tokio::spawn(echo(accepted.upgrade, outbound, ended));
            accepted.response.map(|()| Body::default())
        }
    })
    .await;
    (address, heard)
}

async fn echo(upgrade: websocket::Upgrade, outbound: Arc<Outbound>, ended: mpsc::UnboundedSender<Reason>) {
    let (reader, writer) = upgrade.stream().await.unwrap();
    tokio::spawn(websocket::write(outbound.clone(), writer));
    let beat = Heartbeat { interval: Duration::from_millis(100), timeout: Duration::from_millis(1_500) };
    let mut inbound = Inbound::new(reader, outbound.clone(), 1_000).with_heartbeat(beat);
    while let Some(message) = inbound.next().await {
        match message {
            Message::Text(text) => outbound.push(&Frame::text(&text)).unwrap(),
            Message::Binary(bytes) => outbound.push(&Frame::binary(&bytes)).unwrap(),
        }
    }
    ended.send(outbound.ended().unwrap()).unwrap();
    inbound.farewell().await;
}

#[tokio::test]
async fn messages_come_back() {
    let (address, _) = serve_echo().await;
    let mut client = Websocket::open_at(address, "/ws").await;
    client.send("hello").await;
    assert_eq!(client.text().await, "hello");
    client.send_binary(&[0; 500]).await;
    assert_eq!(client.binary().await, [0; 500]);
}

#[tokio::test]
async fn silence_is_answered_by_pings_and_then_by_a_cut() {
    let (address, mut ended) = serve_echo().await;
    let mut client = Websocket::open_at(address, "/ws").await;
    for _ in 0..4 {
        assert_eq!(client.next().await.unwrap().0, PING);
        client.send_final(PONG, b"").await;
    }
    assert_eq!(client.next().await.unwrap().0, PING);
    assert_eq!(client.next().await, None);
    assert_eq!(patiently(ended.recv()).await, Some(Reason::PingTimeout));
}

#[tokio::test]
async fn its_limit_is_its_own() {
    let (address, mut ended) = serve_echo().await;
    let mut client = Websocket::open_at(address, "/ws").await;
    client.send_binary(&[0; 1_001]).await;
    assert_eq!(client.close_status().await, Some(1009));
    assert!(patiently(ended.recv()).await.is_some());
}
