//! Whom a message mentions: members of its room, by username. Whoever is not in the room hears nothing, so a mention is no
//! way to reach people who keep out of it.

use std::collections::{BTreeSet, HashMap};

use stoa_contracts::{accounts::Person, chat::Mention};
use stoa_kernel::UserId;
use stoa_platform::database::{Connection, DatabaseError};

use crate::{
    Chat,
    message::{MOST_MENTIONS, Message},
    room::Room,
    store::members,
};

/// The members of a room by username, of the names that were asked for.
pub(crate) struct Called(HashMap<String, UserId>);

impl Chat {
    /// Finds the members of a room who have these names.
    pub(crate) fn called(
        &self,
        c: &mut Connection<'_>,
        room: &Room,
        names: &BTreeSet<&str>,
    ) -> Result<Called, DatabaseError> {
        if names.is_empty() {
            return Ok(Called(HashMap::new()));
        }
        let names: Vec<&str> = names.iter().copied().collect();
        let mut found = self.people().called(c, &names)?;
        let users: Vec<UserId> = found.iter().map(|(_, user)| *user).collect();
        let rows = members::of_users(c, room.id, &users)?;
        found.retain(|(_, user)| match rows.get(user) {
            Some(row) => row.banned_at.is_none(),
            None => room.everybody,
        });
        Ok(Called(found.into_iter().collect()))
    }
}

impl Called {
    /// Who of them is meant by these names, each once and in order; nobody mentions themselves.
    pub(crate) fn meant(&self, names: &[String], sender: UserId) -> Vec<UserId> {
        let meant = names.iter().filter_map(|name| self.0.get(name)).copied();
        let meant: BTreeSet<UserId> = meant.filter(|user| *user != sender).collect();
        meant.into_iter().take(MOST_MENTIONS).collect()
    }
}

/// What somebody hears who is mentioned.
pub(crate) fn mention(room: &Room, message: &Message, by: &Person, user: UserId) -> Mention {
    Mention {
        user_id: user,
        room: room.id,
        room_name: room.name.clone(),
        message_id: message.id,
        seq: message.seq,
        by: by.clone(),
    }
}
