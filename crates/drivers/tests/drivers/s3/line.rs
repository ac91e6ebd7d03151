//! A line to a server that does what a bad network does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::AbortHandle,
};

/// What the line does.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Manner {
    /// It carries.
    Carry,
    /// Nothing that is said is answered.
    Silent,
    /// It answers itself, with this status.
    Answer(&'static str),
    /// It carries so many bytes of answers over a connection and then cuts it.
    CutAnswers(usize),
    /// It carries so many bytes of questions over a connection and then cuts it.
    CutQuestions(usize),
}

/// A line; it ends when this is dropped.
pub(super) struct Line {
    port: u16,
    state: Arc<State>,
    keeper: AbortHandle,
}

struct State {
    to: String,
    /// What it does now, how often it still does it, and what it does then.
    manner: Mutex<(Manner, usize)>,
    faults: AtomicUsize,
}

impl Line {
    /// A line to this server, that carries.
    pub(super) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (manner, faults) = (Mutex::new((Manner::Carry, 0)), AtomicUsize::new(0));
        let state = Arc::new(State { to: address.to_owned(), manner, faults });
        let keeper = tokio::spawn(keep(listener, Arc::clone(&state))).abort_handle();
        Self { port, state, keeper }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it is like that.
    pub(super) fn be(&self, manner: Manner) {
        self.be_for(manner, usize::MAX);
    }

    /// It is like that so many times, then it carries.
    pub(super) fn be_for(&self, manner: Manner, times: usize) {
        *self.state.manner.lock() = (manner, times);
    }

    /// How often it answered itself or cut.
    pub(super) fn faults(&self) -> usize {
        self.state.faults.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl State {
    fn manner(&self) -> Manner {
        self.manner.lock().0
    }

    fn did(&self) {
        self.faults.fetch_add(1, Ordering::SeqCst);
        let mut manner = self.manner.lock();
        manner.1 = manner.1.saturating_sub(1);
        if manner.1 == 0 {
            *manner = (Manner::Carry, 0);
        }
    }
}

async fn keep(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, Arc::clone(&state)));
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(&state.to).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let to_client = tokio::sync::Mutex::new(to_client);
    tokio::select! {
        () = questions(from_client, to_server, &to_client, &state) => {}
        () = answers(from_server, &to_client, &state) => {}
    }
}

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    back: &tokio::sync::Mutex<OwnedWriteHalf>,
    state: &State,
) {
    let (mut buffer, mut carried) = (vec![0; 64 * 1_024], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        carried += read;
        match state.manner() {
            Manner::Silent => continue,
            Manner::Answer(status) => {
                state.did();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let mut back = back.lock().await;
                let _ = back.write_all(answer.as_bytes()).await;
                let _ = back.shutdown().await;
                // What comes after is read, or the system would reset the connection and the answer with it.
                while let Ok(1..) = from.read(&mut buffer).await {}
                return;
            }
            Manner::CutQuestions(bytes) if carried > bytes => return state.did(),
            _ => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, to: &tokio::sync::Mutex<OwnedWriteHalf>, state: &State) {
    let (mut buffer, mut carried) = (vec![0; 64 * 1_024], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        carried += read;
        match state.manner() {
            Manner::CutAnswers(bytes) if carried > bytes => return state.did(),
            _ => {}
        }
        if to.lock().await.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
