//! Long polling.

use reqwest::{Client, Response};
use serde_json::Value;
use stoa_socketio::{Reason, Violation, websocket::OutboundLimits};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    app::Stage,
    serve::{patiently, until},
};

pub(crate) struct Polling {
    http: Client,
    url: String,
}

impl Polling {
    pub(crate) async fn open(stage: &Stage) -> Self {
        let http = Client::new();
        let response = http.get(stage.url("EIO=4&transport=polling")).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/plain; charset=UTF-8");
        let text = response.text().await.unwrap();
        let greeting: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(greeting["upgrades"], serde_json::json!(["websocket"]));
        let sid = greeting["sid"].as_str().unwrap();
        Self { http, url: stage.url(&format!("EIO=4&transport=polling&sid={sid}")) }
    }

    pub(crate) async fn join(stage: &Stage) -> Self {
        let polling = Self::open(stage).await;
        assert_eq!(polling.post("40").await.status(), 200);
        assert!(polling.poll().await.starts_with("40{\"sid\":"));
        polling
    }

    pub(crate) fn sid(&self) -> &str {
        self.url.rsplit('=').next().unwrap()
    }

    pub(crate) async fn get(&self) -> Response {
        patiently(self.http.get(&self.url).send()).await.unwrap()
    }

    pub(crate) async fn poll(&self) -> String {
        let response = self.get().await;
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Response {
        patiently(self.http.post(&self.url).body(body).send()).await.unwrap()
    }
}

#[tokio::test]
async fn packets_come_and_go_together() {
    let stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    let response = client.post("42[\"echo\",1]\x1e42[\"echo\",2]\x1e42[\"echo\",3]").await;
    assert_eq!(response.text().await.unwrap(), "ok");
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.extend(client.poll().await.split('\x1e').map(str::to_owned));
    }
    assert_eq!(heard, ["42[\"echo\",1]", "42[\"echo\",2]", "42[\"echo\",3]"]);
}

#[tokio::test]
async fn binary_packets_are_in_base64() {
    let stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    client.post("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==").await;
    assert_eq!(client.poll().await, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==");
}

#[tokio::test]
async fn a_poll_waits_until_there_is_something_to_say() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    let socket = stage.connected().await;
    let (heard, ()) = tokio::join!(client.poll(), async {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        socket.emit("news", &(1,)).unwrap();
    });
    assert_eq!(heard, "42[\"news\",1]");
}

#[tokio::test]
async fn two_polls_at_once_close_the_session() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    stage.connected().await;
    let first = tokio::spawn({
        let request = client.http.get(&client.url);
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    let second = Client::new();
    // Whichever comes second is the one too many.
    let mut answers = vec![second.get(&client.url).send().await.unwrap().text().await.unwrap()];
    answers.push(patiently(first).await.unwrap());
    answers.sort();
    assert_eq!(answers, ["1", r#"{"code":3,"message":"Bad request"}"#]);
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::Overlap));
    assert_eq!(client.get().await.status(), 400);
}

/// Sends the head of a POST and half of its body.
async fn half_a_post(stage: &Stage, client: &Polling) -> TcpStream {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n42",
        client.sid()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn two_posts_at_once_close_the_session() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    stage.connected().await;
    let _half = half_a_post(&stage, &client).await;
    // The first may not have arrived yet; then this one is alone and fine.
    while client.post("3").await.status() == 200 {}
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::Overlap));
}

#[tokio::test]
async fn a_post_given_up_half_way_ends_the_session() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    stage.connected().await;
    drop(half_a_post(&stage, &client).await);
    assert_eq!(stage.disconnected().await, Reason::ConnectionLost);
}

#[tokio::test]
async fn a_poll_given_up_ends_the_session() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    stage.connected().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "GET /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        client.sid()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Until it is there, a second one would wait; then it is one too many, so try by closing alone.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(stream);
    assert_eq!(stage.disconnected().await, Reason::ConnectionLost);
    assert_eq!(client.get().await.status(), 400);
}

#[tokio::test]
async fn wrong_packets_are_a_400_and_the_end() {
    let cases: [(&[u8], Violation); 5] = [
        (b"abc", Violation::BadPacket),
        (b"", Violation::BadPacket),
        (b"b%%%", Violation::BadPacket),
        (b"4abc", Violation::BadMessage),
        (b"42[\"\xff\"]", Violation::BadText),
    ];
    for (body, violation) in cases {
        let mut stage = Stage::new().await;
        let client = Polling::join(&stage).await;
        let response = client.post(body.to_vec()).await;
        assert_eq!(response.status(), 400, "{violation:?}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], 3);
        assert_eq!(stage.disconnected().await, Reason::Violation(violation));
        assert_eq!(client.get().await.status(), 400);
    }
}

#[tokio::test]
async fn bodies_above_the_limit_are_refused_by_their_length_and_while_they_come() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    assert_eq!(client.post(vec![b'4'; 65_537]).await.status(), 413);
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::TooLarge));

    let client = Polling::join(&stage).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.sid()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Endless: the server stops it.
    let chunk = [b"4000\r\n".as_slice(), &[b'4'; 0x4000], b"\r\n"].concat();
    while stream.write_all(&chunk).await.is_ok() && client_lives(&stage) {}
    assert_eq!(stage.disconnected().await, Reason::Violation(Violation::TooLarge));
}

fn client_lives(stage: &Stage) -> bool {
    stage.server.sessions() > 0
}

#[tokio::test]
async fn a_client_s_goodbye_lets_its_poll_go() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    stage.connected().await;
    let waiting = tokio::spawn({
        let request = client.http.get(&client.url);
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(client.post("1").await.text().await.unwrap(), "ok");
    assert_eq!(patiently(waiting).await.unwrap(), "6");
    assert_eq!(stage.disconnected().await, Reason::ClientClosed);
    assert_eq!(client.get().await.status(), 400);
}

#[tokio::test]
async fn last_words_and_the_close_of_a_server_reach_a_client_that_is_between_two_polls() {
    let mut stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    let socket = stage.connected().await;
    socket.emit("last", &(1,)).unwrap();
    socket.close(Reason::Application("bye"));
    assert_eq!(stage.disconnected().await, Reason::Application("bye"));
    assert_eq!(client.poll().await, "42[\"last\",1]\x1e1");
    assert_eq!(client.get().await.status(), 400);
}

#[tokio::test]
async fn what_is_not_fetched_is_bounded_too() {
    let limits = OutboundLimits { frames: 10, ..OutboundLimits::default() };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let client = Polling::join(&stage).await;
    let socket = stage.connected().await;
    while socket.emit("news", &()).is_ok() {}
    assert_eq!(stage.disconnected().await, Reason::QueueFull);
    assert_eq!(client.get().await.status(), 400);
    until(|| stage.server.sessions() == 0).await;
}

#[tokio::test]
async fn what_is_not_fetched_in_time_cuts_the_session() {
    let limits =
        OutboundLimits { stall: std::time::Duration::from_millis(1_500), ..OutboundLimits::default() };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let _client = Polling::join(&stage).await;
    let socket = stage.connected().await;
    socket.emit("news", &()).unwrap();
    assert_eq!(stage.disconnected().await, Reason::Stalled);
}

#[tokio::test]
async fn other_methods_are_refused_and_harm_nothing() {
    let stage = Stage::new().await;
    let client = Polling::join(&stage).await;
    assert_eq!(client.http.put(&client.url).send().await.unwrap().status(), 400);
    client.post("42[\"echo\"]").await;
    assert_eq!(client.poll().await, "42[\"echo\"]");
}
