//! A keep-alive HTTP/1.1 client that costs next to nothing: fixed requests out, answers counted by their length.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::failure::Failure;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON body, when the status is the wanted one.
    pub(crate) fn expect(self, status: u16) -> Result<Value, Failure> {
        if self.status == status {
            return Ok(self.json());
        }
        let text = String::from_utf8_lossy(&self.body).into_owned();
        Err(Failure::new(format!("expected {status}, got {}: {text}", self.status)))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request made by [`request`] and reads its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, status, length) = loop {
            self.fill().await?;
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let text =
                    String::from_utf8_lossy(self.buffer.get(..head).unwrap_or_default()).to_ascii_lowercase();
                let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
                break (head + 4, status, content_length(&text));
            }
        };
        while self.buffer.len() < head + length {
            self.fill().await?;
        }
        Ok(Answer { status, body: self.buffer.get(head..head + length).unwrap_or_default().to_vec() })
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(Failure::new("the server closed the connection"));
        }
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    line.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Vec<u8> {
    let credential = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let rest = body.map_or_else(
        || "\r\n".to_owned(),
        |body| {
            let body = body.to_string();
            format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        },
    );
    format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n{credential}{rest}").into_bytes()
}
