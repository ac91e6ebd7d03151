//! Chat over real HTTP, on every engine, mirrored on its addresses; and many at once, through the functions themselves.
#![cfg(test)]

mod guards;
mod members;
mod messages;
mod order;
mod people;
mod races;
mod rooms;
mod storm;

use stoa_chat::{Chat, Draft, Visitor};
use stoa_contracts::chat::RoomId;
use stoa_platform::Occasion;
use stoa_testing::{Answer, Client, TestApp, Value, json};

/// Opens a room and answers its id.
async fn opens(who: &Client, slug: &str, kind: &str) -> String {
    who.post("/api/rooms", json!({"slug": slug, "name": slug, "kind": kind})).await.expect(201).id()
}

/// The direct room of two people.
async fn direct(who: &Client, other: &Client) -> Answer {
    who.post("/api/rooms", json!({"kind": "direct", "userId": other.user_id()})).await
}

async fn joins(who: &Client, room: &str) {
    who.post(&format!("/api/rooms/{room}/join"), json!({})).await.expect(200);
}

async fn says(who: &Client, room: &str, content: &str) -> Answer {
    who.post("/api/messages", json!({"room": room, "content": content})).await
}

/// Says something and answers the address of the message.
async fn said(who: &Client, room: &str, content: &str) -> String {
    format!("/api/messages/{}", says(who, room, content).await.expect(201).id())
}

/// A room as somebody sees it.
async fn room(who: &Client, room: &str) -> Value {
    who.get(&format!("/api/rooms/{room}")).await.expect(200).body
}

/// What was said in a room, the last hundred.
async fn heard(who: &Client, room: &str) -> Vec<Value> {
    who.get(&format!("/api/messages?room={room}&limit=100")).await.expect(200).entries().to_vec()
}

fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().unwrap()).collect()
}

/// Somebody at the domain's own door, behind HTTP.
#[derive(Clone)]
struct Speaker {
    chat: Chat,
    visitor: Visitor,
    platform: stoa_platform::Platform,
}

impl Speaker {
    fn of(app: &TestApp, who: &Client) -> Self {
        let visitor = Visitor { user: who.user_id().parse().unwrap(), moderates: false };
        Self { chat: app.domains().chat.clone(), visitor, platform: app.platform().clone() }
    }

    fn now(&self) -> Occasion {
        let actor = format!("user:{}", self.visitor.user);
        Occasion { actor, ..Occasion::system(&self.platform.clock, &self.platform.random, "test") }
    }

    fn says(
        &self,
        room: RoomId,
        content: &str,
        client_id: Option<&str>,
    ) -> impl Future<Output = Result<stoa_chat::Sent, stoa_chat::ChatError>> + Send + use<> {
        let draft = Draft::parse(content.to_owned(), None, client_id.map(str::to_owned)).unwrap();
        self.chat.send(self.now(), self.visitor, room, draft)
    }
}
