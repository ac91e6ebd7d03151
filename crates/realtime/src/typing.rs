//! Who is typing where, until they stop or say nothing more of it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use stoa_kernel::UserId;

use crate::{Topic, neighbours::NodeId, peer::Peer};

/// Typists of other nodes that are remembered at once.
const MOST_ELSEWHERE: usize = 10_000;

/// Somebody at a socket who is typing.
#[derive(Debug)]
struct Typist {
    peer: Arc<Peer>,
    until: Instant,
    /// When other nodes were told.
    told_at: Instant,
}

/// Whom it is to be told that somebody types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tell {
    pub(crate) here: bool,
    /// Other nodes, to which it is said again while it goes on: they do not know otherwise.
    pub(crate) elsewhere: bool,
}

/// Everybody who is typing. A socket types in topics that it hears, so there are no more than those.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    here: HashMap<(u64, Topic), Typist>,
    /// At other nodes, and until when.
    elsewhere: HashMap<(NodeId, UserId, Topic), Instant>,
}

impl Typing {
    /// Somebody types, for so long from now on.
    pub(crate) fn start(&mut self, peer: &Arc<Peer>, topic: &Topic, now: Instant, lasts: Duration) -> Tell {
        let key = (peer.number, topic.clone());
        if let Some(typist) = self.here.get_mut(&key) {
            typist.until = now + lasts;
            let elsewhere = now.duration_since(typist.told_at) >= lasts / 2;
            if elsewhere {
                typist.told_at = now;
            }
            return Tell { here: false, elsewhere };
        }
        self.here.insert(key, Typist { peer: Arc::clone(peer), until: now + lasts, told_at: now });
        Tell { here: true, elsewhere: true }
    }

    /// Somebody stops; whether that is news.
    pub(crate) fn stop(&mut self, peer: &Peer, topic: &Topic) -> bool {
        self.here.remove(&(peer.number, topic.clone())).is_some()
    }

    /// Somebody at another node types; whether that is news.
    pub(crate) fn start_elsewhere(&mut self, typist: (NodeId, UserId, Topic), until: Instant) -> bool {
        if self.elsewhere.len() >= MOST_ELSEWHERE && !self.elsewhere.contains_key(&typist) {
            return false;
        }
        self.elsewhere.insert(typist, until).is_none()
    }

    /// Somebody at another node stops; whether that is news.
    pub(crate) fn stop_elsewhere(&mut self, typist: &(NodeId, UserId, Topic)) -> bool {
        self.elsewhere.remove(typist).is_some()
    }

    /// Those of whom nothing was heard for too long.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<(Arc<Peer>, Topic)> {
        let over = self.here.extract_if(|_, typist| typist.until <= now);
        over.map(|((_, topic), typist)| (typist.peer, topic)).collect()
    }

    /// The same of other nodes, which did not say that they stopped: they may have died.
    pub(crate) fn expired_elsewhere(&mut self, now: Instant) -> Vec<(UserId, Topic)> {
        let over = self.elsewhere.extract_if(|_, until| *until <= now);
        over.map(|((_, user, topic), _)| (user, topic)).collect()
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.here.is_empty() || !self.elsewhere.is_empty()
    }
}
