//! Who is online: whoever has a socket, here or at another node, and for a moment after the last has gone.
//!
//! What changes is collected for a moment and told together: one by one when it is little, by the whole list when many
//! come or go at once, so that a crowd that comes back after a restart is no storm of news.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use serde::Serialize;
use stoa_kernel::UserId;

/// The longest list of who is online that is sent.
pub(crate) const MOST_LISTED: usize = 1_000;
/// More changes at once than this are told as a list.
const MOST_SINGLE: usize = 16;

/// What is told of who is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    Came(UserId),
    Left(UserId),
    /// Many: look at the list.
    List,
}

/// Who is online, as it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct OnlineUsers {
    /// The first thousand at most.
    pub(crate) users: Vec<UserId>,
    /// How many there are.
    pub(crate) total: usize,
}

/// Counts the sockets of this node by user, and for each user the nodes where they have any.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Sockets of this node.
    here: HashMap<UserId, usize>,
    /// At how many nodes somebody is.
    places: HashMap<UserId, usize>,
    /// Who left the last place, and when they count as gone; in that order.
    leaving: VecDeque<(Instant, UserId)>,
    /// The same by user, the newest only.
    gone_at: HashMap<UserId, Instant>,
    /// Who counts as online, whatever was told yet.
    online: HashSet<UserId>,
    /// Changes that were not told yet.
    changed: Vec<News>,
    /// Whether other nodes are to be told who is here.
    is_shared: bool,
    /// Who came here (or left) since other nodes were told.
    moved: HashMap<UserId, bool>,
}

impl Presence {
    /// That of a node, maybe of several.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self { is_shared, ..Self::default() }
    }

    /// A socket of somebody is there.
    pub(crate) fn come(&mut self, user: UserId) {
        let sockets = self.here.entry(user).or_default();
        *sockets += 1;
        if *sockets == 1 {
            self.moves(user, true);
            self.arrive(user);
        }
    }

    /// A socket of somebody has gone.
    pub(crate) fn leave(&mut self, user: UserId, gone_at: Instant) {
        let Some(sockets) = self.here.get_mut(&user) else { return };
        *sockets -= 1;
        if *sockets == 0 {
            self.here.remove(&user);
            self.moves(user, false);
            self.depart(user, gone_at);
        }
    }

    fn moves(&mut self, user: UserId, came: bool) {
        if self.is_shared {
            self.moved.insert(user, came);
        }
    }

    /// Somebody is at one more node.
    pub(crate) fn arrive(&mut self, user: UserId) {
        *self.places.entry(user).or_default() += 1;
        if self.online.insert(user) {
            self.note(News::Came(user));
        }
    }

    /// Somebody is at one node less.
    pub(crate) fn depart(&mut self, user: UserId, gone_at: Instant) {
        let Some(places) = self.places.get_mut(&user) else { return };
        *places -= 1;
        if *places == 0 {
            self.places.remove(&user);
            self.gone_at.insert(user, gone_at);
            let later = self.leaving.iter().rev().take_while(|(at, _)| *at > gone_at).count();
            self.leaving.insert(self.leaving.len() - later, (gone_at, user));
        }
    }

    /// Who has sockets here, for other nodes. They have been told of every move then.
    pub(crate) fn all_here(&mut self) -> Vec<UserId> {
        self.moved.clear();
        self.here.keys().copied().collect()
    }

    /// Who came here, and who left, since other nodes were told.
    pub(crate) fn take_moved(&mut self) -> (Vec<UserId>, Vec<UserId>) {
        let (came, left): (Vec<_>, Vec<_>) = self.moved.drain().partition(|(_, came)| *came);
        let users = |moved: Vec<(UserId, bool)>| moved.into_iter().map(|(user, _)| user).collect();
        (users(came), users(left))
    }

    /// Whether there is something to tell, now or soon.
    pub(crate) fn is_busy(&self) -> bool {
        !self.changed.is_empty() || !self.leaving.is_empty() || !self.moved.is_empty()
    }

    /// What is to be told now.
    pub(crate) fn news(&mut self, now: Instant) -> Vec<News> {
        while let Some((gone_at, user)) = self.leaving.pop_front_if(|(gone_at, _)| *gone_at <= now) {
            // Whoever came back and went again counts from the second time.
            if self.gone_at.get(&user) != Some(&gone_at) {
                continue;
            }
            self.gone_at.remove(&user);
            if !self.places.contains_key(&user) && self.online.remove(&user) {
                self.note(News::Left(user));
            }
        }
        let changed = std::mem::take(&mut self.changed);
        if changed.len() > MOST_SINGLE { vec![News::List] } else { changed }
    }

    fn note(&mut self, news: News) {
        // One more than can be told singly is told as a list, however many there are.
        if self.changed.len() <= MOST_SINGLE {
            self.changed.push(news);
        }
    }

    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.online.contains(&user)
    }

    /// How many are online.
    pub(crate) fn count(&self) -> usize {
        self.online.len()
    }

    pub(crate) fn list(&self) -> OnlineUsers {
        OnlineUsers {
            users: self.online.iter().take(MOST_LISTED).copied().collect(),
            total: self.online.len(),
        }
    }
}

