//! An application that does what clients ask of it by the names of their events, and tells the test what it saw.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use stoa_socketio::{
    Accepted, Ack, Answer, Builder, Connect, Event, Handler, Handshake, Observation, Packet, Reason, Refusal,
    Refused, Server, Socket,
};
use tokio::sync::{Semaphore, mpsc};

use crate::serve::{patiently, serve_socketio};

#[derive(Debug)]
pub(crate) enum Seen {
    Connected(Socket),
    Event(String, String),
    Answered(String, String),
    Disconnected(Reason),
}

type Admit = dyn Fn(&Handshake<'_>) -> Result<(), Refusal> + Send + Sync;
type Let = dyn Fn(&Connect<'_, ()>) -> Result<Accepted<u32>, Refused> + Send + Sync;

pub(crate) struct App {
    seen: mpsc::UnboundedSender<Seen>,
    admit: Box<Admit>,
    connect: Box<Let>,
    /// `wait` events take one of these.
    permits: Arc<Semaphore>,
}

/// A served application, as a test holds it.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server<App>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) observed: Arc<Mutex<Vec<Observation>>>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

pub(crate) struct Setup {
    pub(crate) admit: Box<Admit>,
    pub(crate) connect: Box<Let>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { admit: Box::new(|_| Ok(())), connect: Box::new(|_| Ok(Accepted::new(0))) }
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default(), |builder| builder).await
    }

    pub(crate) async fn tuned(tune: impl FnOnce(Builder<App>) -> Builder<App>) -> Self {
        Self::with(Setup::default(), tune).await
    }

    pub(crate) async fn with(setup: Setup, tune: impl FnOnce(Builder<App>) -> Builder<App>) -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let (permits, observed) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let Setup { admit, connect } = setup;
        let app = App { seen: sender, admit, connect, permits: permits.clone() };
        let notes = observed.clone();
        let builder = Server::builder(app).max_events_per_second(None);
        let server = tune(builder).observe(move |one| notes.lock().unwrap().push(*one)).build();
        let address = serve_socketio(server.clone()).await;
        Self { address, server, permits, observed, seen }
    }

    pub(crate) async fn seen(&mut self) -> Seen {
        patiently(self.seen.recv()).await.expect("the application lives")
    }

    /// The next socket that connects.
    pub(crate) async fn connected(&mut self) -> Socket {
        match self.seen().await {
            Seen::Connected(socket) => socket,
            other => panic!("not a connect but {other:?}"),
        }
    }

    /// The JSON of the next event of that name.
    pub(crate) async fn event(&mut self, wanted: &str) -> String {
        match self.seen().await {
            Seen::Event(name, json) if name == wanted => json,
            other => panic!("not the event {wanted} but {other:?}"),
        }
    }

    /// Why the next socket goes, whatever is seen before.
    pub(crate) async fn disconnected(&mut self) -> Reason {
        loop {
            if let Seen::Disconnected(reason) = self.seen().await {
                return reason;
            }
        }
    }

    pub(crate) fn nothing_more(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    pub(crate) fn url(&self, query: &str) -> String {
        format!("http://{}/socket.io/?{query}", self.address)
    }
}

impl App {
    fn tell(&self, seen: Seen) {
        // The test may be over.
        let _ = self.seen.send(seen);
    }
}

impl Handler for App {
    type Client = ();
    type State = u32;

    fn admit(&self, handshake: &Handshake<'_>) -> Result<(), Refusal> {
        (self.admit)(handshake)
    }

    fn has_namespace(&self, name: &str) -> bool {
        name == "/" || name.starts_with("/custom")
    }

    async fn connect(&self, connect: Connect<'_, ()>) -> Result<Accepted<u32>, Refused> {
        let auth: Value = connect.auth().unwrap();
        if auth["slow"] == json!(true) {
            self.permits.acquire().await.unwrap().forget();
        }
        let answer = (self.connect)(&connect);
        if answer.is_ok() {
            self.tell(Seen::Connected(connect.socket.clone()));
        }
        if auth["echo"] == json!(true) {
            connect.socket.emit("auth", &(auth,)).unwrap();
        }
        answer
    }

    async fn event(&self, socket: &Socket, count: &mut u32, event: Event, ack: Option<Ack>) {
        *count += 1;
        let arguments: Vec<Value> = event.arguments().unwrap();
        match event.name() {
            "echo" => echo(socket, &event, &arguments, ack),
            "count" => ack.unwrap().answer(&(*count,)).unwrap(),
            "wait" => self.permits.acquire().await.unwrap().forget(),
            "ask" => {
                let limit = Duration::from_millis(event.argument(0).unwrap_or(60_000));
                let answer = socket.emit_with_ack("question", &("why?",), limit).await;
                let (answer, detail) = tell_answer(answer);
                self.tell(Seen::Answered(answer, detail));
            }
            "flood" => {
                for number in 0..event.argument::<u32>(0).unwrap() {
                    socket.emit("drop", &(number,)).unwrap();
                }
            }
            "leave" => socket.disconnect(),
            "bye" => socket.close(Reason::Application("bye")),
            "panic" => panic!("as the client asked"),
            _ => {}
        }
        self.tell(Seen::Event(event.name().to_owned(), event.json().to_owned()));
    }

    async fn disconnected(&self, _: &Socket, _: u32, reason: Reason) {
        self.tell(Seen::Disconnected(reason));
    }

    fn overloaded(&self, socket: &Socket) -> Option<Packet> {
        Packet::event(socket.namespace(), "error", &(json!({"message": "slow down"}),)).ok()
    }
}

fn echo(socket: &Socket, event: &Event, arguments: &[Value], ack: Option<Ack>) {
    if let Some(ack) = ack {
        return ack.answer_binary(arguments, event.attachments()).unwrap();
    }
    let packet = Packet::binary_event(socket.namespace(), "echo", arguments, event.attachments()).unwrap();
    socket.send(&packet).unwrap();
}

fn tell_answer(answer: Result<Answer, stoa_socketio::AckError>) -> (String, String) {
    match answer {
        Ok(answer) => {
            let attachments: Vec<&[u8]> = answer.attachments().iter().map(AsRef::as_ref).collect();
            let arguments: Vec<Value> = answer.arguments().unwrap();
            (json!(arguments).to_string(), format!("{attachments:?}"))
        }
        Err(error) => (error.to_string(), String::new()),
    }
}
