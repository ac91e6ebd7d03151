//! Changing how a room is called and how fast it is.

use stoa_contracts::chat::{RoomKind, RoomUpdated};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Chat,
    error::ChatError,
    find_room::locked,
    room::{RoomChange, RoomKey, RoomView},
    standing::{Authority, Visitor},
    store::rooms,
};

impl Chat {
    /// Changes what is given of a room: for its moderators.
    pub async fn change(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomKey,
        change: RoomChange,
    ) -> Result<RoomView, ChatError> {
        let chat = self.clone();
        let write = move |tx: &mut Tx<'_>| chat.change_room(tx, &occasion, visitor, &room, &change);
        self.database().write(write).await
    }

    fn change_room(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        visitor: Visitor,
        key: &RoomKey,
        change: &RoomChange,
    ) -> Result<RoomView, ChatError> {
        let mut standing = locked(tx, visitor, key)?;
        if standing.room.kind == RoomKind::Direct {
            return Err(ChatError::Direct);
        }
        standing.require(Authority::Moderator)?;
        let before = standing.room.facts();
        let room = &mut standing.room;
        if let Some(slug) = &change.slug {
            // People and programs know where everybody is by this name.
            if room.everybody && room.slug.as_deref() != Some(slug.as_str()) {
                return Err(ChatError::ForEverybody);
            }
            room.slug = Some(slug.as_str().to_owned());
        }
        if let Some(name) = &change.name {
            room.name.clone_from(name);
        }
        room.slow_mode = change.slow_mode.unwrap_or(room.slow_mode);
        if room.facts() != before {
            (room.version, room.updated_at) = (room.version + 1, occasion.at);
            if !rooms::update(tx, room)? {
                return Err(ChatError::SlugTaken);
            }
            let updated = RoomUpdated { room: room.id, version: room.version, facts: room.facts() };
            events::append(tx, occasion, &updated)?;
        }
        self.view_room(tx, standing)
    }
}
