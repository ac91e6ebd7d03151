//! One signed-in socket, as domains and the hub hold it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stoa_kernel::{SessionId, UserId};
use stoa_socketio::Reason;
use tokio::sync::Semaphore;

use crate::{
    Dialect, Fault, Hub, Topic,
    gate::Gate,
    line::Line,
    store::{KeptSeat, KeptSubscription, SessionHash},
    topics::{Subscription, Wanted},
    utterance::Utterance,
};

/// Events of one socket that have their place and are not answered yet; one more waits, and the client with it.
const UNANSWERED: usize = 128;
/// So many faults within [`FAULTS_WITHIN`] are one too many.
const FAULTS: u32 = 20;
const FAULTS_WITHIN: Duration = Duration::from_secs(10);

/// A socket of somebody who is signed in.
#[derive(Debug)]
pub struct Peer {
    pub(crate) number: u64,
    pub(crate) user: UserId,
    /// The login session it stands and falls with.
    pub(crate) login: SessionId,
    pub(crate) hub: Hub,
    pub(crate) line: Line,
    pub(crate) gate: Gate,
    pub(crate) seat: Mutex<Seat>,
    /// The session that it keeps, and which of its sockets it is.
    pub(crate) session: SessionHash,
    pub(crate) claim: i64,
    pub(crate) unanswered: Arc<Semaphore>,
    faults: Mutex<(u32, Option<Instant>)>,
}

/// What a socket hears.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) subscriptions: HashMap<Topic, Arc<Subscription>>,
    /// Whether it hears all that its user may hear, in the rooms dialect.
    pub(crate) home: bool,
    /// From where on its client wants to be told what it missed of things it subscribes to.
    pub(crate) resume_from: Option<i64>,
    /// Since then, up to where it was told of what it hears no more, so that it is not told twice when it names that again.
    /// No more than it may be subscribed to.
    pub(crate) told: HashMap<Topic, i64>,
    /// It has gone, and is subscribed to nothing any more.
    pub(crate) gone: bool,
}

/// Of whom a socket is, and what it keeps.
pub(crate) struct Identity {
    pub(crate) user: UserId,
    pub(crate) login: SessionId,
    pub(crate) session: SessionHash,
    pub(crate) claim: i64,
}

impl Peer {
    pub(crate) fn new(hub: &Hub, number: u64, line: Line, identity: Identity, home: bool) -> Arc<Self> {
        let Identity { user, login, session, claim } = identity;
        Arc::new(Self {
            number,
            user,
            login,
            hub: hub.clone(),
            line,
            gate: Gate::closed(hub.settings().outbound.frames),
            seat: Mutex::new(Seat { home, ..Seat::default() }),
            session,
            claim,
            unanswered: Arc::new(Semaphore::new(UNANSWERED)),
            faults: Mutex::default(),
        })
    }

