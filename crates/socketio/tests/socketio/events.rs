//! Events in both directions, their order, and binary ones.

use stoa_socketio::{Packet, Placeholder, Reason, Violation};

use crate::{
    app::{Seen, Stage},
    websocket_client::Websocket,
};

#[tokio::test]
async fn an_event_carries_any_json() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    for packet in [r#"42["echo",1,"2",{"3":[true]}]"#, "42[\"echo\"]", r#"42["echo","é\u001e\n"]"#] {
        client.send(packet).await;
        let answer = client.text().await;
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&answer[2..]).unwrap(),
            serde_json::from_str::<serde_json::Value>(&packet[2..]).unwrap()
        );
    }
    client.send("42[7,\"numbers are names too\"]").await;
    for _ in 0..3 {
        stage.event("echo").await;
    }
    stage.event("7").await;
}

#[tokio::test]
async fn ten_thousand_events_arrive_in_order_without_acks() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    let sender = tokio::spawn(async move {
        for number in 0..10_000 {
            client.send(&format!("42[\"number\",{number}]")).await;
        }
        client
    });
    for number in 0..10_000 {
        assert_eq!(stage.event("number").await, format!("[\"number\",{number}]"));
    }
    sender.await.unwrap();
}

#[tokio::test]
async fn what_was_sent_right_after_connect_is_handled_after_it() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::open(stage.address).await;
    client.send(r#"40{"slow":true}"#).await;
    client.send("42[\"join\",1]").await;
    client.send("42[\"join\",2]").await;
    stage.permits.add_permits(1);
    stage.connected().await;
    assert_eq!(stage.event("join").await, "[\"join\",1]");
    assert_eq!(stage.event("join").await, "[\"join\",2]");
}

#[tokio::test]
async fn events_wait_for_the_one_before_them_and_the_client_waits_with_them() {
    let mut stage = Stage::tuned(|builder| builder.max_inbox(4)).await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    client.send("42[\"wait\"]").await;
    let sender = tokio::spawn(async move {
        for number in 0..100 {
            client.send(&format!("42[\"number\",{number}]")).await;
        }
        client
    });
    assert!(stage.nothing_more());
    stage.permits.add_permits(1);
    stage.event("wait").await;
    for number in 0..100 {
        assert_eq!(stage.event("number").await, format!("[\"number\",{number}]"));
    }
    sender.await.unwrap();
}

#[tokio::test]
async fn one_slow_socket_does_not_hold_up_another() {
    let mut stage = Stage::new().await;
    let mut slow = Websocket::join(stage.address).await;
    let mut quick = Websocket::join(stage.address).await;
    slow.send("42[\"wait\"]").await;
    quick.send(r#"42["echo",1]"#).await;
    assert_eq!(quick.text().await, r#"42["echo",1]"#);
    stage.connected().await;
}

#[tokio::test]
async fn state_is_kept_from_event_to_event() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    for number in 1..=3 {
        client.send(&format!("42{number}[\"count\"]")).await;
        assert_eq!(client.text().await, format!("43{number}[{number}]"));
    }
}

#[tokio::test]
async fn events_sent_before_leaving_are_handled_before_it() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    for number in 0..10 {
        client.send(&format!("42[\"number\",{number}]")).await;
    }
    client.send("41").await;
    for number in 0..10 {
        assert_eq!(stage.event("number").await, format!("[\"number\",{number}]"));
    }
    assert_eq!(stage.disconnected().await, Reason::ClientDisconnected);
}

#[tokio::test]
async fn attachments_go_both_ways() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send(r#"452-["echo",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]"#).await;
    client.send_binary(&[1, 2, 3]).await;
    client.send_binary(&[]).await;
    assert_eq!(
        client.text().await,
        r#"452-["echo",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]"#
    );
    assert_eq!(client.binary().await, [1, 2, 3]);
    assert!(client.binary().await.is_empty());
}

#[tokio::test]
async fn a_binary_event_of_no_attachments_is_an_event() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send(r#"450-["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["echo",1]"#);
}

#[tokio::test]
async fn a_packet_made_once_goes_to_many() {
    let mut stage = Stage::new().await;
    let mut clients = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        clients.push(Websocket::join(stage.address).await);
        sockets.push(stage.connected().await);
    }
    let blob = bytes::Bytes::from_static(b"blob");
    let packet = Packet::binary_event("/", "news", &(1, Placeholder::new(0)), &[blob]).unwrap();
    for socket in &sockets {
        socket.send(&packet).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.text().await, r#"451-["news",1,{"_placeholder":true,"num":0}]"#);
        assert_eq!(client.binary().await, b"blob");
    }
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_own_connection_only() {
    let mut stage = Stage::new().await;
    let mut bystander = Websocket::join(stage.address).await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"panic\"]").await;
    client.send("42[\"never handled\"]").await;
    assert_eq!(client.close_status().await, Some(1011));
    bystander.send(r#"42["echo",1]"#).await;
    assert_eq!(bystander.text().await, r#"42["echo",1]"#);
    stage.connected().await;
    stage.connected().await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(match stage.seen().await {
            Seen::Event(name, _) => name,
            Seen::Disconnected(reason) => reason.name().to_owned(),
            other => panic!("{other:?}"),
        });
    }
    seen.sort();
    assert_eq!(seen, ["echo", "handler_failed"]);
}

#[tokio::test]
async fn packets_that_cannot_be_parsed_close_the_connection() {
    for packet in [
        "4abc",
        "42{}",
        "42[]",
        "42[\"a\"",
        "42abc[\"echo\"]",
        "42[\"connect\"]",
        "44{}",
        "4",
        "45-[\"a\"]",
        "40[]",
    ] {
        let mut stage = Stage::new().await;
        let mut client = Websocket::join(stage.address).await;
        client.send(packet).await;
        assert_eq!(client.close_status().await, Some(1008), "{packet}");
        assert_eq!(stage.disconnected().await, Reason::Violation(Violation::BadMessage), "{packet}");
    }
}
