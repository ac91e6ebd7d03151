//! What an end does with a signed-in client, over whichever protocol it came.

use std::{net::IpAddr, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_kernel::{Actor, Credentials, Refusal};
use stoa_socketio::Reason;

use crate::{
    Dialect, Fault, Hub, Topic,
    arrive::{Arrival, Arrived},
    call::Reply,
    peer::Peer,
    socketio_end::AUTHENTICATE,
    utterance::Utterance,
    whisper::said,
};

/// The session that a signed-in client wants to take up.
#[derive(Deserialize)]
struct TakeUp {
    session: String,
    #[serde(default)]
    offset: Option<String>,
}

impl Hub {
    /// A word that nobody guesses, for a session to be known by.
    pub(crate) fn secret(&self) -> String {
        self.0.platform.random.secret()
    }

    /// Sends a client that has come what it is sent first, and lets it hear the rest.
    pub(crate) fn settle_in(&self, arrived: &Arrived) -> Arc<Peer> {
        let Arrived { peer, first, .. } = arrived;
        for utterance in first {
            peer.line.send_uncounted(utterance);
        }
        self.open(peer);
        Arc::clone(peer)
    }

    /// Lets a client that has been sent what comes first hear the rest.
    pub(crate) fn open(&self, peer: &Peer) {
        peer.gate.open(&peer.line);
        let speaks_rooms = peer.seat.lock().subscriptions.contains_key(Topic::PRESENCE);
        if speaks_rooms && let Some(said) = said("online-users", &self.online_users()) {
            peer.line.send(&Utterance::volatile(said));
        }
    }

    /// Does what a client says. A client that takes up another session has another socket from then on.
    pub(crate) async fn said_by(
        &self,
        peer: &mut Arc<Peer>,
        word: &str,
        argument: Option<Box<RawValue>>,
        reply: Reply,
        client: IpAddr,
    ) {
        let json = argument.as_deref().map_or("null", RawValue::get);
        match word {
            AUTHENTICATE => {
                let done = self.is_same_person(peer, json, client).await;
                self.answer(peer, reply, done);
            }
            "resume" => match serde_json::from_str::<TakeUp>(json) {
                Ok(wanted) => {
                    let done = self.take_up(peer, wanted).await;
                    self.answer(peer, reply, done);
                }
                Err(_) => self.dispatch(peer, word, argument, reply).await,
            },
            _ => self.dispatch(peer, word, argument, reply).await,
        }
    }

    /// Signing in again changes nothing; as somebody else it is refused.
    async fn is_same_person(&self, peer: &Peer, json: &str, client: IpAddr) -> Result<Box<RawValue>, Fault> {
        let token: String =
            serde_json::from_str(json).map_err(|_| Fault::bad_payload("a token is expected"))?;
        let actor = self.0.authenticator.authenticate(Credentials::Bearer(&token), client).await?;
        if actor.user_id() == Some(peer.user) {
            return Ok(RawValue::NULL.to_owned());
        }
        Err(Fault::new("ALREADY_AUTHENTICATED", "This socket is somebody else's; connect anew."))
    }

    async fn take_up(&self, peer: &mut Arc<Peer>, wanted: TakeUp) -> Result<Box<RawValue>, Fault> {
        let Actor::User(person) = self.0.authenticator.of_session(peer.login).await? else {
            return Err(Refusal::authentication_required().into());
        };
        let arrival = Arrival { token: None, session: Some(wanted.session.clone()), offset: wanted.offset };
        let recovered = match self.recover(&peer.line, &arrival, &wanted.session, Some(&person)).await? {
            Some(arrived) => {
                self.remove(peer);
                *peer = self.settle_in(&arrived);
                true
            }
            None => false,
        };
        crate::sockets::raw(&serde_json::json!({ "recovered": recovered }))
    }

    /// A client that knows an offset and no session is sent what it missed of things that it names from now on.
    pub(crate) async fn resume_without_session(&self, peer: &Arc<Peer>, arrival: &Arrival) {
        let (None, Some(offset)) = (&arrival.session, &arrival.offset) else { return };
        if let Err(fault) = self.resume_from(peer, offset).await {
            crate::call::tell_fault(&peer.line, &fault);
        }
    }

    /// Counts something that was no event at all.
    pub(crate) fn at_fault(&self, peer: &Arc<Peer>, reply: Reply, fault: Fault) {
        self.answer(peer, reply, Err(fault));
    }

    /// A client has gone.
    pub(crate) async fn has_gone(&self, peer: &Arc<Peer>, reason: Reason) {
        self.remove(peer);
        match reason {
            Reason::QueueFull | Reason::Stalled => {
                tracing::info!(user.id = %peer.user, reason = reason.name(), "a client that reads too slowly was cut off");
            }
            _ => tracing::debug!(user.id = %peer.user, reason = reason.name(), "a socket has ended"),
        }
        self.rest(peer.session).await;
    }

    /// A client names what it wants to hear of chat, in this dialect: it is told no more of what it did not name.
    pub(crate) fn names_rooms(&self, peer: &Arc<Peer>, dialect: Dialect, named: &Topic) {
        peer.leave_home(named);
        if dialect == Dialect::Rooms {
            self.hear_presence(peer);
            return;
        }
        let speaks_rooms = {
            let seat = peer.seat.lock();
            seat.subscriptions.values().any(|one| one.dialect == Dialect::Rooms && !one.by_itself)
        };
        if !speaks_rooms {
            self.drop_subscription(peer, &Topic::from(Topic::PRESENCE));
        }
    }
}
