//! One connection: packets in, to the sockets of its namespaces.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    Ack, Answer, Event, Handler, Packet, Reason, Refused, Socket, Violation,
    engine::Link,
    member::{Member, Work},
    pace::Pace,
    packet::{Body, Head, Kind, check_placeholders},
    server::App,
    websocket::Message,
};

pub(crate) struct Connection<H: Handler> {
    pub(crate) app: Arc<App<H>>,
    pub(crate) link: Arc<Link>,
    pub(crate) client: H::Client,
    members: Mutex<Members<H>>,
    inbound: Mutex<Inbound>,
}

struct Members<H: Handler> {
    joined: Vec<Arc<Member<H>>>,
    /// Namespaces that the server ended: packets for them may be under way still, and are no fault.
    left: VecDeque<Arc<str>>,
    /// The connection has ended, and nobody joins any more.
    over: bool,
}

struct Inbound {
    pace: Pace,
    partial: Option<Partial>,
}

/// A packet whose attachments have not all come.
struct Partial {
    head: Head,
    text: String,
    attachments: Vec<Bytes>,
    bytes: usize,
}

/// A packet that is complete.
type Whole = (Head, Body);

impl<H: Handler> Connection<H> {
    pub(crate) fn new(app: Arc<App<H>>, link: Arc<Link>, client: H::Client) -> Arc<Self> {
        let members = Mutex::new(Members { joined: Vec::new(), left: VecDeque::new(), over: false });
        let inbound = Mutex::new(Inbound { pace: Pace::new(), partial: None });
        Arc::new(Self { app, link, client, members, inbound })
    }

    pub(crate) async fn received(self: &Arc<Self>, message: Message) -> Result<(), Reason> {
        let whole = match message {
            Message::Text(text) => self.begin(text)?,
            Message::Binary(bytes) => self.attach(bytes).map_err(Reason::Violation)?,
        };
        let Some((head, body)) = whole else { return Ok(()) };
        match head.kind {
            Kind::Connect => self.join(&head.namespace, body.json()).await,
            Kind::Disconnect => self.leave(&head.namespace),
            Kind::Event => self.event(head, body).await,
            Kind::Ack => self.ack(&head, body),
        }
    }

    fn begin(&self, text: String) -> Result<Option<Whole>, Reason> {
        let violated = Reason::Violation;
        let mut inbound = self.inbound.lock();
        if inbound.partial.is_some() {
            return Err(violated(Violation::BadAttachment));
        }
        let limits = &self.app.limits;
        let head = Head::parse(&text, limits.attachments).map_err(violated)?;
        let per_second = limits.events_per_second;
        if per_second.is_some_and(|per_second| !inbound.pace.allows(per_second, Instant::now())) {
            drop(inbound);
            return Err(self.overloaded(&head.namespace));
        }
        if head.attachments > 0 {
            inbound.partial = Some(Partial { head, text, attachments: Vec::new(), bytes: 0 });
            return Ok(None);
        }
        let start = head.payload;
        Ok(Some((head, Body { text, start, attachments: Vec::new() })))
    }

    fn attach(&self, bytes: Bytes) -> Result<Option<Whole>, Violation> {
        let mut inbound = self.inbound.lock();
        let mut partial = inbound.partial.take().ok_or(Violation::BadAttachment)?;
        partial.bytes = partial.bytes.saturating_add(bytes.len());
        if partial.bytes > self.app.limits.attachment_bytes {
            return Err(Violation::TooManyAttachments);
        }
        partial.attachments.push(bytes);
        if partial.attachments.len() < partial.head.attachments {
            inbound.partial = Some(partial);
            return Ok(None);
        }
        let Partial { head, text, attachments, .. } = partial;
        let body = Body { text, start: head.payload, attachments };
        check_placeholders(body.json(), body.attachments.len())?;
        Ok(Some((head, body)))
    }

    fn overloaded(&self, namespace: &str) -> Reason {
        if let Some(member) = self.find(namespace)
            && let Some(packet) = self.app.handler.overloaded(&member.socket)
        {
            // Fails when the client has gone already.
            let _ = member.socket.send(&packet);
        }
        Reason::TooManyEvents
    }

