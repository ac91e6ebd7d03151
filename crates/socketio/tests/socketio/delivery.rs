//! What leaves the server: in order, shared, bounded; the slow are cut and the others miss nothing.

use std::time::Duration;

use stoa_socketio::{Packet, Reason, Socket, websocket::OutboundLimits};

use crate::{
    app::Stage,
    polling::Polling,
    serve::{patiently, until},
    websocket_client::Websocket,
};

#[tokio::test]
async fn ten_thousand_events_leave_in_order_without_acks() {
    let limits = OutboundLimits { frames: 20_000, bytes: 1 << 22, ..OutboundLimits::default() };
    let stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"flood\",10000]").await;
    for number in 0..10_000 {
        assert_eq!(client.text().await, format!("42[\"drop\",{number}]"));
    }
}

#[tokio::test]
async fn joined_packets_are_heard_one_by_one_over_every_transport() {
    let mut stage = Stage::new().await;
    let mut websocket = Websocket::join(stage.address).await;
    let first = stage.connected().await;
    let polling = Polling::join(&stage).await;
    let second = stage.connected().await;
    let packets: Vec<Packet> =
        (1..=3).map(|number| Packet::event("/", "news", &(number,)).unwrap()).collect();
    let joined = Packet::joined(&packets);
    for socket in [first, second] {
        socket.send(&joined).unwrap();
    }
    let expected = [1, 2, 3].map(|number| format!("42[\"news\",{number}]"));
    for packet in &expected {
        assert_eq!(websocket.text().await, *packet);
    }
    assert_eq!(polling.poll().await, expected.join("\x1e"));
}

async fn join_many(stage: &mut Stage, count: usize) -> Vec<(Websocket, Socket)> {
    let mut joined = Vec::new();
    for _ in 0..count {
        let client = Websocket::join(stage.address).await;
        joined.push((client, stage.connected().await));
    }
    joined
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_cut_while_five_hundred_others_miss_nothing() {
    const MESSAGES: usize = 400;
    let limits = OutboundLimits { frames: 64, bytes: 1 << 20, ..OutboundLimits::default() };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let others = join_many(&mut stage, 500).await;
    let (stalled, slow) = join_many(&mut stage, 1).await.pop().unwrap();

    let mut sockets = Vec::new();
    let mut readers = Vec::new();
    for (mut client, socket) in others {
        sockets.push(socket);
        readers.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                assert!(client.text().await.starts_with(&format!("42[\"news\",{number},")));
            }
            client
        }));
    }
    let padding = "x".repeat(1024);
    for number in 0..MESSAGES {
        let packet = Packet::event("/", "news", &(number, &padding)).unwrap();
        if number == MESSAGES / 2 {
            // Fills what the kernel takes, then the queue.
            while slow.send(&packet).is_ok() {}
        }
        for socket in &sockets {
            // Paced by those who read: their queues must not overflow for want of a turn.
            until(|| socket.queued().0 < 32).await;
            socket.send(&packet).unwrap();
        }
    }
    let mut clients = Vec::new();
    for reader in readers {
        clients.push(patiently(reader).await.unwrap());
    }
    assert_eq!(stage.disconnected().await, Reason::QueueFull);
    assert!(!slow.is_connected());
    until(|| stage.server.sessions() == 500).await;
    drop((stalled, clients));
}

#[tokio::test]
async fn a_reader_of_a_byte_now_and_then_is_cut_by_the_age_of_what_it_is_owed() {
    let limits = OutboundLimits {
        frames: 100_000,
        bytes: 1 << 30,
        stall: Duration::from_millis(400),
        ..OutboundLimits::default()
    };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let mut client = Websocket::join(stage.address).await;
    let socket = stage.connected().await;
    let packet = Packet::event("/", "news", &("x".repeat(60_000),)).unwrap();
    for _ in 0..1_000 {
        socket.send(&packet).unwrap();
    }
    let dribble = tokio::spawn(async move {
        let mut byte = [0; 1];
        while tokio::io::AsyncReadExt::read(&mut client.stream, &mut byte).await.is_ok_and(|read| read > 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(stage.disconnected().await, Reason::Stalled);
    assert!(socket.send(&packet).is_err());
    dribble.abort();
}

#[tokio::test]
async fn volatile_events_are_coalesced_behind_durable_ones_and_push_nothing_out() {
    let limits = OutboundLimits { frames: 600, ..OutboundLimits::default() };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let mut client = Websocket::join(stage.address).await;
    let socket = stage.connected().await;
    // All of it within one turn of the only thread, so the writer sees it at once.
    for number in 0..500 {
        let typing = Packet::event("/", "typing", &(number,)).unwrap();
        socket.send_volatile("typing:bob", &typing).unwrap();
        socket.emit("news", &(number,)).unwrap();
    }
    assert_eq!(socket.queued().0, 500);
    for number in 0..500 {
        assert_eq!(client.text().await, format!("42[\"news\",{number}]"));
    }
    assert_eq!(client.text().await, "42[\"typing\",499]");
    socket.emit("last", &()).unwrap();
    assert_eq!(client.text().await, "42[\"last\"]");
}

#[tokio::test]
async fn what_was_queued_before_a_close_is_still_delivered() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    let socket = stage.connected().await;
    for number in 0..100 {
        socket.emit("news", &(number,)).unwrap();
    }
    socket.close(Reason::Application("session_ended"));
    assert!(socket.emit("late", &()).is_err());
    for number in 0..100 {
        assert_eq!(client.text().await, format!("42[\"news\",{number}]"));
    }
    assert_eq!(client.close_status().await, Some(1000));
    assert_eq!(stage.disconnected().await, Reason::Application("session_ended"));
}

#[tokio::test]
async fn a_cut_waits_for_nobody() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    let socket = stage.connected().await;
    socket.cut(Reason::Application("session_ended"));
    assert_eq!(client.close_status().await, None);
    assert_eq!(stage.disconnected().await, Reason::Application("session_ended"));
    until(|| stage.server.sessions() == 0).await;
}
