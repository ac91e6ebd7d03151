//! Sockets over real connections, on every engine: Socket.IO and plain WebSocket against a whole node.
#![cfg(test)]

mod limits;
mod lobby;
mod nodes;
mod recovery;
mod rooms;
mod shop;
mod signing_in;
mod snake;
mod words;

use stoa_testing::{Client, Live, TestApp, Value, json};

/// Says something over REST; answers the message's id.
async fn posts(who: &Client, room: &str, content: &str) -> String {
    who.post("/api/messages", json!({"room": room, "content": content})).await.expect(201).id()
}

async fn joins(who: &Client, room: &str) {
    who.post(&format!("/api/rooms/{room}/join"), json!({})).await.expect(200);
}

async fn opens(who: &Client, slug: &str, kind: &str) -> String {
    who.post("/api/rooms", json!({"slug": slug, "name": slug, "kind": kind})).await.expect(201).id()
}

/// A Socket.IO client that comes back: with its session, the last offset it heard, and its token.
async fn comes_back(app: &TestApp, who: &Client, session: &str, offset: Option<&str>) -> (Live, String) {
    let (live, answer) = comes_back_at(&app.address(), who, session, offset).await;
    (live, answer.unwrap_or_else(|error| panic!("{error}")))
}

/// The same at any node; it may be refused.
async fn comes_back_at(
    node: &str,
    who: &Client,
    session: &str,
    offset: Option<&str>,
) -> (Live, Result<String, Value>) {
    let mut auth = json!({"token": who.session["accessToken"], "pid": session});
    if let Some(offset) = offset {
        auth["offset"] = json!(offset);
    }
    Live::connects(node, &auth).await
}

/// Waits until the server has noticed that nobody is there any more.
async fn all_have_gone(app: &TestApp) {
    loop {
        let figures = app.anon().get("/metrics").await.text;
        let open = figures.lines().filter(|line| line.starts_with("stoa_sockets{"));
        if open.into_iter().all(|line| line.ends_with(" 0")) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn contents(heard: &[stoa_testing::Heard], word: &str) -> Vec<Value> {
    let said = heard.iter().filter(|heard| heard.word == word);
    said.map(|heard| heard.payload.get("content").or(heard.payload.get("message")).cloned().unwrap())
        .collect()
}
