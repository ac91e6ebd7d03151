//! What nodes tell each other beside the log: who is where, who is typing, who comes into a room, and the guests' lobby.
//! Nothing of it is kept; a node that hears nobody goes on by itself.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::relay::Heard;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    Hub, Topic,
    neighbours::{Change, NodeId, Roll, Told},
};

/// How often it is looked whose lease has ended, within the time of a beat.
const LOOKS: u32 = 5;
/// Users, and guests, in one part of the whole.
const PART: usize = 500;

/// What one node says to all.
#[derive(Serialize, Deserialize)]
struct Letter {
    from: NodeId,
    word: Word,
}

/// A word between nodes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Who is there.
    Told(Told),
    /// Everybody, or one, is to tell who is there.
    Ask(Option<NodeId>),
    Typing {
        user: UserId,
        topic: String,
        is_typing: bool,
    },
    /// A socket came into a room that is spoken of in the snake dialect, or left it.
    Seat {
        user: UserId,
        topic: String,
        came: bool,
    },
    /// A guest of the lobby said something.
    Said {
        username: String,
        content: String,
        at: Timestamp,
    },
}

impl Hub {
    /// Tells other nodes, if there may be any.
    pub(crate) fn tell_nodes(&self, word: impl FnOnce() -> Word) -> bool {
        let Some(relay) = &self.0.platform.relay else { return false };
        match serde_json::to_vec(&Letter { from: self.0.node, word: word() }) {
            Ok(letter) => relay.say(Bytes::from(letter)),
            Err(error) => {
                tracing::error!(%error, "a word to other nodes cannot be written");
                false
            }
        }
    }

    /// Tells other nodes who came here and who left since they were told.
    pub(crate) fn tell_nodes_who_moved(&self) {
        let _in_order = self.0.telling.lock();
        let moved = self.0.presence.lock().take_moved();
        self.tell_moves(&moved);
    }

    fn tell_moves(&self, (came, left): &(Vec<UserId>, Vec<UserId>)) {
        let (mut came, mut left) = (came.chunks(PART), left.chunks(PART));
        loop {
            let (came, left) = (came.next().unwrap_or_default(), left.next().unwrap_or_default());
            if came.is_empty() && left.is_empty() {
                return;
            }
            self.tell_nodes(|| Word::Told(Told::Moved { came: came.to_vec(), left: left.to_vec() }));
        }
    }

    fn tell_nodes_all(&self) {
        let _in_order = self.0.telling.lock();
        let users = self.0.presence.lock().all_here();
        let guests: Vec<_> = self.0.lobby.here().into_iter().collect();
        let parts = users.len().max(guests.len()).div_ceil(PART).max(1);
        let (mut users, mut guests) = (users.chunks(PART), guests.chunks(PART));
        for part in 0..parts {
            let roll = Roll {
                users: users.next().unwrap_or_default().iter().copied().collect(),
                guests: guests.next().unwrap_or_default().iter().cloned().collect(),
            };
            self.tell_nodes(|| Word::Told(Told::All { part, parts, roll }));
        }
    }

    /// Tells other nodes that this one is there. The sum is that of what they were told.
    fn beat(&self) {
        let _in_order = self.0.telling.lock();
        let (moved, users) = {
            let mut presence = self.0.presence.lock();
            (presence.take_moved(), presence.all_here())
        };
        self.tell_moves(&moved);
        let roll = Roll { users: users.into_iter().collect(), guests: self.0.lobby.here() };
        self.0.neighbours.lock().beats();
        self.tell_nodes(|| Word::Told(Told::Beat(roll.sum())));
    }

    /// Hears other nodes for as long as it runs.
    pub(crate) async fn hear_nodes(&self, mut listening: mpsc::Receiver<Heard>) {
        let pace = self.settings().beat / LOOKS;
        let mut looks = tokio::time::interval(pace);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = 0;
        loop {
            tokio::select! {
                heard = listening.recv() => match heard {
                    Some(heard) => self.hear_relayed(heard),
                    None => return,
                },
                _ = looks.tick() => {
                    self.look_at_nodes();
                    if look % LOOKS == 0 && self.0.neighbours.lock().is_up() {
                        self.beat();
                    }
                    look += 1;
                }
            }
        }
    }

