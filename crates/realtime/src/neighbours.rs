//! Other nodes: which are there, and who is at each.
//!
//! A node says every few seconds that it is there. Whoever has said nothing for the time of a lease is gone, and so are
//! those who were there. That is judged only while this node hears itself: one that hears nobody knows nothing of the
//! others, and sends nobody away. With its sign of life a node says how many are there and a sum of them, so that whoever
//! missed something on the way asks for the whole.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stoa_kernel::UserId;

/// How often at most a node is asked for the whole, and answers that.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Nodes that are remembered at once.
const MOST_NODES: usize = 1_024;

/// A node, for as long as its process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct NodeId(pub(crate) u64);

/// A guest of the lobby.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Guest {
    pub(crate) name: String,
    /// In microseconds, as exact as its own node has it.
    pub(crate) since: i64,
}

/// Who is at a node.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Roll {
    pub(crate) users: HashSet<UserId>,
    pub(crate) guests: HashSet<Guest>,
}

/// How many, and a sum that is another one if they are others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Sum {
    users: usize,
    guests: usize,
    mixed: u64,
}

impl Roll {
    pub(crate) fn sum(&self) -> Sum {
        // Ids are random enough as they are.
        let users = self.users.iter().map(|user| user.uuid().as_u64_pair());
        let guests = self.guests.iter().map(|guest| mixed(guest.name.as_bytes()));
        let mixed = users.map(|(high, low)| high ^ low).chain(guests).fold(0, |sum, one| sum ^ one);
        Sum { users: self.users.len(), guests: self.guests.len(), mixed }
    }
}

/// The same on every node.
fn mixed(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// What changes when a node is heard, or is not any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Arrived(UserId),
    Departed(UserId),
    GuestCame(NodeId, Guest),
    GuestLeft(NodeId, Guest),
    /// Something was missed on the way from a node: it is to be asked for the whole.
    Missed(NodeId),
}

/// What a node says of who is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It is there, and so many are there.
    Beat(Sum),
    /// A part of all who are there.
    All {
        part: usize,
        parts: usize,
        roll: Roll,
    },
    /// Who came there, and who left.
    Moved {
        came: Vec<UserId>,
        left: Vec<UserId>,
    },
    GuestCame(Guest),
    GuestLeft(Guest),
}

/// Another node.
#[derive(Debug)]
struct Neighbour {
    heard_at: Instant,
    roll: Roll,
    /// What has come of the whole: so many parts.
    coming: (usize, Roll),
    asked_at: Option<Instant>,
}

/// All other nodes.
#[derive(Debug)]
pub(crate) struct Neighbours {
    lease: Duration,
    nodes: HashMap<NodeId, Neighbour>,
    is_up: bool,
    /// This node said that it is there and has not heard itself say so.
    awaits_itself: bool,
    looked_at: Instant,
    told_all_at: Option<Instant>,
    is_asked: bool,
}

impl Neighbours {
    /// None yet.
    pub(crate) fn new(lease: Duration, now: Instant) -> Self {
        Self {
            lease,
            nodes: HashMap::new(),
            is_up: false,
            awaits_itself: false,
            looked_at: now,
            told_all_at: None,
            is_asked: false,
        }
    }

    /// From here on everybody is heard who says something. Each has a whole lease to do so.
    pub(crate) fn up(&mut self, now: Instant) {
        self.is_up = true;
        self.awaits_itself = false;
        self.told_all_at = None;
        self.nodes.values_mut().for_each(|node| node.heard_at = now);
    }

    /// Nobody is heard any more.
    pub(crate) fn down(&mut self) {
        self.is_up = false;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up
    }

    /// How many nodes there are beside this one.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// This node says that it is there.
    pub(crate) fn beats(&mut self) {
        self.awaits_itself = true;
    }

    /// It has heard itself.
    pub(crate) fn hears_itself(&mut self) {
        self.awaits_itself = false;
    }

    /// Somebody wants to know all who are here.
    pub(crate) fn is_asked(&mut self) {
        self.is_asked = true;
    }

    /// Whether that is to be told now; it is not told to everybody who asks.
    pub(crate) fn tells_all(&mut self, now: Instant) -> bool {
        let is_soon = self.told_all_at.is_some_and(|at| now.duration_since(at) < TOLD_AGAIN_AFTER);
        if !self.is_asked || is_soon {
            return false;
        }
        (self.is_asked, self.told_all_at) = (false, Some(now));
        true
    }

    /// A node is there; false when there are too many.
    pub(crate) fn is_heard(&mut self, from: NodeId, now: Instant) -> bool {
        if let Some(node) = self.nodes.get_mut(&from) {
            node.heard_at = now;
            return true;
        }
        let has_room = self.nodes.len() < MOST_NODES;
        if has_room {
            let (roll, coming) = (Roll::default(), (0, Roll::default()));
            self.nodes.insert(from, Neighbour { heard_at: now, roll, coming, asked_at: None });
        }
        has_room
    }

