//! Who is typing where, until they stop or say nothing more of it.

use std::{collections::HashMap, sync::Arc, time::Instant};

use crate::{Topic, peer::Peer};

/// Somebody at a socket who is typing.
#[derive(Debug)]
struct Typist {
    peer: Arc<Peer>,
    until: Instant,
}

/// Everybody who is typing. A socket types in topics that it hears, so there are no more than those.
#[derive(Debug, Default)]
pub(crate) struct Typing(HashMap<(u64, Topic), Typist>);

impl Typing {
    /// Somebody types; whether that is news.
    pub(crate) fn start(&mut self, peer: &Arc<Peer>, topic: &Topic, until: Instant) -> bool {
        let typist = Typist { peer: Arc::clone(peer), until };
        self.0.insert((peer.number, topic.clone()), typist).is_none()
    }

    /// Somebody stops; whether that is news.
    pub(crate) fn stop(&mut self, peer: &Peer, topic: &Topic) -> bool {
        self.0.remove(&(peer.number, topic.clone())).is_some()
    }

    /// Those of whom nothing was heard for too long.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<(Arc<Peer>, Topic)> {
        let over = self.0.extract_if(|_, typist| typist.until <= now);
        over.map(|((_, topic), typist)| (typist.peer, topic)).collect()
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.0.is_empty()
    }
}
