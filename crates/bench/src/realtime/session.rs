//! One socket: opened, signed in, and listened to or spoken by.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{
    Door,
    dialect::{Dialect, Heard, is_done},
    frames::{self, Frames},
};
use crate::failure::Failure;

/// Any will do: the answer is not checked.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const LONGEST_HEAD: usize = 16 * 1024;

/// By what a socket signs in.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) token: &'a str,
    /// The session that it goes on with.
    pub(crate) resumed: Option<&'a Session>,
}

impl<'a> Credentials<'a> {
    pub(crate) fn of(token: &'a str) -> Self {
        Self { token, resumed: None }
    }
}

/// What a socket must know to come back.
#[derive(Clone, Default)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) offset: String,
    /// Whether the server said that it goes on where it was.
    pub(crate) recovered: bool,
}

/// Where a socket comes from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Origin {
    /// One of the addresses of this machine, where there are too many sockets for the ports of one.
    pub(crate) address: Option<Ipv4Addr>,
    /// How many bytes the system keeps for a reader that does not read.
    pub(crate) receive_buffer: Option<u32>,
}

/// A signed-in socket.
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    frames: Frames,
    dialect: Dialect,
    pub(crate) session: Session,
    /// Messages that came before the greeting: what was missed.
    pub(crate) missed: u64,
}

impl Socket {
    pub(crate) async fn open(
        door: Door,
        origin: Origin,
        credentials: Credentials<'_>,
    ) -> Result<Self, Failure> {
        let outer = TcpSocket::new_v4()?;
        if let Some(address) = origin.address {
            outer.bind((address, 0).into())?;
        }
        if let Some(size) = origin.receive_buffer {
            outer.set_recv_buffer_size(size)?;
        }
        let mut stream = outer.connect(door.address).await?;
        stream.set_nodelay(true)?;
        let rest = upgrade(&mut stream, &door.dialect.path(&credentials)).await?;
        let mut socket = Self {
            stream: Arc::new(stream),
            frames: Frames::after(rest),
            dialect: door.dialect,
            session: Session::default(),
            missed: 0,
        };
        socket.sign_in(&credentials).await?;
        Ok(socket)
    }

    async fn sign_in(&mut self, credentials: &Credentials<'_>) -> Result<(), Failure> {
        if let Some(hello) = self.dialect.hello(credentials) {
            self.until(Heard::Open).await?;
            self.speaker().say(&frames::text(&hello)?).await?;
            self.until(Heard::Connected).await?;
            self.session.id = self.dialect.session_id(self.payload())?;
        }
        self.until(Heard::Authenticated).await?;
        if self.dialect == Dialect::Plain {
            self.session.id = self.dialect.session_id(self.payload())?;
        }
        self.session.recovered = self.dialect.recovered(self.payload())?;
        self.remember_place();
        Ok(())
    }

    /// Joins a room; the answer says that it did.
    pub(crate) async fn join(&mut self, room: &str) -> Result<(), Failure> {
        self.speaker().say(&frames::text(&self.dialect.join(room))?).await?;
        self.done().await
    }

    /// Says something and waits until it is kept.
    pub(crate) async fn say(&mut self, frame: &[u8]) -> Result<(), Failure> {
        self.speaker().say(frame).await?;
        self.done().await
    }

    async fn done(&mut self) -> Result<(), Failure> {
        self.until(Heard::Ack).await?;
        if is_done(self.payload()) { Ok(()) } else { Err(self.complaint()) }
    }

    /// Hears until this comes.
    pub(crate) async fn until(&mut self, wanted: Heard) -> Result<(), Failure> {
        loop {
            match self.hear().await? {
                heard if heard == wanted => return Ok(()),
                Heard::Refused => return Err(self.complaint()),
                Heard::Message => self.missed += 1,
                _ => {}
            }
        }
    }

    /// The next message; pings are answered on the way.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Failure> {
        loop {
            while let Some(opcode) = self.frames.advance()? {
                match opcode {
                    OpCode::Data(Data::Text) => match self.dialect.recognise(self.frames.payload()) {
                        Heard::Ping => self.speaker().say(&frames::text("3")?).await?,
                        heard => return Ok(heard),
                    },
                    OpCode::Control(Control::Ping) => {
                        self.speaker().say(&frames::pong(self.frames.payload())?).await?;
                    }
                    OpCode::Control(Control::Close) => {
                        let reason = self.payload().get(2..).unwrap_or_default();
                        let reason = String::from_utf8_lossy(reason);
                        return Err(Failure::new(format!("the server closed the socket: {reason}")));
                    }
                    _ => {}
                }
            }
            self.frames.fill(&self.stream).await?;
        }
    }

    /// The message that was heard last.
    pub(crate) fn payload(&self) -> &[u8] {
        self.frames.payload()
    }

    /// Keeps the place in the log that the last message carries.
    pub(crate) fn remember_place(&mut self) {
        if let Some(offset) = self.dialect.offset(self.payload()) {
            self.session.offset = offset;
        }
    }

    pub(crate) fn complaint(&self) -> Failure {
        Failure::new(format!("the server refused: {}", String::from_utf8_lossy(self.payload())))
    }

    /// Speaks beside whoever listens.
    pub(crate) fn speaker(&self) -> Speaker {
        Speaker(Arc::clone(&self.stream))
    }
}

/// The speaking side of a socket.
#[derive(Clone)]
pub(crate) struct Speaker(Arc<TcpStream>);

impl Speaker {
    pub(crate) async fn say(&self, frame: &[u8]) -> Result<(), Failure> {
        let mut rest = frame;
        while !rest.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Makes a WebSocket of the connection; what came after the answer is handed on.
async fn upgrade(stream: &mut TcpStream, path: &str) -> Result<Vec<u8>, Failure> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut read).await? == 0 || read.len() > LONGEST_HEAD {
            return Err(Failure::new("the server did not answer the handshake"));
        }
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            let head = String::from_utf8_lossy(&read);
            let accepted = head.starts_with("HTTP/1.1 101 ");
            return if accepted { Ok(rest) } else { Err(Failure::new(format!("no WebSocket: {head}"))) };
        }
    }
}
