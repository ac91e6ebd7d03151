//! The hub: what the event log tells, told on to every socket that is subscribed to it.
//!
//! The log is heard in one order, and each socket hears what concerns it in that order. A subscription begins at a
//! known place of the log, so that what was before it and what comes after it can be told apart without a gap.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use stoa_kernel::Authenticator;
use stoa_platform::{Platform, database::DatabaseError, events::Tail};
use stoa_socketio::Reason;
use tokio::sync::{Notify, Semaphore};

use crate::{
    Dialect, RealtimeSettings, Sockets, Topic,
    hear::end_login,
    ledger::Ledger,
    lobby::Lobby,
    measures::Measures,
    neighbours::{Neighbours, NodeId},
    peer::Peer,
    presence::Presence,
    roster::{EndedLogins, Roster},
    topics::{Subscription, Topics, Wanted},
    typing::Typing,
};

/// Clients that are given what they missed at once.
const RECOVERIES_AT_ONCE: usize = 32;

/// Sockets and what they hear. Cheap to clone.
#[derive(Clone)]
pub struct Hub(pub(crate) Arc<Inside>);

pub(crate) struct Inside {
    pub(crate) platform: Platform,
    pub(crate) settings: RealtimeSettings,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) sockets: Sockets,
    pub(crate) measures: Measures,
    /// The life of the log that this node began with.
    pub(crate) epoch: OnceLock<String>,
    pub(crate) topics: Mutex<Topics>,
    pub(crate) roster: Mutex<Roster>,
    pub(crate) ended_logins: Mutex<EndedLogins>,
    pub(crate) presence: Mutex<Presence>,
    pub(crate) typing: Mutex<Typing>,
    pub(crate) lobby: Lobby,
    /// What other nodes know this one by.
    pub(crate) node: NodeId,
    pub(crate) neighbours: Mutex<Neighbours>,
    /// Held by whoever tells other nodes who is here, so that they hear it in the order in which it was.
    pub(crate) telling: Mutex<()>,
    /// Rung when there is something to be told by and by.
    pub(crate) stirred: Notify,
    /// Where what is kept of sockets is written.
    pub(crate) ledger: Ledger,
    numbers: AtomicU64,
    /// Clients that are given what they missed at once.
    pub(crate) recoveries: Semaphore,
}

