//! The guests' lobby: a chat by name only, of which nothing is kept.

use std::{collections::HashMap, sync::Arc};

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
    guests: Mutex<HashMap<String, Guest>>,
    clock: Clock,
}

struct Guest {
    name: String,
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

impl Lobby {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { guests: Mutex::default(), clock: clock.clone() }
    }

    /// Serves a guest until the connection ends.
    pub(crate) async fn serve(&self, hub: &Hub, upgrade: Upgrade, outbound: Arc<Outbound>) {
        let Some(mut inbound) = open(hub, upgrade, &outbound).await else { return };
        hub.0.measures.opened("lobby");
        let (mut name, mut pace) = (None, Pace::new());
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
            if let Err(fault) = self.hear(&outbound, &mut name, text) {
                tell(&outbound, &fault_of(&fault));
            }
        }
        if let Some(name) = name {
            self.leave(&name);
        }
        let reason = outbound.ended().unwrap_or(Reason::ConnectionLost);
        hub.0.measures.ended("lobby", reason.name());
        inbound.farewell().await;
    }

    fn hear(&self, outbound: &Arc<Outbound>, name: &mut Option<String>, text: &str) -> Result<(), Fault> {
        // What a guest says stands beside its `type`.
        let message = stoa_socketio::websocket::Message::Text(text.to_owned());
        let frame = websocket_end::parse(&message)?;
        match (frame.word.as_str(), &name) {
            ("join", None) => {
                let Join { username } = read(text)?;
                *name = Some(self.join(outbound, &username)?);
                Ok(())
            }
            ("join", Some(_)) => Err(Fault::new("ALREADY_JOINED", "You have a name already.")),
            ("message", Some(name)) => {
                let Message { content } = read(text)?;
                let length = content.chars().count();
                if content.trim().is_empty() || length > LONGEST_CONTENT {
                    return Err(Fault::bad_payload("`content` has 1 to 4,000 characters"));
                }
                self.tell_all(&json!({
                    "type": "message", "username": name, "content": content, "timestamp": self.now(),
                }));
                Ok(())
            }
            ("message", None) => Err(Fault::new("NOT_JOINED", "Join with a `username` first.")),
            _ => Err(Fault::unknown_event()),
        }
    }

    fn join(&self, outbound: &Arc<Outbound>, username: &str) -> Result<String, Fault> {
        let name = username.trim();
        let is_fit =
            (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !is_fit {
            return Err(Fault::new("BAD_USERNAME", "A name has 1 to 32 characters."));
        }
        {
            let mut guests = self.guests.lock();
            if guests.len() >= MOST_GUESTS {
                return Err(Fault::new("LOBBY_FULL", "The lobby is full."));
            }
            let key = name.to_lowercase();
            if guests.contains_key(&key) {
                return Err(Fault::new("USERNAME_TAKEN", "Somebody here has this name."));
            }
            guests.insert(key, Guest { name: name.to_owned(), outbound: Arc::clone(outbound) });
        }
        self.tell_all(&json!({ "type": "join", "username": name, "timestamp": self.now() }));
        self.tell_users();
        Ok(name.to_owned())
    }

    fn leave(&self, name: &str) {
        self.guests.lock().remove(&name.to_lowercase());
        self.tell_all(&json!({ "type": "leave", "username": name, "timestamp": self.now() }));
        self.tell_users();
    }

    fn tell_all(&self, told: &Value) {
        let frame = Frame::text(&told.to_string());
        for guest in self.guests.lock().values() {
            // Fails when the guest has gone, which its own task sees.
            let _ = guest.outbound.push(&frame);
        }
    }

    /// A newer list takes the place of an older one that waits.
    fn tell_users(&self) {
        let guests = self.guests.lock();
        let mut users: Vec<&str> = guests.values().map(|guest| guest.name.as_str()).collect();
        users.sort_unstable();
        let told = json!({ "type": "users", "users": users, "timestamp": self.now() });
        let frame = Frame::text(&told.to_string());
        for guest in guests.values() {
            let _ = guest.outbound.push_volatile("users", &frame);
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
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