    fn hear_relayed(&self, heard: Heard) {
        match heard {
            Heard::Up => {
                tracing::info!("other nodes can be heard");
                self.0.neighbours.lock().up(Instant::now());
                self.tell_nodes(|| Word::Ask(None));
                self.tell_nodes_all();
            }
            Heard::Down => {
                tracing::warn!("other nodes cannot be heard; who is online there stays as it was");
                self.0.neighbours.lock().down();
            }
            Heard::Word(word) => match serde_json::from_slice(&word) {
                Ok(letter) => self.hear_letter(letter),
                Err(error) => {
                    tracing::debug!(%error, "a word of another node makes no sense");
                    self.0.measures.misunderstood();
                }
            },
        }
        self.tell_all_who_asked();
    }

    fn tell_all_who_asked(&self) {
        let wanted = self.0.neighbours.lock().tells_all(Instant::now());
        if wanted {
            self.tell_nodes_all();
        }
    }

    fn hear_letter(&self, Letter { from, word }: Letter) {
        if from == self.0.node {
            if matches!(word, Word::Told(Told::Beat(_))) {
                self.0.neighbours.lock().hears_itself();
            }
            return;
        }
        let now = Instant::now();
        if !self.0.neighbours.lock().is_heard(from, now) {
            return;
        }
        match word {
            Word::Told(told) => {
                let changes = self.0.neighbours.lock().hear(from, told, now);
                self.take_changes(changes, now + self.settings().presence_grace);
            }
            Word::Ask(whom) if whom.is_none_or(|node| node == self.0.node) => {
                self.0.neighbours.lock().is_asked();
            }
            Word::Ask(_) => {}
            Word::Typing { user, topic, is_typing } => {
                self.hear_typing(from, user, &Topic::from(topic.as_str()), is_typing);
            }
            Word::Seat { user, topic, came } => {
                self.tell_moved(user, &Topic::from(topic.as_str()), came, |_| true);
            }
            Word::Said { username, content, at } => self.0.lobby.tell_said(&username, &content, at),
        }
    }

    fn hear_typing(&self, from: NodeId, user: UserId, topic: &Topic, is_typing: bool) {
        let typist = (from, user, topic.clone());
        // A node that dies says nothing, so it is over some time after it should have been said again.
        let until = Instant::now() + self.settings().typing_lasts * 2;
        let is_news = {
            let mut typing = self.0.typing.lock();
            if is_typing { typing.start_elsewhere(typist, until) } else { typing.stop_elsewhere(&typist) }
        };
        if is_news {
            self.tell_typing(user, topic, is_typing);
            self.0.stirred.notify_one();
        }
    }

    fn look_at_nodes(&self) {
        let (now, pace) = (Instant::now(), self.settings().beat / LOOKS);
        let (lost, changes, nodes) = {
            let mut neighbours = self.0.neighbours.lock();
            let (lost, changes) = neighbours.look(now, pace);
            (lost, changes, neighbours.len() + 1)
        };
        if lost > 0 {
            tracing::warn!(nodes = lost, "nodes are not heard any more; who was there has gone");
        }
        self.0.measures.nodes(nodes, lost);
        self.take_changes(changes, now);
        self.tell_all_who_asked();
    }

    /// Who left another node counts as gone from `gone_at` on.
    fn take_changes(&self, changes: Vec<Change>, gone_at: Instant) {
        for change in changes {
            match change {
                Change::Arrived(user) => self.0.presence.lock().arrive(user),
                Change::Departed(user) => self.0.presence.lock().depart(user, gone_at),
                Change::GuestCame(node, guest) => self.hear_guest_came(node, guest),
                Change::GuestLeft(node, guest) => self.0.lobby.left_elsewhere(node, &guest),
                Change::Missed(node) => {
                    self.tell_nodes(|| Word::Ask(Some(node)));
                }
            }
        }
        self.0.stirred.notify_one();
    }
}
