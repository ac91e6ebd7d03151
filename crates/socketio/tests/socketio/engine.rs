//! Engine.IO by itself, under a protocol that answers every message with itself.

use std::sync::Arc;

use stoa_socketio::{
    Handshake, Reason, Refusal,
    engine::{Hooks, Link, Protocol, Server, Settings},
    websocket::{Frame, Message},
};

use crate::{serve::serve, websocket_client::Websocket};

struct Echo;

impl Protocol for Echo {
    type Client = ();
    type Connection = Arc<Link>;

    fn admit(&self, _: &Handshake<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn opened(&self, link: &Arc<Link>, (): ()) -> Arc<Link> {
        link.clone()
    }

    async fn received(&self, link: &Arc<Link>, message: Message) -> Result<(), Reason> {
        let frame = match message {
            Message::Text(text) => Frame::text(&format!("4{text}")),
            Message::Binary(bytes) => Frame::binary(&bytes),
        };
        // Fails when the session has ended.
        let _ = link.send(&frame);
        Ok(())
    }

    fn ended(&self, _: &Arc<Link>, _: Reason) {}
}

async fn serve_echo() -> std::net::SocketAddr {
    let server = Server::new(Echo, Settings::default(), Arc::new(Hooks::default()));
    serve(move |request| {
        let server = server.clone();
        async move { server.handle(request).await }
    })
    .await
}

#[tokio::test]
async fn messages_go_over_a_websocket_as_they_are() {
    let mut client = Websocket::open(serve_echo().await).await;
    client.send("4hello").await;
    assert_eq!(client.text().await, "4hello");
    client.send_binary(&[1, 2, 3, 4]).await;
    assert_eq!(client.binary().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn messages_go_over_polling_in_one_body() {
    let address = serve_echo().await;
    let base = format!("http://{address}/engine.io/?EIO=4&transport=polling");
    let text = reqwest::get(&base).await.unwrap().text().await.unwrap();
    let greeting: serde_json::Value = serde_json::from_str(&text[1..]).unwrap();
    let url = format!("{base}&sid={}", greeting["sid"].as_str().unwrap());
    let body = "4test1\x1e4test2\x1ebAQIDBA==";
    let response = reqwest::Client::new().post(&url).body(body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "ok");
    assert_eq!(reqwest::get(&url).await.unwrap().text().await.unwrap(), body);
}
