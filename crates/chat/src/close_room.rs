//! Closing a room.

use stoa_contracts::chat::{RoomDeleted, RoomKind};
use stoa_platform::{Occasion, database::Tx, events, jobs};

use crate::{
    Chat,
    error::ChatError,
    find_room::locked,
    purge_room::PurgeRoom,
    room::{Room, RoomKey},
    standing::{Authority, Visitor},
    store::rooms,
};

impl Chat {
    /// Closes a room: for its owner. Nobody finds it any more; what was in it is removed by a job.
    pub async fn close(&self, occasion: Occasion, visitor: Visitor, room: RoomKey) -> Result<(), ChatError> {
        let close = move |tx: &mut Tx<'_>| {
            let standing = locked(tx, visitor, &room)?;
            if standing.room.kind == RoomKind::Direct {
                return Err(ChatError::Direct);
            }
            standing.require(Authority::Owner)?;
            if standing.room.everybody {
                return Err(ChatError::ForEverybody);
            }
            close_room(tx, &occasion, &standing.room)
        };
        self.database().write(close).await
    }
}

/// Closes a locked room.
pub(crate) fn close_room(tx: &mut Tx<'_>, occasion: &Occasion, room: &Room) -> Result<(), ChatError> {
    let version = room.version + 1;
    rooms::close(tx, room.id, version, occasion.at)?;
    events::append(tx, occasion, &RoomDeleted { room: room.id, version })?;
    jobs::enqueue(tx, occasion, &PurgeRoom { room: room.id })?;
    Ok(())
}
