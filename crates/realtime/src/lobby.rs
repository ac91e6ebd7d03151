//! The guests' lobby: a chat by name only, of which nothing is kept.
//!
//! It is one lobby for all nodes that hear each other. A name is given where its guest is; should two nodes give the same one
//! at the same moment, the guest who came later loses it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use stoa_kernel::{Clock, Timestamp};
use stoa_socketio::{
    Reason,
    websocket::{Frame, Outbound, Pace, Upgrade},
};
use tokio::time::Instant;

use crate::{
    Fault, Hub,
    neighbours::{Guest, NodeId, Told},
    relayed::Word,
    websocket_end::{self, open},
};

/// Guests at once.
const MOST_GUESTS: usize = 1_000;
/// Characters of a name.
const LONGEST_NAME: usize = 32;
/// Characters of a message, as in rooms.
const LONGEST_CONTENT: usize = 4_000;
/// Events of one guest in a second.
const EVENTS_PER_SECOND: u32 = 10;

/// Who is in the lobby, by their names in small letters.
pub(crate) struct Lobby {
    guests: Mutex<Guests>,
    clock: Clock,
}

#[derive(Default)]
struct Guests {
    here: HashMap<String, Seat>,
    elsewhere: HashMap<String, (NodeId, Guest)>,
}

struct Seat {
    guest: Guest,
    outbound: Arc<Outbound>,
}

#[derive(Deserialize)]
struct Join {
    username: String,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

impl Hub {
    /// Serves a guest until the connection ends.
    pub(crate) async fn serve_guest(&self, upgrade: Upgrade, outbound: Arc<Outbound>) {
        let Some(mut inbound) = open(self, upgrade, &outbound).await else { return };
        self.0.measures.opened("lobby");
        let (mut guest, mut pace) = (None, Pace::new());
        while let Some(message) = inbound.next().await {
            if !pace.allows(EVENTS_PER_SECOND, Instant::now()) {
                tell(&outbound, &fault_of(&Fault::new("TOO_MANY_EVENTS", "Too many events in a second.")));
                outbound.close(Reason::TooManyEvents);
                break;
            }
            let stoa_socketio::websocket::Message::Text(text) = &message else {
                tell(&outbound, &fault_of(&bad_frame()));
                continue;
            };
            if let Err(fault) = self.hear_guest(&outbound, &mut guest, text) {
                tell(&outbound, &fault_of(&fault));
            }
        }
        if let Some(guest) = guest {
            self.guest_leaves(&guest);
        }
        let reason = outbound.ended().unwrap_or(Reason::ConnectionLost);
        self.0.measures.ended("lobby", reason.name());
        inbound.farewell().await;
    }

    fn hear_guest(
        &self,
        outbound: &Arc<Outbound>,
        guest: &mut Option<Guest>,
        text: &str,
    ) -> Result<(), Fault> {
        // What a guest says stands beside its `type`.
        let message = stoa_socketio::websocket::Message::Text(text.to_owned());
        let frame = websocket_end::parse(&message)?;
        match (frame.word.as_str(), &guest) {
            ("join", None) => {
                let Join { username } = read(text)?;
                *guest = Some(self.guest_joins(outbound, &username)?);
                Ok(())
            }
            ("join", Some(_)) => Err(Fault::new("ALREADY_JOINED", "You have a name already.")),
            ("message", Some(guest)) => {
                let Message { content } = read(text)?;
                let length = content.chars().count();
                if content.trim().is_empty() || length > LONGEST_CONTENT {
                    return Err(Fault::bad_payload("`content` has 1 to 4,000 characters"));
                }
                let (username, at) = (guest.name.clone(), self.0.lobby.now());
                self.0.lobby.tell_said(&username, &content, at);
                self.tell_nodes(|| Word::Said { username, content, at });
                Ok(())
            }
            ("message", None) => Err(Fault::new("NOT_JOINED", "Join with a `username` first.")),
            _ => Err(Fault::unknown_event()),
        }
    }

    fn guest_joins(&self, outbound: &Arc<Outbound>, username: &str) -> Result<Guest, Fault> {
        let name = username.trim();
        let is_fit =
            (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !is_fit {
            return Err(Fault::new("BAD_USERNAME", "A name has 1 to 32 characters."));
        }
        let guest = Guest { name: name.to_owned(), since: self.0.lobby.now().as_micros() };
        let _in_order = self.0.telling.lock();
        self.0.lobby.enter(&guest, outbound)?;
        self.tell_nodes(|| Word::Told(Told::GuestCame(guest.clone())));
        Ok(guest)
    }

    fn guest_leaves(&self, guest: &Guest) {
        let _in_order = self.0.telling.lock();
        if self.0.lobby.leave(guest) {
            self.tell_nodes(|| Word::Told(Told::GuestLeft(guest.clone())));
        }
    }

    /// A guest has come at another node. Who has the same name here, and has it for less long, has it no more.
    pub(crate) fn hear_guest_came(&self, node: NodeId, guest: Guest) {
        let _in_order = self.0.telling.lock();
        let Some(Seat { guest, outbound }) = self.0.lobby.enter_elsewhere(node, guest, self.0.node) else {
            return;
        };
        tell(&outbound, &fault_of(&taken()));
        outbound.close(Reason::Forbidden("username_taken"));
        self.tell_nodes(|| Word::Told(Told::GuestLeft(guest)));
    }
}

impl Lobby {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { guests: Mutex::default(), clock: clock.clone() }
    }

