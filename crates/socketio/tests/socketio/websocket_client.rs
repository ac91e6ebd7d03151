//! A WebSocket client that makes each frame by hand, so that it can also make wrong ones.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::serve::patiently;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [1, 2, 3, 4];

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
const FINAL: u8 = 0x80;

#[derive(Debug)]
pub(crate) struct Websocket {
    pub(crate) stream: TcpStream,
}

/// The bytes of a handshake for `target`.
pub(crate) fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// Sends a request as it is, and answers the head of the response.
pub(crate) async fn request_head(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(patiently(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

impl Websocket {
    /// Opens a WebSocket at any address of the server.
    pub(crate) async fn open_at(address: SocketAddr, target: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = request_head(&mut stream, &handshake(target)).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.contains(ACCEPT), "{head}");
        Self { stream }
    }

    /// Opens a session, and takes the greeting.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut socket = Self::open_at(address, "/socket.io/?EIO=4&transport=websocket").await;
        let greeting = socket.text().await;
        assert!(greeting.starts_with("0{"), "{greeting}");
        socket
    }

    /// Opens a session and joins the main namespace.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let mut socket = Self::open(address).await;
        socket.send("40").await;
        let answer = socket.text().await;
        assert!(answer.starts_with("40{\"sid\":"), "{answer}");
        socket
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.frame(FINAL | TEXT, text.as_bytes()).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.frame(FINAL | BINARY, bytes).await;
    }

    pub(crate) async fn send_final(&mut self, opcode: u8, payload: &[u8]) {
        self.frame(FINAL | opcode, payload).await;
    }

    /// Sends a masked frame with this first byte.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&masked(first, payload)).await.unwrap();
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        // The server may have hung up already, which the test sees by reading.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next frame, or nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        patiently(async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => {
                    assert!(short < 126, "a server does not mask");
                    u64::from(short)
                }
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            assert_eq!(first & 0xf0, FINAL, "a server here does not fragment");
            Some((first & 0x0f, payload))
        })
        .await
    }

    /// The next text message; pings of Engine.IO before it are answered.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            let (opcode, payload) = self.next().await.expect("the stream has ended");
            let text = String::from_utf8(payload).unwrap();
            assert_eq!(opcode, TEXT, "{text}");
            if text != "2" {
                return text;
            }
            self.send("3").await;
        }
    }

    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        let (opcode, payload) = self.next().await.expect("the stream has ended");
        assert_eq!(opcode, BINARY);
        payload
    }

    /// The status with which the server closes, whatever comes before; nothing if it just hangs up.
    pub(crate) async fn close_status(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.next().await?;
            if opcode == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }
}

pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 0x7f);
            bytes.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
