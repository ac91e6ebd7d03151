//! One socket's inbox, and the task that works through it.
//!
//! The task lives only while there is something to do: an idle socket has none. Work is done in the order in which it
//! came, so `connect` is over before the first event, and the last event before `disconnected`.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Poll, Waker},
};

use parking_lot::Mutex;

use crate::{
    Ack, Connect, Event, Handler, Packet, Reason, Refused, Socket, connection::Connection, handler::Accepted,
    socket::Leave,
};

pub(crate) struct Member<H: Handler> {
    pub(crate) socket: Socket,
    /// Whether the client has said anything since it asked to join.
    pub(crate) spoken: AtomicBool,
    connection: Arc<Connection<H>>,
    inbox: Mutex<Inbox<H::State>>,
}

struct Inbox<S> {
    work: VecDeque<Work>,
    running: bool,
    /// Nothing more is taken in, but its end.
    deaf: bool,
    over: bool,
    state: Option<S>,
    /// The reader, which waits for room.
    waiting: Option<Waker>,
}

pub(crate) enum Work {
    /// With the client's `auth` as it came.
    Connect(String),
    Event(Event, Option<Ack>),
    End(Reason),
}

impl<H: Handler> Member<H> {
    pub(crate) fn new(socket: Socket, connection: Arc<Connection<H>>) -> Arc<Self> {
        let inbox = Inbox {
            work: VecDeque::new(),
            running: false,
            deaf: false,
            over: false,
            state: None,
            waiting: None,
        };
        let member =
            Arc::new(Self { socket, spoken: AtomicBool::new(false), connection, inbox: Mutex::new(inbox) });
        let leave: Arc<dyn Leave> = member.clone();
        member.socket.on_leave(Arc::downgrade(&leave));
        member
    }

    /// Waits for room in the inbox, and meanwhile the client waits with it: nothing more of it is read.
    pub(crate) async fn deliver(self: &Arc<Self>, work: Work) {
        let mut work = Some(work);
        poll_fn(|context| {
            let mut inbox = self.inbox.lock();
            if inbox.over || inbox.deaf {
                return Poll::Ready(());
            }
            if inbox.work.len() >= self.connection.app.limits.inbox {
                inbox.waiting = Some(context.waker().clone());
                self.connection.link.set_busy(true);
                return Poll::Pending;
            }
            inbox.work.extend(work.take());
            self.start(&mut inbox);
            Poll::Ready(())
        })
        .await;
        self.connection.link.set_busy(false);
    }

    /// Nothing comes after this.
    pub(crate) fn end(self: &Arc<Self>, reason: Reason) {
        self.socket.shut();
        let mut inbox = self.inbox.lock();
        if !mem::replace(&mut inbox.over, true) {
            inbox.work.push_back(Work::End(reason));
            self.start(&mut inbox);
        }
        inbox.wake_reader();
    }

    fn start(self: &Arc<Self>, inbox: &mut Inbox<H::State>) {
        if !mem::replace(&mut inbox.running, true) {
            tokio::spawn(run(self.clone()));
        }
    }

    fn next(&self) -> Option<(Work, Option<H::State>)> {
        let mut inbox = self.inbox.lock();
        let Some(work) = inbox.work.pop_front() else {
            inbox.running = false;
            inbox.work = VecDeque::new();
            return None;
        };
        inbox.wake_reader();
        Some((work, inbox.state.take()))
    }

    async fn do_work(&self, work: Work, state: Option<H::State>) {
        let handler = &self.connection.app.handler;
        let done = match (work, state) {
            (Work::Connect(auth), _) => caught(self.connect(&auth)).await,
            (Work::Event(event, ack), Some(mut state)) => {
                let done = caught(handler.event(&self.socket, &mut state, event, ack)).await;
                self.inbox.lock().state = Some(state);
                done
            }
            // Nothing is left to be ended.
            (Work::End(reason), Some(state)) => {
                caught(handler.disconnected(&self.socket, state, reason)).await.or(Some(()))
            }
            // It was never let in.
            (_, None) => Some(()),
        };
        if done.is_none() {
            self.fail();
        }
    }

    /// The handler panicked. Its connection ends, and no other; of the socket nothing but its end is told any more.
    fn fail(&self) {
        let mut inbox = self.inbox.lock();
        inbox.deaf = true;
        inbox.work.retain(|work| matches!(work, Work::End(_)));
        inbox.wake_reader();
        drop(inbox);
        self.socket.close(Reason::HandlerFailed);
    }

    async fn connect(&self, auth: &str) {
        let connect = Connect { socket: &self.socket, client: &self.connection.client, auth };
        let answer = self.connection.app.handler.connect(connect).await;
        let namespace = self.socket.namespace();
        let done = match answer {
            Ok(accepted) => self.let_in(namespace, accepted),
            Err(refused) => self.turn_away(namespace, &refused),
        };
        if done.is_err() {
            // What the application gave cannot be said in JSON.
            self.socket.close(Reason::HandlerFailed);
        }
    }

    fn let_in(&self, namespace: &str, accepted: Accepted<H::State>) -> Result<(), crate::EncodeError> {
        let Accepted { state, pid, missed } = accepted;
        self.inbox.lock().state = Some(state);
        let greeting = Packet::connect(namespace, self.socket.id(), pid.as_deref())?;
        self.connection.link.settle();
        self.socket.open(&greeting, &missed);
        Ok(())
    }

    fn turn_away(&self, namespace: &str, refused: &Refused) -> Result<(), crate::EncodeError> {
        self.connection.forget(&self.socket);
        self.socket.shut();
        let mut inbox = self.inbox.lock();
        inbox.over = true;
        inbox.work = VecDeque::new();
        inbox.wake_reader();
        drop(inbox);
        self.connection.refuse(namespace, refused)
    }
}

impl<S> Inbox<S> {
    fn wake_reader(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

async fn run<H: Handler>(member: Arc<Member<H>>) {
    while let Some((work, state)) = member.next() {
        member.do_work(work, state).await;
    }
}

/// What a future answers, or nothing if it panicked.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // What it leaves behind is only used to tell the application of the end.
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

impl<H: Handler> Leave for Member<H> {
    fn leave(&self, reason: Reason) {
        if let Some(member) = self.connection.forget(&self.socket) {
            member.end(reason);
        }
    }
}

impl<H: Handler> fmt::Debug for Member<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Member").field("socket", &self.socket.id()).finish_non_exhaustive()
    }
}
