//! Handshakes, namespaces, and who is let in.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use stoa_socketio::{Reason, Refusal, Refused, Violation};
use tokio::net::TcpStream;

use crate::{
    app::{Setup, Stage},
    websocket_client::{Websocket, handshake, request_head},
};

#[tokio::test]
async fn the_greeting_says_what_is_set() {
    let stage = Stage::new().await;
    let mut socket = Websocket::open_at(stage.address, "/socket.io/?EIO=4&transport=websocket").await;
    let text = socket.text().await;
    let greeting: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
    let sid = greeting["sid"].as_str().unwrap();
    assert_eq!(sid.len(), 27, "160 bits");
    let expected = json!({
        "sid": sid, "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 65_536
    });
    assert_eq!(greeting, expected);
}

#[tokio::test]
async fn requests_that_ask_for_nothing_known_are_refused_with_their_code() {
    let stage = Stage::new().await;
    let cases = [
        ("GET", "", 0, "Transport unknown"),
        ("GET", "EIO=4", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=webtransport", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("PUT", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("GET", "EIO=4&transport=websocket", 3, "Bad request"),
        ("GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "transport=polling", 5, "Unsupported protocol version"),
    ];
    for (method, query, code, message) in cases {
        let method = method.parse().unwrap();
        let response = reqwest::Client::new().request(method, stage.url(query)).send().await.unwrap();
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(
            response.json::<Value>().await.unwrap(),
            json!({"code": code, "message": message}),
            "{query}"
        );
    }
    assert_eq!(stage.server.sessions(), 0);
}

#[tokio::test]
async fn a_websocket_handshake_needs_version_and_key() {
    let stage = Stage::new().await;
    let good = handshake("/socket.io/?EIO=4&transport=websocket");
    let wrong = [
        good.replace("Version: 13", "Version: 8"),
        good.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
        good.replace("Sec-WebSocket-Key", "X-Key"),
        good.replace("EIO=4", "EIO=3"),
        good.replace("transport=websocket", "transport=websocket&sid=unknown"),
    ];
    for request in wrong {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let head = request_head(&mut stream, &request).await;
        assert!(head.starts_with("HTTP/1.1 400"), "{request}{head}");
    }
    assert_eq!(stage.server.sessions(), 0);
}

#[tokio::test]
async fn the_application_decides_whom_it_admits() {
    let setup = Setup {
        admit: Box::new(|handshake| {
            match handshake.headers.get("x-address").and_then(|value| value.to_str().ok()) {
                Some("flooding") => Err(Refusal::too_many("Too many connections", 7)),
                Some("banned") => Err(Refusal::forbidden("Not you")),
                _ => Ok(()),
            }
        }),
        ..Setup::default()
    };
    let stage = Stage::with(setup, |builder| {
        builder.origin(|origin| origin.is_none_or(|name| name != "https://evil"))
    })
    .await;
    let ask = |name: &'static str, value: &'static str| {
        let client = reqwest::Client::new();
        client.get(stage.url("EIO=4&transport=polling")).header(name, value).send()
    };
    let response = ask("x-address", "flooding").await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let response = ask("x-address", "banned").await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"code": 4, "message": "Not you"}));
    assert_eq!(ask("origin", "https://evil").await.unwrap().status(), 403);
    assert_eq!(ask("origin", "https://good").await.unwrap().status(), 200);
}

#[tokio::test]
async fn joining_the_main_namespace_is_answered_with_an_id() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::open(stage.address).await;
    client.send("40").await;
    let answer = client.text().await;
    let socket = stage.connected().await;
    assert_eq!(answer, format!("40{{\"sid\":\"{}\"}}", socket.id()));
    assert_eq!(socket.namespace(), "/");
    assert!(socket.is_connected());
}