    /// Whose socket it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Whether it is a plain WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.line.is_websocket()
    }

    /// Lets the socket hear a topic from now on, in a dialect, under the name that the client has for it; `None` is its id.
    /// False when it does so already. It is kept when this resolves, so that a client that comes back hears it again.
    pub async fn subscribe(
        self: &Arc<Self>,
        topic: Topic,
        dialect: Dialect,
        name: Option<&str>,
    ) -> Result<bool, Fault> {
        let name = name.filter(|name| *name != topic.id()).map(Arc::from);
        let wanted = Wanted { topic: topic.clone(), dialect, name, by_itself: false };
        let resume_from = {
            let seat = self.seat.lock();
            let known = seat.subscriptions.get(&topic);
            let is_wanted = |known: &Arc<Subscription>| {
                !known.by_itself && known.dialect == wanted.dialect && known.name == wanted.name
            };
            if known.is_some_and(is_wanted) {
                return Ok(false);
            }
            let most = self.hub.settings().subscriptions;
            if known.is_none() && seat.subscriptions.len() >= most {
                return Err(Fault::too_many_subscriptions(most));
            }
            // What it hears already, in other words, it was told.
            let told = seat.told.get(&topic).copied();
            seat.resume_from.filter(|_| known.is_none()).map(|from| told.unwrap_or(from))
        };
        match resume_from {
            Some(from) => self.hub.catch_up(self, wanted, from).await?,
            None => drop(self.hub.register(self, wanted)),
        }
        self.keep().await?;
        if dialect == Dialect::Snake {
            self.hub.tell_coming(self, &topic);
        }
        Ok(true)
    }

    /// Refused when the socket cannot be subscribed to one thing more.
    pub fn must_have_room(&self) -> Result<(), Fault> {
        let (most, seat) = (self.hub.settings().subscriptions, self.seat.lock());
        // By naming its first room it lets go of those that it heard by itself.
        if seat.home || seat.subscriptions.len() < most {
            return Ok(());
        }
        Err(Fault::too_many_subscriptions(most))
    }

    /// Ends a subscription; false when there was none.
    pub async fn unsubscribe(self: &Arc<Self>, topic: &Topic) -> Result<bool, Fault> {
        let Some(ended) = self.hub.drop_subscription(self, topic) else { return Ok(false) };
        self.hub.stop_typing(self, topic);
        if ended.dialect == Dialect::Snake {
            self.hub.tell_leaving(self, &ended);
        }
        self.keep().await?;
        Ok(true)
    }

    /// The topic of this kind that the socket hears under this name or id.
    pub fn heard_as(&self, kind: &str, name: &str) -> Option<Topic> {
        let seat = self.seat.lock();
        let topic = Topic::of(kind, name);
        if seat.subscriptions.contains_key(&topic) {
            return Some(topic);
        }
        let named = seat.subscriptions.values().find(|one| one.name.as_deref() == Some(name))?;
        (named.topic.kind() == kind).then(|| named.topic.clone())
    }

    /// The client names what it wants to hear of chat, in this dialect: from here on it is told no more of all that its user
    /// may hear, but for `named`, whose subscription is to follow and takes the place of the one there was. Kept with that.
    pub fn names_rooms(self: &Arc<Self>, dialect: Dialect, named: &Topic) {
        self.hub.names_rooms(self, dialect, named);
    }

    pub(crate) fn leave_home(self: &Arc<Self>, but: &Topic) {
        let topics: Vec<Topic> = {
            let mut seat = self.seat.lock();
            if !std::mem::take(&mut seat.home) {
                return;
            }
            let by_home = |one: &&Arc<Subscription>| one.by_itself && one.dialect == Dialect::Rooms;
            seat.subscriptions.values().filter(by_home).map(|one| one.topic.clone()).collect()
        };
        for topic in topics.iter().filter(|topic| topic.as_str() != Topic::PRESENCE && *topic != but) {
            self.hub.drop_subscription(self, topic);
        }
    }

    /// Lets those who hear the topic know that its user is typing there; again before it runs out to go on.
    pub fn start_typing(self: &Arc<Self>, topic: &Topic) {
        self.hub.start_typing(self, topic);
    }

    /// The user has stopped typing.
    pub fn stop_typing(self: &Arc<Self>, topic: &Topic) {
        self.hub.stop_typing(self, topic);
    }

    /// What the socket hears, to be kept.
    pub(crate) fn kept_seat(&self) -> KeptSeat {
        let seat = self.seat.lock();
        let chosen = seat.subscriptions.values().filter(|one| !one.by_itself);
        let subscriptions = chosen.map(|one| KeptSubscription {
            topic: one.topic.as_str().to_owned(),
            dialect: one.dialect,
            name: one.name.as_deref().map(str::to_owned),
            since: one.since,
        });
        KeptSeat { home: seat.home, subscriptions: subscriptions.collect() }
    }

    async fn keep(&self) -> Result<(), Fault> {
        if self.hub.keep(self).await? {
            return Ok(());
        }
        // Another socket has the session now.
        self.line.cut(Reason::Application("taken_over"));
        Err(Fault::new("SESSION_ENDED", "Another socket goes on with this session."))
    }

    pub(crate) fn send(&self, utterance: &Arc<Utterance>) {
        self.gate.pass(&self.line, utterance);
    }

    /// Counts a fault; whether it was one too many.
    pub(crate) fn is_at_fault_again(&self, now: Instant) -> bool {
        let mut faults = self.faults.lock();
        let (count, since) = &mut *faults;
        match since {
            Some(since) if now.duration_since(*since) < FAULTS_WITHIN => *count += 1,
            _ => (*count, *since) = (1, Some(now)),
        }
        *count > FAULTS
    }
}
