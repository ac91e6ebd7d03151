//! Going out of a room. A room is never without an owner: when that one goes, the moderator who has been there longest
//! takes over, else the member who has; when the last one goes, the room is closed.

use stoa_contracts::chat::{MemberChanged, MemberLeft, RoomKind, RoomRole};
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    Chat,
    close_room::close_room,
    error::ChatError,
    find_room::locked,
    room::{Room, RoomKey},
    standing::{Membership, Visitor},
    store::{members, rooms},
};

impl Chat {
    /// Leaves a room.
    pub async fn leave(&self, occasion: Occasion, visitor: Visitor, room: RoomKey) -> Result<(), ChatError> {
        let leave = move |tx: &mut Tx<'_>| {
            let standing = locked(tx, visitor, &room)?;
            require_exit(&standing.room)?;
            let row = *standing.member().ok_or(ChatError::NotAMember)?;
            let_out(tx, &occasion, &standing.room, row)
        };
        self.database().write(leave).await
    }
}

/// Whether people can go out of a room at all.
pub(crate) fn require_exit(room: &Room) -> Result<(), ChatError> {
    match room {
        Room { kind: RoomKind::Direct, .. } => Err(ChatError::Direct),
        Room { everybody: true, .. } => Err(ChatError::ForEverybody),
        _ => Ok(()),
    }
}

/// Takes a member out of a locked room, and their row with them.
pub(crate) fn let_out(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &Room,
    row: Membership,
) -> Result<(), ChatError> {
    members::delete(tx, room.id, row.user)?;
    tell_of_leaving(tx, occasion, room, row, false)
}

/// Sends a member out of a locked room; the row stays, so that they do not come back.
pub(crate) fn send_out(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &Room,
    row: Membership,
) -> Result<(), ChatError> {
    let banned = Membership { role: RoomRole::Member, banned_at: Some(occasion.at), ..row };
    members::update(tx, room.id, &banned)?;
    tell_of_leaving(tx, occasion, room, row, true)
}

fn tell_of_leaving(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &Room,
    gone: Membership,
    banned: bool,
) -> Result<(), ChatError> {
    rooms::count_members(tx, room.id, -1)?;
    events::append(tx, occasion, &MemberLeft { room: room.id, user_id: gone.user, banned })?;
    if gone.role == RoomRole::Owner {
        match members::heir(tx, room.id)? {
            Some(heir) => give_role(tx, occasion, room, heir, RoomRole::Owner)?,
            None => close_room(tx, occasion, room)?,
        }
    }
    Ok(())
}

/// Makes a member of a locked room something else there.
pub(crate) fn give_role(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &Room,
    row: Membership,
    role: RoomRole,
) -> Result<(), DatabaseError> {
    let row = Membership { role, ..row };
    members::update(tx, room.id, &row)?;
    let changed = MemberChanged { room: room.id, user_id: row.user, role, muted_until: row.muted_until };
    events::append(tx, occasion, &changed)?;
    Ok(())
}

/// Takes somebody whose account is gone out of a room. Those between two people stay as they are, for the other.
pub(crate) fn forget(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: Room,
    user: UserId,
) -> Result<(), ChatError> {
    match members::find(tx, room.id, user)? {
        Some(_) if room.kind == RoomKind::Direct => Ok(()),
        Some(row) if row.banned_at.is_none() => let_out(tx, occasion, &room, row),
        Some(_) => Ok(members::delete(tx, room.id, user).map(drop)?),
        None => Ok(()),
    }
}
