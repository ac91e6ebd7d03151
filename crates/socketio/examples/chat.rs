//! A chat of one room: `cargo run -p stoa-socketio --example chat`, then open <http://127.0.0.1:3000> in two windows.
//!
//! Messages are encoded once and shared by all who get them. Who reads too slowly is cut off. Who loses the connection
//! gets what was said meanwhile, from the last hundred messages.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use serde::Deserialize;
use serde_json::json;
use stoa_socketio::{
    Accepted, Ack, Body, Connect, Event, Handler, Handshake, Packet, Reason, Recovery, Refusal, Refused,
    Server, Socket,
};
use tokio::net::TcpListener;

const PAGE: &[u8] = include_bytes!("chat.html");
const KEPT: usize = 100;

#[derive(Default)]
struct Chat {
    room: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    said: u64,
    /// The last messages, with their numbers.
    kept: VecDeque<(u64, Packet)>,
    present: BTreeMap<String, Socket>,
}

#[derive(Deserialize)]
struct Introduction {
    name: String,
}

impl Chat {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// The last argument of each message is its number, which clients send back when they return.
    fn say(&mut self, name: &str, text: &str) {
        self.said += 1;
        let message = (json!({ "name": name, "text": text }), self.said.to_string());
        let Ok(packet) = Packet::event("/", "message", &message) else { return };
        for socket in self.present.values() {
            // One that has gone is taken out when its `disconnected` comes.
            let _ = socket.send(&packet);
        }
        self.kept.push_back((self.said, packet));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// What was said since, unless too much was.
    fn missed(&self, recovery: &Recovery) -> Option<Vec<Packet>> {
        let heard: u64 = recovery.offset.as_deref().unwrap_or("0").parse().ok()?;
        let oldest = self.kept.front().map_or(self.said, |(number, _)| *number);
        let since = self.kept.iter().filter(|(number, _)| *number > heard);
        (heard + 1 >= oldest).then(|| since.map(|(_, packet)| packet.clone()).collect())
    }
}

impl Handler for Chat {
    type Client = ();
    type State = String;

    fn admit(&self, _: &Handshake<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    async fn connect(&self, connect: Connect<'_, ()>) -> Result<Accepted<String>, Refused> {
        let Introduction { name } = connect.auth().map_err(|_| Refused::new("Who are you?"))?;
        let mut room = self.room();
        room.present.insert(connect.socket.id().to_owned(), connect.socket.clone());
        // A pid would name a session that only its owner can take up; here all may read everything.
        let accepted = Accepted::new(name).pid("everybody");
        Ok(match connect.recovery().and_then(|recovery| room.missed(&recovery)) {
            Some(missed) => accepted.missed(missed),
            None => accepted,
        })
    }

    async fn event(&self, socket: &Socket, name: &mut String, event: Event, ack: Option<Ack>) {
        match (event.name(), event.argument::<String>(0)) {
            ("message", Ok(text)) => self.room().say(name, &text),
            ("typing", _) => {
                let Ok(packet) = Packet::event("/", "typing", &(json!({ "name": name }),)) else { return };
                for other in self.room().present.values().filter(|other| *other != socket) {
                    let _ = other.send_volatile(&format!("typing:{name}"), &packet);
                }
            }
            _ => return,
        }
        if let Some(ack) = ack {
            let _ = ack.answer(&(json!({ "ok": true }),));
        }
    }

    async fn disconnected(&self, socket: &Socket, _: String, _: Reason) {
        self.room().present.remove(socket.id());
    }
}

async fn answer(server: Server<Chat>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.uri().path().starts_with("/socket.io/") {
        return Ok(server.handle(request).await);
    }
    let mut page = Response::new(Body::from(Bytes::from_static(PAGE)));
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(page)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder(Chat::default()).build();
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = server.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(server.clone(), request));
            let builder = Builder::new(TokioExecutor::new());
            // An error is a client that went in the middle of a request.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}
