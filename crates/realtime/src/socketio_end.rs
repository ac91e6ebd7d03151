//! Clients over Socket.IO.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_kernel::RefusalKind;
use stoa_socketio::{
    Accepted, Ack, Connect, Event, Handler, Handshake, Packet, Reason, Refusal, Refused, Socket,
};

use crate::{
    Fault, Hub,
    admission::{Admission, ClientAddress},
    arrive::{Arrival, Arrived},
    call::Reply,
    line::Line,
    peer::Peer,
    utterance::Utterance,
    whisper::said,
};

/// The word by which a client signs in that did not in its handshake.
pub(crate) const AUTHENTICATE: &str = "authenticate";

/// The application behind the Socket.IO server.
pub(crate) struct SocketIoEnd {
    pub(crate) hub: Hub,
    pub(crate) admission: Arc<Admission>,
}

/// What is kept of a socket.
pub(crate) enum State {
    /// Not signed in; it has a moment to do so.
    Guest {
        secret: String,
        client: IpAddr,
        signed_in: Arc<AtomicBool>,
    },
    SignedIn {
        peer: Arc<Peer>,
        client: IpAddr,
    },
}

/// `auth` of the client, as far as it is ours.
#[derive(Default, Deserialize)]
struct Auth {
    #[serde(default)]
    token: Option<String>,
}

impl Handler for SocketIoEnd {
    type Client = IpAddr;
    type State = State;

    fn admit(&self, handshake: &Handshake<'_>) -> Result<IpAddr, Refusal> {
        let address = handshake.extensions.get::<ClientAddress>();
        let client = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0);
        if !self.admission.allows_origin(handshake.headers, handshake.uri) {
            return Err(Refusal::forbidden("This origin may not connect."));
        }
        match self.admission.is_blocked(client) {
            Some(seconds) => Err(Refusal::too_many("Too many bad handshakes.", seconds)),
            None => Ok(client),
        }
    }

    async fn connect(&self, connect: Connect<'_, IpAddr>) -> Result<Accepted<State>, Refused> {
        let Ok(auth) = connect.auth::<Auth>() else {
            return Err(refused("BAD_PAYLOAD"));
        };
        let recovery = connect.recovery();
        let arrival = Arrival {
            token: auth.token,
            session: recovery.as_ref().map(|recovery| recovery.pid.clone()),
            offset: recovery.and_then(|recovery| recovery.offset),
        };
        let (client, line) = (*connect.client, Line::SocketIo(connect.socket.clone()));
        let secret = self.hub.secret();
        match self.hub.arrive(&line, &arrival, client, &secret).await {
            Ok(arrived) => Ok(self.let_in(arrived, client)),
            // Refused, it would not come back by itself, and forget what it had.
            Err(refusal) if is_ours(refusal.kind) => {
                connect.socket.cut(Reason::Application("unavailable"));
                Err(refused(Fault::from(refusal).code))
            }
            Err(_) if arrival.token.is_none() => Ok(self.let_wait(connect.socket, secret, client)),
            Err(refusal) => {
                if refusal.kind == RefusalKind::Unauthenticated {
                    self.admission.was_bad(client).await;
                }
                Err(refused(Fault::from(refusal).code))
            }
        }
    }

    async fn event(&self, socket: &Socket, state: &mut State, event: Event, ack: Option<Ack>) {
        let argument: Option<Box<RawValue>> = event.argument(0).ok();
        let (reply, line) = (Reply::SocketIo(ack), Line::SocketIo(socket.clone()));
        match state {
            State::SignedIn { peer, client } => {
                let client = *client;
                self.hub.said_by(peer, event.name(), argument, reply, client).await;
            }
            State::Guest { secret, client, signed_in } if event.name() == AUTHENTICATE => {
                let (client, token) =
                    (*client, argument.and_then(|raw| serde_json::from_str(raw.get()).ok()));
                let arrival = Arrival { token, ..Arrival::default() };
                match self.hub.arrive(&line, &arrival, client, secret).await {
                    Ok(arrived) => {
                        signed_in.store(true, Ordering::Release);
                        *state = State::SignedIn { peer: self.hub.settle_in(&arrived), client };
                        reply.give(&line, Ok(RawValue::NULL.to_owned()));
                    }
                    Err(refusal) => {
                        if refusal.kind == RefusalKind::Unauthenticated {
                            self.admission.was_bad(client).await;
                        }
                        tell_unauthorized(&line, reply, Fault::from(refusal));
                    }
                }
            }
            State::Guest { .. } => reply.give(&line, Err(Fault::not_authenticated())),
        }
    }

    async fn disconnected(&self, _: &Socket, state: State, reason: Reason) {
        match state {
            State::Guest { signed_in, .. } => signed_in.store(true, Ordering::Release),
            State::SignedIn { peer, .. } => self.hub.has_gone(&peer, reason).await,
        }
    }

    fn overloaded(&self, _: &Socket) -> Option<Packet> {
        let fault = Fault::new("TOO_MANY_EVENTS", "Too many events in a second.");
        Utterance::volatile(said("error", &fault)?).packet().cloned()
    }
}

impl SocketIoEnd {
    fn let_in(&self, arrived: Arrived, client: IpAddr) -> Accepted<State> {
        let Arrived { peer, session, first } = arrived;
        let missed = first.iter().filter_map(|utterance| utterance.packet().cloned()).collect();
        // What is let through now waits at the socket until it has been sent what it missed.
        self.hub.open(&peer);
        Accepted::new(State::SignedIn { peer, client }).pid(session).missed(missed)
    }

    fn let_wait(&self, socket: &Socket, secret: String, client: IpAddr) -> Accepted<State> {
        let signed_in = Arc::new(AtomicBool::new(false));
        let (socket, watched) = (socket.clone(), Arc::clone(&signed_in));
        let within = self.hub.settings().sign_in_within;
        tokio::spawn(async move {
            tokio::time::sleep(within).await;
            if !watched.load(Ordering::Acquire) {
                socket.close(Reason::Forbidden("not_signed_in"));
            }
        });
        Accepted::new(State::Guest { secret: secret.clone(), client, signed_in }).pid(secret)
    }
}

/// Whether it is not the client's fault.
fn is_ours(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::Internal | RefusalKind::Unavailable)
}

/// The words that clients look for; the code says more.
fn refused(code: &str) -> Refused {
    Refused::new("Authentication error").data(serde_json::json!({ "code": code }))
}

/// A token was bad.
pub(crate) fn tell_unauthorized(line: &Line, reply: Reply, fault: Fault) {
    if let Some(said) = said("unauthorized", &fault) {
        line.send(&Utterance::volatile(said));
    }
    if reply.is_wanted() {
        reply.give(line, Err(fault));
    }
}