#[tokio::test]
async fn auth_reaches_the_application_and_its_first_words_follow_the_answer() {
    let stage = Stage::new().await;
    let mut client = Websocket::open(stage.address).await;
    client.send(r#"40/custom,{"echo":true,"token":"123"}"#).await;
    assert!(client.text().await.starts_with("40/custom,{\"sid\":"));
    assert_eq!(client.text().await, r#"42/custom,["auth",{"echo":true,"token":"123"}]"#);
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_and_the_connection_stays() {
    let stage = Stage::new().await;
    let mut client = Websocket::open(stage.address).await;
    client.send("40/random").await;
    assert_eq!(client.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
}

#[tokio::test]
async fn a_refusal_carries_message_and_data() {
    let setup = Setup {
        connect: Box::new(|_| Err(Refused::new("Authentication error").data(json!({"code": "NO_TOKEN"})))),
        ..Setup::default()
    };
    let mut stage = Stage::with(setup, |builder| builder).await;
    let mut client = Websocket::open(stage.address).await;
    client.send("40").await;
    assert_eq!(client.text().await, r#"44{"message":"Authentication error","data":{"code":"NO_TOKEN"}}"#);
    // What the client sent before it knew is no fault, and goes nowhere.
    client.send("42[\"early\"]").await;
    client.send("40").await;
    assert!(client.text().await.starts_with("44{"));
    assert!(stage.nothing_more());
}

#[tokio::test]
async fn namespaces_of_one_connection_are_apart() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("40/custom").await;
    assert!(client.text().await.starts_with("40/custom,{"));
    let (main, custom) = (stage.connected().await, stage.connected().await);
    assert_ne!(main.id(), custom.id());
    client.send(r#"42/custom,["echo","c"]"#).await;
    assert_eq!(client.text().await, r#"42/custom,["echo","c"]"#);
    client.send("41/custom").await;
    stage.event("echo").await;
    assert_eq!(stage.disconnected().await, Reason::ClientDisconnected);
    client.send(r#"42["echo","m"]"#).await;
    assert_eq!(client.text().await, r#"42["echo","m"]"#);
    assert!(custom.emit("late", &()).is_err());
    assert!(!custom.is_connected() && main.is_connected());
}

#[tokio::test]
async fn who_was_sent_away_is_told_and_the_connection_stays() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    client.send("42[\"leave\"]").await;
    assert_eq!(client.text().await, "41");
    assert_eq!(stage.disconnected().await, Reason::ServerDisconnected);
    // Under way when the socket went: no fault of the client.
    client.send("42[\"late\"]").await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
}

#[tokio::test]
async fn packets_of_a_namespace_never_joined_close_the_connection() {
    for packet in ["42[\"echo\"]", "41", "431[]", "42/custom,[\"echo\"]"] {
        let stage = Stage::new().await;
        let mut client = Websocket::open(stage.address).await;
        client.send(packet).await;
        assert_eq!(client.close_status().await, Some(1008), "{packet}");
    }
}

#[tokio::test]
async fn joining_twice_or_too_often_closes_the_connection() {
    let mut stage = Stage::tuned(|builder| builder.max_namespaces(2)).await;
    let mut client = Websocket::join(stage.address).await;
    client.send(r#"42["echo",1]"#).await;
    client.send("40").await;
    assert_eq!(client.close_status().await, Some(1008));
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::BadNamespace));

    let mut client = Websocket::join(stage.address).await;
    client.send("40/custom").await;
    client.send("40/custom2").await;
    assert_eq!(client.close_status().await, Some(1008));
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::TooManyNamespaces));
}

#[tokio::test]
async fn asking_twice_before_saying_anything_is_asking_once() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::open(stage.address).await;
    client.send("40").await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["echo",1]"#);
    stage.connected().await;
    stage.event("echo").await;
}

#[tokio::test]
async fn who_joins_nothing_in_time_is_closed() {
    let stage = Stage::tuned(|builder| builder.connect_timeout(Duration::from_millis(50))).await;
    let mut idle = Websocket::open(stage.address).await;
    assert_eq!(idle.close_status().await, Some(1000));
    let observed: Vec<_> = Arc::clone(&stage.observed).lock().unwrap().clone();
    assert!(format!("{observed:?}").contains("ConnectTimeout"), "{observed:?}");
}

#[tokio::test]
async fn who_joined_in_time_stays_beyond_it() {
    let stage = Stage::tuned(|builder| {
        builder.connect_timeout(Duration::from_millis(1_500)).ping_interval(Duration::from_millis(2_500))
    })
    .await;
    let mut client = Websocket::join(stage.address).await;
    // The ping comes after the time to connect has passed.
    assert_eq!(client.next().await.unwrap().1, b"2");
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["echo",1]"#);
}