    async fn join(self: &Arc<Self>, namespace: &str, auth: &str) -> Result<(), Reason> {
        if !self.app.handler.has_namespace(namespace) {
            let refused = self.refuse(namespace, &Refused::new("Invalid namespace"));
            return refused.map_err(|_| Reason::HandlerFailed);
        }
        let id = self.app.hooks.random_id::<15>().ok_or(Reason::HandlerFailed)?;
        let namespace: Arc<str> = namespace.into();
        let socket = Socket::new(id, namespace.clone(), self.link.clone(), self.app.limits.awaited);
        let member = Member::new(socket, self.clone());
        if self.add(&namespace, &member).map_err(Reason::Violation)? {
            member.deliver(Work::Connect(auth.to_owned())).await;
        }
        Ok(())
    }

    /// Whether it joins; if not, it had asked before. socket.io-client says CONNECT twice when it is told to connect
    /// while it does, so only one who has spoken since should have known better.
    fn add(&self, namespace: &Arc<str>, member: &Arc<Member<H>>) -> Result<bool, Violation> {
        let mut members = self.members.lock();
        match members.find(namespace) {
            Some(joined) if joined.spoken.load(Ordering::Relaxed) => return Err(Violation::BadNamespace),
            Some(_) => return Ok(false),
            None if members.over => return Ok(false),
            None => {}
        }
        if members.joined.len() >= self.app.limits.namespaces {
            return Err(Violation::TooManyNamespaces);
        }
        members.left.retain(|left| left != namespace);
        members.joined.push(member.clone());
        Ok(true)
    }

    fn leave(&self, namespace: &str) -> Result<(), Reason> {
        match self.find(namespace) {
            Some(member) => {
                self.members.lock().joined.retain(|joined| !Arc::ptr_eq(joined, &member));
                member.end(Reason::ClientDisconnected);
                Ok(())
            }
            None => self.absent(namespace),
        }
    }

    async fn event(&self, head: Head, body: Body) -> Result<(), Reason> {
        let Some(member) = self.find(&head.namespace) else { return self.absent(&head.namespace) };
        member.spoken.store(true, Ordering::Relaxed);
        let ack = head.id.map(|id| Ack { socket: member.socket.clone(), id });
        member.deliver(Work::Event(Event { name: head.name, body }, ack)).await;
        Ok(())
    }

    /// Answers overtake events: a handler may be waiting for one.
    fn ack(&self, head: &Head, body: Body) -> Result<(), Reason> {
        let Some(member) = self.find(&head.namespace) else { return self.absent(&head.namespace) };
        if let Some(id) = head.id {
            member.socket.resolve(id, Answer { body });
        }
        Ok(())
    }

    fn find(&self, namespace: &str) -> Option<Arc<Member<H>>> {
        self.members.lock().find(namespace)
    }

    fn absent(&self, namespace: &str) -> Result<(), Reason> {
        let was_ended_here = self.members.lock().left.iter().any(|left| left.as_ref() == namespace);
        if was_ended_here { Ok(()) } else { Err(Reason::Violation(Violation::BadNamespace)) }
    }

    /// Takes a socket out, because the server ended it.
    pub(crate) fn forget(&self, socket: &Socket) -> Option<Arc<Member<H>>> {
        let mut members = self.members.lock();
        let place = members.joined.iter().position(|member| member.socket == *socket)?;
        let member = members.joined.swap_remove(place);
        while members.left.len() >= self.app.limits.namespaces {
            members.left.pop_front();
        }
        members.left.push_back(socket.namespace().into());
        Some(member)
    }

    pub(crate) fn refuse(&self, namespace: &str, refused: &Refused) -> Result<(), crate::EncodeError> {
        let packet = Packet::connect_error(namespace, &refused.message, refused.data.as_ref())?;
        // Fails when the client has gone.
        let _ = self.link.send(packet.frame());
        Ok(())
    }

    pub(crate) fn ended(&self, reason: Reason) {
        let mut members = self.members.lock();
        members.over = true;
        let joined = std::mem::take(&mut members.joined);
        drop(members);
        for member in joined {
            member.end(reason);
        }
    }
}

impl<H: Handler> Members<H> {
    fn find(&self, namespace: &str) -> Option<Arc<Member<H>>> {
        self.joined.iter().find(|member| member.socket.namespace() == namespace).cloned()
    }
}
