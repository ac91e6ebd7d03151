//! The seam by which a client takes up where it was.

use std::sync::{Arc, Mutex};

use stoa_socketio::{Accepted, Packet, Reason, Recovery, Socket, websocket::OutboundLimits};

use crate::{
    app::{Setup, Stage},
    websocket_client::Websocket,
};

/// Recovers everybody who names `session`, with as many missed events, while others keep sending live ones.
fn recovering(asked: Arc<Mutex<Vec<Option<Recovery>>>>, missed: usize) -> Setup {
    Setup {
        connect: Box::new(move |connect| {
            let recovery = connect.recovery();
            asked.lock().unwrap().push(recovery.clone());
            send_live(connect.socket, "live while connecting");
            let accepted = Accepted::new(0).pid("session");
            Ok(match recovery {
                Some(recovery) if recovery.pid == "session" => {
                    accepted.missed(missed_after(&recovery, missed))
                }
                _ => accepted,
            })
        }),
        ..Setup::default()
    }
}

fn send_live(socket: &Socket, what: &str) {
    socket.emit("live", &(what,)).unwrap();
}

fn missed_after(recovery: &Recovery, count: usize) -> Vec<Packet> {
    let offset: usize = recovery.offset.as_deref().unwrap_or("0").parse().unwrap();
    let packet = |number: usize| Packet::event("/", "missed", &(number, number.to_string())).unwrap();
    (offset + 1..=offset + count).map(packet).collect()
}

#[tokio::test]
async fn the_missed_come_after_the_answer_and_before_anything_live() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut stage = Stage::with(recovering(asked.clone(), 3), |builder| builder).await;
    let mut client = Websocket::open(stage.address).await;
    client.send(r#"40{"pid":"session","offset":"41","token":"t"}"#).await;
    let answer = client.text().await;
    let socket = stage.connected().await;
    assert_eq!(answer, format!("40{{\"sid\":\"{}\",\"pid\":\"session\"}}", socket.id()));
    for number in 42..45 {
        assert_eq!(client.text().await, format!("42[\"missed\",{number},\"{number}\"]"));
    }
    assert_eq!(client.text().await, r#"42["live","live while connecting"]"#);
    send_live(&socket, "live");
    assert_eq!(client.text().await, r#"42["live","live"]"#);
    let offset = Some("41".to_owned());
    assert_eq!(*asked.lock().unwrap(), [Some(Recovery { pid: "session".to_owned(), offset })]);
}

#[tokio::test]
async fn a_client_that_heard_nothing_has_no_offset_and_a_new_one_no_pid() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let stage = Stage::with(recovering(asked.clone(), 0), |builder| builder).await;
    for connect in ["40", r#"40{"token":"t"}"#, r#"40{"pid":"other"}"#, r#"40{"pid":7}"#] {
        let mut client = Websocket::open(stage.address).await;
        client.send(connect).await;
        assert!(client.text().await.contains("\"pid\":\"session\""));
    }
    let other = Some(Recovery { pid: "other".to_owned(), offset: None });
    assert_eq!(*asked.lock().unwrap(), [None, None, other, None]);
}

#[tokio::test]
async fn the_missed_may_be_more_than_the_queue_holds_and_live_ones_still_fit() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let limits = OutboundLimits { frames: 4, bytes: 1_000, ..OutboundLimits::default() };
    let mut stage = Stage::with(recovering(asked, 2_000), |builder| builder.outbound(limits)).await;
    let mut client = Websocket::open(stage.address).await;
    client.send(r#"40{"pid":"session","offset":"0"}"#).await;
    assert!(client.text().await.starts_with("40{"));
    send_live(&stage.connected().await, "live");
    for number in 1..=2_000 {
        assert_eq!(client.text().await, format!("42[\"missed\",{number},\"{number}\"]"));
    }
    assert_eq!(client.text().await, r#"42["live","live while connecting"]"#);
    assert_eq!(client.text().await, r#"42["live","live"]"#);
}

#[tokio::test]
async fn what_is_held_back_while_connecting_is_bounded_as_well() {
    let setup = Setup {
        connect: Box::new(|connect| {
            while connect.socket.emit("live", &()).is_ok() {}
            Ok(Accepted::new(0))
        }),
        ..Setup::default()
    };
    let limits = OutboundLimits { frames: 4, ..OutboundLimits::default() };
    let mut stage = Stage::with(setup, |builder| builder.outbound(limits)).await;
    let mut client = Websocket::open(stage.address).await;
    client.send("40").await;
    assert_eq!(client.close_status().await, None);
    assert_eq!(stage.disconnected().await, Reason::QueueFull);
}
