//! Finding a room, and how somebody stands in it.

use stoa_contracts::chat::RoomId;
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    Chat,
    error::ChatError,
    room::{Room, RoomKey, RoomView},
    standing::{Membership, Standing, Visitor},
    store::{
        members,
        rooms::{self, Listed},
    },
};

impl Chat {
    /// A room as somebody sees it.
    pub async fn room_of(&self, visitor: Visitor, room: RoomKey) -> Result<RoomView, ChatError> {
        let chat = self.clone();
        let view = move |c: &mut Connection<'_>| {
            let standing = standing(c, visitor, &room)?;
            chat.view_room(c, standing)
        };
        self.database().get(view).await
    }

    /// The id of a room in which something is to be said. Whether there is one of this id, and whoever wants to say it may
    /// know of it, is decided when it is said.
    pub(crate) async fn locate(&self, room: RoomKey) -> Result<RoomId, ChatError> {
        match room {
            RoomKey::Id(id) => Ok(id),
            RoomKey::Slug(slug) => {
                let found = self.database().get(move |c| rooms::id_of_slug(c, slug.as_str())).await?;
                found.ok_or(ChatError::UnknownRoom)
            }
        }
    }

    /// Whether somebody may read a room, and so hear what happens in it.
    pub async fn may_read(&self, visitor: Visitor, room: RoomId) -> Result<bool, DatabaseError> {
        let seen = move |c: &mut Connection<'_>| match standing(c, visitor, &room.into()) {
            Ok(_) => Ok(true),
            Err(ChatError::Database(error)) => Err(error),
            Err(_) => Ok(false),
        };
        self.database().get(seen).await
    }

    /// Whether somebody is in a room.
    pub async fn is_member(&self, visitor: Visitor, room: RoomId) -> Result<bool, DatabaseError> {
        let inside = move |c: &mut Connection<'_>| match standing(c, visitor, &room.into()) {
            Ok(standing) => Ok(standing.is_inside()),
            Err(ChatError::Database(error)) => Err(error),
            Err(_) => Ok(false),
        };
        self.database().get(inside).await
    }

    /// The ids of all rooms somebody is in, those for everybody with them.
    pub async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomId>, DatabaseError> {
        let ids = move |c: &mut Connection<'_>| {
            let mut ids = rooms::not_entered(c, user)?;
            ids.extend(rooms::ids_of(c, user)?);
            Ok(ids)
        };
        self.database().get(ids).await
    }

    /// A room as somebody sees it who stands in it so.
    pub(crate) fn view_room(
        &self,
        c: &mut Connection<'_>,
        standing: Standing,
    ) -> Result<RoomView, ChatError> {
        let row = standing.member().copied();
        let mentions =
            if row.is_some() { rooms::mentions_of(c, standing.room.id, standing.visitor.user)? } else { 0 };
        let listed = Listed { room: standing.room, row, mentions };
        let views = self.room_views(c, standing.visitor.user, vec![listed])?;
        views.into_iter().next().ok_or(ChatError::UnknownRoom)
    }
}

/// How somebody stands in a room that they may read; to others it is unknown.
pub(crate) fn standing(
    c: &mut Connection<'_>,
    visitor: Visitor,
    key: &RoomKey,
) -> Result<Standing, ChatError> {
    let room = rooms::find(c, key)?.ok_or(ChatError::UnknownRoom)?;
    seen(c, visitor, room)
}

/// The same of a room that is locked until the transaction ends.
pub(crate) fn locked(tx: &mut Tx<'_>, visitor: Visitor, key: &RoomKey) -> Result<Standing, ChatError> {
    let room = rooms::lock_room(tx, key)?.ok_or(ChatError::UnknownRoom)?;
    seen(tx, visitor, room)
}

fn seen(c: &mut Connection<'_>, visitor: Visitor, room: Room) -> Result<Standing, ChatError> {
    let row = members::find(c, room.id, visitor.user)?;
    let standing = Standing { visitor, room, row };
    if standing.sees() { Ok(standing) } else { Err(ChatError::UnknownRoom) }
}

/// Gives somebody a row in a locked room for everybody, who had none yet. What was said before they are taken to have
/// read. False when they had one.
pub(crate) fn enter_for_everybody(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &mut Room,
    user: UserId,
) -> Result<Option<Membership>, DatabaseError> {
    let row = Membership::new(user, stoa_contracts::chat::RoomRole::Member, room, occasion.at);
    if !members::insert(tx, room.id, &row)? {
        return Ok(None);
    }
    rooms::count_members(tx, room.id, 1)?;
    room.member_count += 1;
    Ok(Some(row))
}