/// A hub at work; dropped, it hears nothing more.
pub struct Running {
    _tail: Tail,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Hub {
    /// A hub for what the domains say and hear.
    pub fn new(
        platform: &Platform,
        authenticator: Arc<dyn Authenticator>,
        settings: RealtimeSettings,
        sockets: Vec<Sockets>,
    ) -> Self {
        Self(Arc::new(Inside {
            platform: platform.clone(),
            authenticator,
            sockets: Sockets::joined(sockets),
            measures: Measures::new(&platform.metrics),
            epoch: OnceLock::new(),
            topics: Mutex::default(),
            roster: Mutex::default(),
            ended_logins: Mutex::default(),
            presence: Mutex::new(Presence::new(platform.relay.is_some())),
            typing: Mutex::default(),
            lobby: Lobby::new(&platform.clock),
            node: NodeId(u64::from_le_bytes(platform.random.bytes())),
            neighbours: Mutex::new(Neighbours::new(settings.lease, Instant::now())),
            telling: Mutex::default(),
            settings,
            stirred: Notify::new(),
            ledger: Ledger::of(&platform.database),
            numbers: AtomicU64::new(0),
            recoveries: Semaphore::new(RECOVERIES_AT_ONCE),
        }))
    }

    /// Begins to hear the log, from its newest place on.
    pub async fn start(&self) -> Result<Running, DatabaseError> {
        let tail = Tail::start(&self.0.platform.database, |from| {
            self.0.epoch.get_or_init(|| from.epoch.clone());
            self.0.topics.lock().heard = from.pos;
            let hub = self.clone();
            move |events| {
                let hub = hub.clone();
                async move { hub.hear(events).await }
            }
        });
        let tail = tail.await?;
        let (telling, looking) = (self.clone(), self.clone());
        let mut tasks = vec![
            tokio::spawn(async move { telling.tell_by_and_by().await }),
            tokio::spawn(async move { looking.look_after_sessions().await }),
        ];
        if let Some(relay) = &self.0.platform.relay {
            let (hub, listening) = (self.clone(), relay.listen());
            tasks.push(tokio::spawn(async move { hub.hear_nodes(listening).await }));
        }
        Ok(Running { _tail: tail, tasks })
    }

    pub(crate) fn settings(&self) -> &RealtimeSettings {
        &self.0.settings
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// An offset of this life of the log.
    pub(crate) fn offset(&self, pos: i64) -> String {
        format!("{}-{pos}", self.0.epoch.get().map_or("", String::as_str))
    }

    /// How far the log was heard.
    pub(crate) fn heard(&self) -> i64 {
        self.0.topics.lock().heard
    }

    /// A socket is there. One that had its session before is cut.
    pub(crate) fn add(&self, peer: &Arc<Peer>) {
        let before = self.0.roster.lock().add(peer);
        if let Some(before) = before {
            self.remove(&before);
            before.line.cut(Reason::Application("taken_over"));
        }
        self.0.presence.lock().come(peer.user);
        self.0.stirred.notify_one();
        // It may have ended between the look at it and now.
        if self.0.ended_logins.lock().has(peer.login) {
            end_login(peer);
        }
    }

    /// A socket has gone: it hears nothing more. Its session stays for a while.
    pub(crate) fn remove(&self, peer: &Arc<Peer>) {
        let subscriptions = {
            let mut seat = peer.seat.lock();
            if std::mem::replace(&mut seat.gone, true) {
                return;
            }
            std::mem::take(&mut seat.subscriptions)
        };
        {
            let mut topics = self.0.topics.lock();
            for subscription in subscriptions.values() {
                topics.remove(subscription);
            }
        }
        for subscription in subscriptions.values() {
            self.stop_typing(peer, &subscription.topic);
            if subscription.dialect == Dialect::Snake {
                self.tell_leaving(peer, subscription);
            }
        }
        self.0.roster.lock().remove(peer);
        self.0.presence.lock().leave(peer.user, Instant::now() + self.settings().presence_grace);
        self.0.stirred.notify_one();
    }

    /// Subscribes a socket; answers from which place on it hears.
    pub(crate) fn register(&self, peer: &Arc<Peer>, wanted: Wanted) -> i64 {
        self.register_all(peer, vec![(wanted, None)])
    }

    /// Subscribes a socket to many things at one place of the log, which is answered: what is after it is told live. For
    /// some the client has been subscribed since an earlier place already.
    pub(crate) fn register_all(&self, peer: &Arc<Peer>, wanted: Vec<(Wanted, Option<i64>)>) -> i64 {
        let mut seat = peer.seat.lock();
        let mut topics = self.0.topics.lock();
        let heard = topics.heard;
        if seat.gone {
            return heard;
        }
        for (wanted, since) in wanted {
            let topic = wanted.topic.clone();
            // Who heard it already, in other words, has heard it since then.
            let since = since.or_else(|| seat.subscriptions.get(&topic).map(|before| before.since));
            let subscription = Subscription::new(peer, wanted, since.unwrap_or(heard));
            if let Some(before) = seat.subscriptions.insert(topic, Arc::clone(&subscription)) {
                topics.take_out(&before);
            }
            topics.add(subscription);
        }
        heard
    }

    pub(crate) fn drop_subscription(&self, peer: &Arc<Peer>, topic: &Topic) -> Option<Arc<Subscription>> {
        let mut seat = peer.seat.lock();
        let ended = seat.subscriptions.remove(topic)?;
        let mut topics = self.0.topics.lock();
        topics.remove(&ended);
        if seat.resume_from.is_some() && seat.told.len() < self.settings().subscriptions {
            seat.told.insert(topic.clone(), topics.heard);
        } else {
            // Who has left so much has long been back.
            (seat.resume_from, seat.told) = (None, HashMap::new());
        }
        Some(ended)
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}