    /// What a node tells changes this.
    pub(crate) fn hear(&mut self, from: NodeId, told: Told, now: Instant) -> Vec<Change> {
        let Some(node) = self.nodes.get_mut(&from) else { return Vec::new() };
        match told {
            Told::Beat(sum) if sum == node.roll.sum() => Vec::new(),
            Told::Beat(_) => {
                if node.asked_at.is_some_and(|at| now.duration_since(at) < ASKED_AGAIN_AFTER) {
                    return Vec::new();
                }
                node.asked_at = Some(now);
                vec![Change::Missed(from)]
            }
            Told::All { part, parts, roll } => node.take_part(part, parts, roll, from),
            Told::Moved { came, left } => {
                let came = came.into_iter().filter(|user| node.roll.users.insert(*user));
                let mut changes: Vec<_> = came.map(Change::Arrived).collect();
                let left = left.into_iter().filter(|user| node.roll.users.remove(user));
                changes.extend(left.map(Change::Departed));
                changes
            }
            Told::GuestCame(guest) => {
                let is_new = node.roll.guests.insert(guest.clone());
                is_new.then_some(Change::GuestCame(from, guest)).into_iter().collect()
            }
            Told::GuestLeft(guest) => {
                let was_there = node.roll.guests.remove(&guest);
                was_there.then_some(Change::GuestLeft(from, guest)).into_iter().collect()
            }
        }
    }

    /// Those who were at nodes whose lease has ended; answers with them how many nodes those are. To be called every
    /// `pace`, for a node that was not called when it should be was not listening either.
    pub(crate) fn look(&mut self, now: Instant, pace: Duration) -> (usize, Vec<Change>) {
        let passed = now.saturating_duration_since(self.looked_at);
        self.looked_at = now;
        if !self.is_up || self.awaits_itself || passed > pace * 2 {
            for node in self.nodes.values_mut() {
                node.heard_at = now.min(node.heard_at + passed);
            }
            return (0, Vec::new());
        }
        let lease = self.lease;
        let is_over = |_: &NodeId, node: &mut Neighbour| now.duration_since(node.heard_at) > lease;
        let ended: Vec<_> = self.nodes.extract_if(is_over).collect();
        let count = ended.len();
        let gone = ended.into_iter().flat_map(|(id, mut node)| node.becomes(Roll::default(), id));
        (count, gone.collect())
    }
}

impl Neighbour {
    /// Takes a part of the whole; the last one makes it count.
    fn take_part(&mut self, part: usize, parts: usize, roll: Roll, id: NodeId) -> Vec<Change> {
        if part == 0 {
            self.coming = (0, Roll::default());
        }
        if part != self.coming.0 {
            return Vec::new();
        }
        self.coming.0 += 1;
        self.coming.1.users.extend(roll.users);
        self.coming.1.guests.extend(roll.guests);
        if self.coming.0 < parts {
            return Vec::new();
        }
        let (_, whole) = std::mem::take(&mut self.coming);
        self.becomes(whole, id)
    }

