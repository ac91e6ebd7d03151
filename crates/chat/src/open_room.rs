//! Opening a room.

use stoa_contracts::chat::{RoomCreated, RoomId, RoomKind, RoomRole};
use stoa_kernel::UserId;
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Chat,
    error::ChatError,
    find_room::standing,
    room::{NewRoom, Pair, Room, RoomKey, RoomView, Slug},
    standing::{Membership, Visitor},
    store::{members, rooms},
};

/// A room that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// As whoever asked sees it.
    pub room: RoomView,
    /// Whether it is new; of two people there is one room, which may have been there.
    pub new: bool,
}

impl Chat {
    /// Opens a room, or finds the one that two people have already.
    pub async fn open(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        new: NewRoom,
    ) -> Result<Opened, ChatError> {
        let chat = self.clone();
        self.database().write(move |tx| chat.open_room(tx, &occasion, visitor, &new)).await
    }

    /// Joins the room of this slug, which is opened for everybody to join if there is none and the settings allow it.
    pub async fn enter(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        slug: Slug,
    ) -> Result<RoomView, ChatError> {
        let chat = self.clone();
        let enter = move |tx: &mut Tx<'_>| {
            let key = RoomKey::Slug(slug.clone());
            if !chat.settings().rooms_on_join || rooms::find(tx, &key)?.is_some() {
                return chat.join_room(tx, &occasion, visitor, &key);
            }
            match chat.open_room(tx, &occasion, visitor, &NewRoom::public(slug.clone())) {
                // Another was quicker.
                Err(ChatError::SlugTaken) => chat.join_room(tx, &occasion, visitor, &key),
                opened => Ok(opened?.room),
            }
        };
        self.database().write(enter).await
    }

    /// The same in the caller's transaction.
    pub(crate) fn open_room(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        visitor: Visitor,
        new: &NewRoom,
    ) -> Result<Opened, ChatError> {
        let (room, new) = match new {
            NewRoom::Named { slug, name, private } => {
                let kind = if *private { RoomKind::Private } else { RoomKind::Public };
                let room = Room {
                    slug: Some(slug.as_str().to_owned()),
                    member_count: 1,
                    ..Room::opened(occasion.id(), kind, name.clone(), occasion.at)
                };
                self.make_room(tx, &[visitor.user])?;
                if !rooms::insert(tx, &room)? {
                    return Err(ChatError::SlugTaken);
                }
                settle(tx, occasion, &room, &[(visitor.user, RoomRole::Owner)])?;
                (room.id, true)
            }
            NewRoom::Direct(other) => self.open_direct(tx, occasion, visitor.user, *other)?,
        };
        let standing = standing(tx, visitor, &room.into())?;
        Ok(Opened { room: self.view_room(tx, standing)?, new })
    }

    fn open_direct(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        user: UserId,
        other: UserId,
    ) -> Result<(RoomId, bool), ChatError> {
        let pair = Pair::of(user, other);
        if let Some(room) = rooms::of_pair(tx, pair)? {
            return Ok((room.id, false));
        }
        if self.people().people(tx, &[other])?.is_empty() {
            return Err(ChatError::UnknownUser);
        }
        self.make_room(tx, &pair.both())?;
        let room = Room {
            pair: Some(pair),
            member_count: 2,
            ..Room::opened(occasion.id(), RoomKind::Direct, String::new(), occasion.at)
        };
        if rooms::insert(tx, &room)? {
            settle(tx, occasion, &room, &pair.both().map(|user| (user, RoomRole::Member)))?;
            return Ok((room.id, true));
        }
        // The other, or oneself elsewhere, was quicker, and has committed by now.
        let room = rooms::of_pair(tx, pair)?.ok_or(ChatError::UnknownRoom)?;
        Ok((room.id, false))
    }

    /// Whether each of these may be in one room more.
    pub(crate) fn make_room(&self, tx: &mut Tx<'_>, users: &[UserId]) -> Result<(), ChatError> {
        let most = self.settings().rooms_per_user;
        for user in users {
            if rooms::count_of(tx, *user)? >= most {
                return Err(ChatError::TooManyRooms(most));
            }
        }
        Ok(())
    }
}

/// Puts its first members into a new room and tells of it.
fn settle(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    room: &Room,
    first: &[(UserId, RoomRole)],
) -> Result<(), ChatError> {
    for (user, role) in first {
        members::insert(tx, room.id, &Membership::new(*user, *role, room, occasion.at))?;
    }
    let members = first.iter().map(|(user, _)| *user).collect();
    let created = RoomCreated { room: room.id, version: room.version, facts: room.facts(), members };
    events::append(tx, occasion, &created)?;
    Ok(())
}
