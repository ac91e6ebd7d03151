//! Somebody at a socket: plain WebSocket or Socket.IO over WebSocket, frame by frame, so that wrong ones can be sent too.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::Client;

const MASK: [u8; 4] = [7, 7, 7, 7];
/// The bit that says so beside a length.
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a socket was told.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The name of the event.
    pub word: String,
    /// What came with it.
    pub payload: Value,
    /// Its place in the log, if it is durable.
    pub offset: Option<String>,
}

/// A socket of a test.
#[derive(Debug)]
pub struct Live {
    stream: TcpStream,
    dialect: Spoken,
    heard: VecDeque<Heard>,
    acks: Vec<(u64, Value)>,
    asked: u64,
    /// The session that it may take up again: `pid` of Socket.IO, `session` of `/ws`.
    pub session: Option<String>,
    end: End,
}

/// Whether the stream has ended, and with which status if the server gave one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    NotYet,
    HungUp,
    Closed(u16),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spoken {
    SocketIo,
    Plain,
}

/// How a handshake was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotLetIn {
    /// The HTTP status.
    pub status: u16,
    /// The head of the answer.
    pub head: String,
}

impl Live {
    /// A WebSocket at an address of a node, with these headers; without having signed in.
    pub async fn open(node: &str, target: &str, headers: &[(&str, &str)]) -> Result<Self, NotLetIn> {
        let host = node.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        let more =
            headers.iter().fold(String::new(), |more, (name, value)| more + name + ": " + value + "\r\n");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("a request that is sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("a head of text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status != 101 {
            return Err(NotLetIn { status, head });
        }
        let dialect = if target.starts_with("/socket.io") { Spoken::SocketIo } else { Spoken::Plain };
        Ok(Self {
            stream,
            dialect,
            heard: VecDeque::new(),
            acks: Vec::new(),
            asked: 0,
            session: None,
            end: End::NotYet,
        })
    }

    /// Somebody at `/ws`, signed in and greeted.
    pub async fn plain(node: &str, who: &Client) -> Self {
        let token = who.session["accessToken"].as_str().expect("an access token");
        let mut live = Self::open(node, &format!("/ws?token={token}"), &[]).await.expect("a socket");
        live.is_greeted().await;
        live
    }

    /// Somebody over Socket.IO, signed in and greeted.
    pub async fn socketio(node: &str, who: &Client) -> Self {
        let token = who.session["accessToken"].as_str().expect("an access token");
        let (mut live, answer) = Self::connects(node, &json!({"token": token})).await;
        answer.expect("a socket");
        live.is_greeted().await;
        live
    }

    /// A Socket.IO client that shows this `auth`; the answer is the CONNECT's `pid`, or the payload of the
    /// `connect_error`.
    pub async fn connects(node: &str, auth: &Value) -> (Self, Result<String, Value>) {
        let opened = Self::open(node, "/socket.io/?EIO=4&transport=websocket", &[]).await;
        let mut live = opened.expect("a session");
        assert!(live.text().await.expect("a greeting").starts_with('0'));
        live.frame(TEXT, format!("40{auth}").as_bytes()).await;
        let answer = live.text().await.expect("an answer to CONNECT");
        let payload: Value = serde_json::from_str(&answer[2..]).expect("JSON");
        if answer.starts_with("44") {
            return (live, Err(payload));
        }
        live.session = payload["pid"].as_str().map(str::to_owned);
        let pid = live.session.clone().unwrap_or_default();
        (live, Ok(pid))
    }

    /// Waits until it is told that it is signed in; answers what it is told.
    pub async fn is_greeted(&mut self) -> Heard {
        let greeting = self.hears("authenticated").await;
        if let Some(session) = greeting.payload["session"].as_str() {
            self.session = Some(session.to_owned());
        }
        greeting
    }

    /// Says something and wants no answer.
    pub async fn says(&mut self, word: &str, payload: Value) {
        let text = match self.dialect {
            Spoken::SocketIo => format!("42{}", json!([word, payload])),
            Spoken::Plain => json!({"type": word, "payload": payload}).to_string(),
        };
        self.frame(TEXT, text.as_bytes()).await;
    }

    /// Says something under the next number; answers the number, by which [`Live::answer`] finds what came of it.
    pub async fn asks_later(&mut self, word: &str, payload: Value) -> u64 {
        self.asked += 1;
        let text = match self.dialect {
            Spoken::SocketIo => format!("42{}{}", self.asked, json!([word, payload])),
            Spoken::Plain => json!({"type": word, "payload": payload, "id": self.asked}).to_string(),
        };
        self.frame(TEXT, text.as_bytes()).await;
        self.asked
    }

    /// What came of something that was said.
    pub async fn answer(&mut self, number: u64) -> Value {
        loop {
            if let Some(place) = self.acks.iter().position(|(asked, _)| *asked == number) {
                return self.acks.swap_remove(place).1;
            }
            assert!(self.takes().await, "it was closed before it was answered");
        }
    }

    /// Says something and waits for what came of it.
    pub async fn asks(&mut self, word: &str, payload: Value) -> Value {
        let number = self.asks_later(word, payload).await;
        self.answer(number).await
    }

    /// The same, where it must have been done.
    pub async fn does(&mut self, word: &str, payload: Value) -> Value {
        let answer = self.asks(word, payload).await;
        assert_eq!(answer["ok"], true, "{word}: {answer}");
        answer
    }

    /// The same, where it must be refused with this code.
    pub async fn may_not(&mut self, word: &str, payload: Value, code: &str) {
        let answer = self.asks(word, payload).await;
        assert_eq!(
            (&answer["ok"], &answer["error"]["code"]),
            (&json!(false), &json!(code)),
            "{word}: {answer}"
        );
    }

    /// The next event of this name; what comes before it of others is kept.
    pub async fn hears(&mut self, word: &str) -> Heard {
        loop {
            if let Some(place) = self.heard.iter().position(|heard| heard.word == word) {
                return self.heard.remove(place).expect("what was found");
            }
            let before: Vec<&str> = self.heard.iter().map(|heard| heard.word.as_str()).collect();
            let before = format!("it was closed before it heard {word}; it heard {before:?}");
            assert!(self.takes().await, "{before}");
        }
    }

    /// The next durable event, whatever it is called.
    pub async fn hears_next(&mut self) -> Heard {
        loop {
            if let Some(place) = self.heard.iter().position(|heard| heard.offset.is_some()) {
                return self.heard.remove(place).expect("what was found");
            }
            assert!(self.takes().await, "it was closed before it heard anything durable");
        }
    }

    /// Everything that it was told so far, in order: whatever the server said before it answers a question of now.
    pub async fn heard_so_far(&mut self) -> Vec<Heard> {
        // A question that is only refused comes back behind everything else.
        self.asks("is-anybody-there", Value::Null).await;
        self.heard.drain(..).collect()
    }

    /// The status with which the server closes; nothing if it just hangs up.
    pub async fn is_closed(&mut self) -> Option<u16> {
        while self.takes().await {}
        if let End::Closed(status) = self.end { Some(status) } else { None }
    }

    /// The codes of the errors that it is told before it is closed.
    pub async fn codes_until_closed(&mut self) -> Vec<String> {
        while self.takes().await {}
        let errors = self.heard.drain(..).filter(|heard| heard.word == "error");
        errors.map(|heard| heard.payload["code"].as_str().expect("a code").to_owned()).collect()
    }

    /// Reads one byte of whatever comes, after which nothing that comes can be understood.
    pub async fn reads_a_byte(&mut self) {
        // The server may have hung up.
        let _ = self.stream.read_u8().await;
    }

    /// Sends a frame of any kind.
    pub async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => bytes.push(MASKED + u8::try_from(short).expect("short")),
            middle @ 126..65_536 => {
                bytes.push(MASKED + 126);
                bytes.extend(u16::try_from(middle).expect("middle").to_be_bytes());
            }
            long => {
                bytes.push(MASKED + 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        // The server may have hung up already, which a test sees by reading.
        let _ = self.stream.write_all(&bytes).await;
    }

    /// Takes the next message; false when there is none any more.
    async fn takes(&mut self) -> bool {
        let Some(text) = self.text().await else { return false };
        match self.dialect {
            Spoken::Plain => self.takes_frame(&text),
            Spoken::SocketIo => self.takes_packet(&text).await,
        }
        true
    }

    fn takes_frame(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("a frame of JSON");
        if frame["type"] == "ack" {
            self.acks.push((frame["id"].as_u64().expect("a number"), frame["payload"].clone()));
            return;
        }
        self.heard.push_back(Heard {
            word: frame["type"].as_str().expect("a type").to_owned(),
            payload: frame.get("payload").cloned().unwrap_or_else(|| frame.clone()),
            offset: frame["offset"].as_str().map(str::to_owned),
        });
    }

    async fn takes_packet(&mut self, text: &str) {
        if text == "2" {
            self.frame(TEXT, b"3").await;
        } else if let Some(event) = text.strip_prefix("42") {
            let event: Value = serde_json::from_str(event).expect("an event of JSON");
            self.heard.push_back(Heard {
                word: event[0].as_str().expect("a name").to_owned(),
                payload: event[1].clone(),
                offset: event[2].as_str().map(str::to_owned),
            });
        } else if let Some(ack) = text.strip_prefix("43") {
            let start = ack.find('[').expect("arguments");
            let arguments: Value = serde_json::from_str(&ack[start..]).expect("an answer of JSON");
            self.acks.push((ack[..start].parse().expect("a number"), arguments[0].clone()));
        }
    }

    /// The next text message; pings are answered, and a close is kept.
    async fn text(&mut self) -> Option<String> {
        loop {
            if self.end != End::NotYet {
                return None;
            }
            match self.next_frame().await {
                None => self.end = End::HungUp,
                Some((TEXT, payload)) => return Some(String::from_utf8(payload).expect("text")),
                Some((PING, payload)) => self.frame(PONG, &payload).await,
                Some((CLOSE, payload)) => {
                    let status = payload.get(..2).map(|status| u16::from_be_bytes([status[0], status[1]]));
                    self.end = status.map_or(End::HungUp, End::Closed);
                }
                Some(_) => {}
            }
        }
    }

    async fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let length = match self.stream.read_u8().await.ok()? {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((first & 0x0f, payload))
    }
}