    fn becomes(&mut self, whole: Roll, id: NodeId) -> Vec<Change> {
        let before = std::mem::replace(&mut self.roll, whole);
        let now = &self.roll;
        let mut changes: Vec<_> = now.users.difference(&before.users).copied().map(Change::Arrived).collect();
        changes.extend(before.users.difference(&now.users).copied().map(Change::Departed));
        let left = before.guests.difference(&now.guests).cloned();
        changes.extend(left.map(|guest| Change::GuestLeft(id, guest)));
        let came = now.guests.difference(&before.guests).cloned();
        changes.extend(came.map(|guest| Change::GuestCame(id, guest)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const SECOND: Duration = Duration::from_secs(1);
    const OTHER: NodeId = NodeId(2);

    fn user(number: u128) -> UserId {
        Uuid::from_u128(number).into()
    }

    fn roll(users: &[u128]) -> Roll {
        Roll { users: users.iter().map(|number| user(*number)).collect(), guests: HashSet::new() }
    }

    fn whole(users: &[u128]) -> Told {
        Told::All { part: 0, parts: 1, roll: roll(users) }
    }

    /// A node that hears, and has heard the other with these users.
    fn heard(users: &[u128], now: Instant) -> Neighbours {
        let mut neighbours = Neighbours::new(LEASE, now);
        neighbours.up(now);
        assert!(neighbours.is_heard(OTHER, now));
        assert_eq!(neighbours.hear(OTHER, whole(users), now).len(), users.len());
        neighbours
    }

    /// Looks every second, so often.
    fn look_on(neighbours: &mut Neighbours, from: Instant, seconds: u32) -> Vec<Change> {
        (1..=seconds).flat_map(|second| neighbours.look(from + SECOND * second, SECOND).1).collect()
    }

    #[test]
    fn who_comes_and_goes_at_a_node_does_so_once() {
        let now = Instant::now();
        let mut neighbours = heard(&[1, 2], now);
        let moved = Told::Moved { came: vec![user(2), user(3)], left: vec![user(1), user(9)] };
        let changes = neighbours.hear(OTHER, moved, now);
        assert_eq!(changes, [Change::Arrived(user(3)), Change::Departed(user(1))]);
        assert_eq!(neighbours.hear(OTHER, Told::Beat(roll(&[2, 3]).sum()), now), []);
    }

    #[test]
    fn what_was_missed_is_asked_for_once_in_a_while() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        let beat = || Told::Beat(roll(&[1, 2]).sum());
        assert_eq!(neighbours.hear(OTHER, beat(), now), [Change::Missed(OTHER)]);
        assert_eq!(neighbours.hear(OTHER, beat(), now + SECOND), []);
        assert_eq!(neighbours.hear(OTHER, beat(), now + SECOND * 3), [Change::Missed(OTHER)]);
        assert_eq!(neighbours.hear(OTHER, whole(&[1, 2]), now), [Change::Arrived(user(2))]);
        assert_eq!(neighbours.hear(OTHER, beat(), now + SECOND * 9), []);
        assert_ne!(roll(&[1, 2]).sum(), roll(&[1, 3]).sum());
    }

    #[test]
    fn the_whole_counts_when_its_last_part_is_there() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        let part = |part, users: &[u128]| Told::All { part, parts: 3, roll: roll(users) };
        assert_eq!(neighbours.hear(OTHER, part(0, &[2]), now), []);
        assert_eq!(neighbours.hear(OTHER, part(2, &[4]), now), [], "a part is missing");
        assert_eq!(neighbours.hear(OTHER, part(0, &[2]), now), []);
        assert_eq!(neighbours.hear(OTHER, part(1, &[3]), now), []);
        let changes = neighbours.hear(OTHER, part(2, &[4]), now);
        assert_eq!(changes.len(), 4, "{changes:?}");
        assert_eq!(changes.last(), Some(&Change::Departed(user(1))));
    }

    #[test]
    fn a_node_that_is_not_heard_is_gone_with_its_users_when_its_lease_ends() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        assert_eq!(look_on(&mut neighbours, now, 15), []);
        assert_eq!(look_on(&mut neighbours, now + SECOND * 15, 1), [Change::Departed(user(1))]);
        assert_eq!(neighbours.len(), 0);
    }

    #[test]
    fn who_hears_nobody_sends_nobody_away() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        neighbours.down();
        assert_eq!(look_on(&mut neighbours, now, 100), []);
        let back = now + SECOND * 100;
        neighbours.up(back);
        assert_eq!(look_on(&mut neighbours, back, 15), [], "a whole lease to be heard again");
        assert_eq!(look_on(&mut neighbours, back + SECOND * 15, 1), [Change::Departed(user(1))]);
    }

    #[test]
    fn who_does_not_hear_itself_does_not_hear_others_either() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        neighbours.beats();
        assert_eq!(look_on(&mut neighbours, now, 100), []);
        neighbours.hears_itself();
        assert_eq!(look_on(&mut neighbours, now + SECOND * 100, 15), []);
    }

    #[test]
    fn who_stood_still_does_not_take_others_for_dead() {
        let now = Instant::now();
        let mut neighbours = heard(&[1], now);
        assert_eq!(neighbours.look(now + SECOND * 60, SECOND), (0, vec![]));
        assert_eq!(look_on(&mut neighbours, now + SECOND * 60, 15), []);
    }

    #[test]
    fn all_are_told_to_many_who_ask_at_once() {
        let now = Instant::now();
        let mut neighbours = heard(&[], now);
        assert!(!neighbours.tells_all(now));
        neighbours.is_asked();
        neighbours.is_asked();
        assert!(neighbours.tells_all(now));
        assert!(!neighbours.tells_all(now));
        neighbours.is_asked();
        assert!(!neighbours.tells_all(now));
        assert!(neighbours.tells_all(now + SECOND), "and once more for who came too late");
    }

    #[test]
    fn guests_come_and_go_with_their_node() {
        let now = Instant::now();
        let mut neighbours = heard(&[], now);
        let guest = Guest { name: "Ann".into(), since: 1 };
        let came = neighbours.hear(OTHER, Told::GuestCame(guest.clone()), now);
        assert_eq!(came, [Change::GuestCame(OTHER, guest.clone())]);
        assert_eq!(neighbours.hear(OTHER, Told::GuestCame(guest.clone()), now), []);
        assert_eq!(look_on(&mut neighbours, now, 16), [Change::GuestLeft(OTHER, guest)]);
    }
}
