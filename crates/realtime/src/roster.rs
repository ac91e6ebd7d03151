//! Which sockets there are, by whom and by what they came.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use stoa_kernel::{SessionId, UserId};

use crate::{peer::Peer, store::SessionHash};

/// All signed-in sockets of a node.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    users: HashMap<UserId, Vec<Arc<Peer>>>,
    logins: HashMap<SessionId, Vec<Arc<Peer>>>,
    sessions: HashMap<SessionHash, Arc<Peer>>,
}

impl Roster {
    /// Adds a socket; answers the one that had its session before.
    pub(crate) fn add(&mut self, peer: &Arc<Peer>) -> Option<Arc<Peer>> {
        self.users.entry(peer.user).or_default().push(Arc::clone(peer));
        self.logins.entry(peer.login).or_default().push(Arc::clone(peer));
        self.sessions.insert(peer.session, Arc::clone(peer))
    }

    pub(crate) fn remove(&mut self, peer: &Arc<Peer>) {
        take(&mut self.users, &peer.user, peer);
        take(&mut self.logins, &peer.login, peer);
        if self.sessions.get(&peer.session).is_some_and(|known| Arc::ptr_eq(known, peer)) {
            self.sessions.remove(&peer.session);
        }
    }

    pub(crate) fn of_user(&self, user: UserId) -> Vec<Arc<Peer>> {
        self.users.get(&user).cloned().unwrap_or_default()
    }

    pub(crate) fn of_login(&self, login: SessionId) -> Vec<Arc<Peer>> {
        self.logins.get(&login).cloned().unwrap_or_default()
    }

    pub(crate) fn logins(&self) -> Vec<SessionId> {
        self.logins.keys().copied().collect()
    }

    pub(crate) fn sessions(&self) -> Vec<SessionHash> {
        self.sessions.keys().copied().collect()
    }
}

fn take<K: Eq + Hash>(map: &mut HashMap<K, Vec<Arc<Peer>>>, key: &K, peer: &Arc<Peer>) {
    if let Some(peers) = map.get_mut(key) {
        peers.retain(|known| !Arc::ptr_eq(known, peer));
        if peers.is_empty() {
            map.remove(key);
        }
    }
}

/// How long it is remembered that a login session has ended: longer than signing in by it can take.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Login sessions that ended a moment ago, for sockets that were just coming in by them.
#[derive(Debug, Default)]
pub(crate) struct EndedLogins(VecDeque<(Instant, SessionId)>);

impl EndedLogins {
    pub(crate) fn push(&mut self, login: SessionId, now: Instant) {
        while self.0.pop_front_if(|(at, _)| now.duration_since(*at) > REMEMBERED).is_some() {}
        self.0.push_back((now, login));
    }

    pub(crate) fn has(&self, login: SessionId) -> bool {
        self.0.iter().any(|(_, ended)| *ended == login)
    }
}
