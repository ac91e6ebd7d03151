//! Chat: rooms, who is in them, and what is said there.
//!
//! [`Chat`] is the whole room of the house: REST is one door to it, and whatever else talks (sockets) calls the very same
//! functions. Everything that happens in a room is kept and told (as an event of topic `room:<id>`) in one transaction.
//! Messages of a room are numbered without holes, because whoever speaks, comes, goes or changes the room holds its row;
//! so that this costs nothing under load, what is sent to a room at the same time is said in one transaction
//! ([`Chat::send`]). How much is unread is the room's newest number less the one somebody has read to: no count is kept
//! for each member and message, so none can drift.

mod change_room;
mod close_room;
mod delete_message;
mod edit_message;
mod error;
mod find_room;
mod hear_users;
mod join_room;
mod judge_message;
mod leave_room;
mod list_messages;
mod list_rooms;
mod manage_members;
mod mark_read;
mod mentioned;
mod message;
mod open_room;
mod pin_message;
mod purge_room;
mod react;
mod room;
mod routes;
mod search_messages;
mod send_message;
mod serve_files;
mod settings;
mod shown_parts;
mod sockets;
mod standing;
mod store;
pub mod verify;
mod views;

use std::sync::Arc;

use stoa_contracts::{accounts::People, chat::RoomId, files::Files};
use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_platform::{
    Occasion, Platform,
    database::{Database, Lanes, Migration},
};

pub use self::{
    error::ChatError,
    list_messages::{Part, Which},
    manage_members::{MemberChange, MemberView},
    mark_read::ReadView,
    message::{Content, Draft, Emoji, LONGEST_CONTENT, MOST_EMOJIS, MOST_FILES, MOST_REACTIONS},
    open_room::Opened,
    purge_room::PurgeRoom,
    room::{LONGEST_SLUG, NewRoom, RoomChange, RoomKey, RoomView, SLOWEST, Slug},
    search_messages::Question,
    send_message::Sent,
    settings::ChatSettings,
    shown_parts::ShownPart,
    standing::Visitor,
};
use self::{
    send_message::{LANES, Waiting},
    shown_parts::ShownParts,
};

/// The tables of this domain.
pub const MIGRATIONS: &[Migration] = &[Migration::split(
    50,
    "chat",
    include_str!("../../../migrations/0050_chat.sqlite.sql"),
    include_str!("../../../migrations/0050_chat.postgres.sql"),
)];

/// The domain, cheap to clone.
#[derive(Clone)]
pub struct Chat(Arc<Inside>);

struct Inside {
    platform: Platform,
    settings: ChatSettings,
    people: Arc<dyn People>,
    files: Arc<dyn Files>,
    lanes: Lanes<RoomId, Waiting>,
    shown: ShownParts,
}

impl Chat {
    /// Chat among people, and of files, that are known elsewhere.
    pub fn new(
        platform: &Platform,
        settings: ChatSettings,
        people: Arc<dyn People>,
        files: Arc<dyn Files>,
    ) -> Self {
        let lanes = Lanes::of(platform.database.engine(), LANES);
        let shown = ShownParts::new(platform);
        Self(Arc::new(Inside { platform: platform.clone(), settings, people, files, lanes, shown }))
    }

    /// What it serves, hears and does.
    pub fn module(&self) -> Module {
        Module {
            name: "chat",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self.clone()),
            sockets: self.sockets(),
            followers: vec![self.follower()],
            job_handlers: vec![self.purge_handler()],
            ..Module::default()
        }
    }

    fn database(&self) -> &Database {
        &self.0.platform.database
    }

    fn people(&self) -> &dyn People {
        self.0.people.as_ref()
    }

    fn files(&self) -> &dyn Files {
        self.0.files.as_ref()
    }

    fn settings(&self) -> &ChatSettings {
        &self.0.settings
    }

    /// Now, by `actor`: what every change is made on.
    pub fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.0.platform.clock, &self.0.platform.random, actor)
    }
}