/// How often news are told at most.
pub(crate) const TELL_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn user(number: u128) -> UserId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn somebody_is_online_from_the_first_socket_to_a_moment_after_the_last() {
        let (mut presence, start) = (Presence::default(), Instant::now());
        presence.come(user(1));
        presence.come(user(1));
        assert_eq!(presence.news(start), [News::Came(user(1))]);
        presence.leave(user(1), start + GRACE);
        presence.leave(user(1), start + GRACE);
        assert_eq!(presence.news(start), []);
        assert!(presence.is_online(user(1)));
        assert_eq!(presence.news(start + GRACE), [News::Left(user(1))]);
        assert!(!presence.is_busy());
    }

    #[test]
    fn who_comes_back_in_time_was_never_gone() {
        let (mut presence, start) = (Presence::default(), Instant::now());
        presence.come(user(1));
        presence.news(start);
        presence.leave(user(1), start + GRACE);
        presence.come(user(1));
        assert_eq!(presence.news(start + GRACE), []);
        assert!(presence.is_online(user(1)));
    }

    #[test]
    fn who_goes_twice_is_gone_after_the_second_time() {
        let (mut presence, start) = (Presence::default(), Instant::now());
        presence.come(user(1));
        presence.news(start);
        presence.leave(user(1), start + GRACE);
        presence.come(user(1));
        presence.leave(user(1), start + GRACE * 2);
        assert_eq!(presence.news(start + GRACE), []);
        assert_eq!(presence.news(start + GRACE * 2), [News::Left(user(1))]);
    }

    #[test]
    fn who_is_at_another_node_is_online_here() {
        let (mut presence, start) = (Presence::new(true), Instant::now());
        presence.arrive(user(1));
        presence.come(user(1));
        assert_eq!(presence.news(start), [News::Came(user(1))]);
        presence.leave(user(1), start);
        assert_eq!(presence.news(start), []);
        presence.depart(user(1), start + GRACE);
        assert_eq!(presence.news(start), []);
        assert_eq!(presence.news(start + GRACE), [News::Left(user(1))]);
    }

    #[test]
    fn of_those_who_leave_each_is_told_at_its_time() {
        let (mut presence, start) = (Presence::new(true), Instant::now());
        (1..4).for_each(|number| presence.arrive(user(number)));
        presence.news(start);
        presence.depart(user(1), start + GRACE);
        presence.depart(user(2), start);
        presence.depart(user(3), start + GRACE);
        assert_eq!(presence.news(start), [News::Left(user(2))]);
        assert_eq!(presence.news(start + GRACE), [News::Left(user(1)), News::Left(user(3))]);
    }

    #[test]
    fn other_nodes_are_told_of_who_comes_and_goes_here() {
        let (mut presence, start) = (Presence::new(true), Instant::now());
        presence.come(user(1));
        presence.come(user(1));
        presence.come(user(2));
        presence.leave(user(2), start);
        presence.arrive(user(3));
        assert_eq!(presence.take_moved(), (vec![user(1)], vec![user(2)]));
        assert_eq!(presence.take_moved(), (vec![], vec![]));
        presence.come(user(4));
        assert_eq!(presence.all_here().len(), 2);
        assert_eq!(presence.take_moved(), (vec![], vec![]), "they were told with all");
    }

    #[test]
    fn a_node_alone_has_nobody_to_tell() {
        let mut presence = Presence::new(false);
        presence.come(user(1));
        assert_eq!(presence.take_moved(), (vec![], vec![]));
    }

    #[test]
    fn a_crowd_is_told_as_a_list() {
        let mut presence = Presence::default();
        (0..100).for_each(|number| presence.come(user(number)));
        assert_eq!(presence.news(Instant::now()), [News::List]);
        assert_eq!(presence.list().total, 100);
    }
}