    /// The guests of this node.
    pub(crate) fn here(&self) -> HashSet<Guest> {
        self.guests.lock().here.values().map(|seat| seat.guest.clone()).collect()
    }

    fn enter(&self, guest: &Guest, outbound: &Arc<Outbound>) -> Result<(), Fault> {
        let mut guests = self.guests.lock();
        if guests.here.len() + guests.elsewhere.len() >= MOST_GUESTS {
            return Err(Fault::new("LOBBY_FULL", "The lobby is full."));
        }
        let key = guest.name.to_lowercase();
        if guests.here.contains_key(&key) || guests.elsewhere.contains_key(&key) {
            return Err(taken());
        }
        guests.here.insert(key, Seat { guest: guest.clone(), outbound: Arc::clone(outbound) });
        guests.tell_moved("join", &guest.name, self.now());
        Ok(())
    }

    /// Whether the guest was there; the name may have been lost meanwhile.
    fn leave(&self, guest: &Guest) -> bool {
        let mut guests = self.guests.lock();
        let key = guest.name.to_lowercase();
        if guests.here.get(&key).is_none_or(|seat| seat.guest != *guest) {
            return false;
        }
        guests.here.remove(&key);
        guests.tell_moved("leave", &guest.name, self.now());
        true
    }

    /// Answers who loses the name here. Every node decides alike: the name is its who had it first.
    fn enter_elsewhere(&self, node: NodeId, guest: Guest, here: NodeId) -> Option<Seat> {
        let mut guests = self.guests.lock();
        let (key, came) = (guest.name.to_lowercase(), (guest.since, node));
        if guests.here.get(&key).is_some_and(|seat| (seat.guest.since, here) < came) {
            return None;
        }
        let known = guests.elsewhere.get(&key).map(|(node, guest)| (guest.since, *node));
        if known.is_some_and(|known| known < came) {
            return None;
        }
        let loser = guests.here.remove(&key);
        let name = guest.name.clone();
        guests.elsewhere.insert(key, (node, guest));
        if loser.is_none() && known.is_none() {
            guests.tell_moved("join", &name, self.now());
        }
        loser
    }

    /// A guest has left at another node.
    pub(crate) fn left_elsewhere(&self, node: NodeId, guest: &Guest) {
        let mut guests = self.guests.lock();
        let key = guest.name.to_lowercase();
        if guests.elsewhere.get(&key).is_some_and(|known| *known == (node, guest.clone())) {
            guests.elsewhere.remove(&key);
            guests.tell_moved("leave", &guest.name, self.now());
        }
    }

    /// Tells the guests of this node what a guest, here or elsewhere, has said.
    pub(crate) fn tell_said(&self, username: &str, content: &str, at: Timestamp) {
        let told = json!({ "type": "message", "username": username, "content": content, "timestamp": at });
        self.guests.lock().tell_all(&told);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Guests {
    fn tell_all(&self, told: &Value) {
        let frame = Frame::text(&told.to_string());
        for seat in self.here.values() {
            // Fails when the guest has gone, which its own task sees.
            let _ = seat.outbound.push(&frame);
        }
    }

    /// That somebody came or left, and who is there now: of such lists a newer one takes the place of an older that waits.
    fn tell_moved(&self, word: &str, username: &str, at: Timestamp) {
        self.tell_all(&json!({ "type": word, "username": username, "timestamp": at }));
        let here = self.here.values().map(|seat| seat.guest.name.as_str());
        let mut users: Vec<&str> =
            here.chain(self.elsewhere.values().map(|(_, guest)| guest.name.as_str())).collect();
        users.sort_unstable();
        let frame = Frame::text(&json!({ "type": "users", "users": users, "timestamp": at }).to_string());
        for seat in self.here.values() {
            let _ = seat.outbound.push_volatile("users", &frame);
        }
    }
}

fn taken() -> Fault {
    Fault::new("USERNAME_TAKEN", "Somebody here has this name.")
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::bad_payload("a text is missing"))
}

fn bad_frame() -> Fault {
    Fault::new("BAD_FRAME", "A frame is a JSON object with a `type`.")
}

fn fault_of(fault: &Fault) -> Box<RawValue> {
    let told = json!({ "type": "error", "code": fault.code, "message": fault.message });
    RawValue::from_string(told.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn tell(outbound: &Outbound, told: &RawValue) {
    // Fails when the guest has gone.
    let _ = outbound.push(&Frame::text(told.get()));
}
