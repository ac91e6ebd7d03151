//! Coming into a room.

use stoa_contracts::chat::{MemberJoined, RoomKind, RoomRole};
use stoa_kernel::UserId;
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Chat,
    error::ChatError,
    find_room::{enter_for_everybody, locked},
    room::{Room, RoomKey, RoomView},
    standing::{Membership, Visitor},
    store::{members, rooms},
};

impl Chat {
    /// Joins a public room; who is in it already stays. A private room is joined by being added, or by who keeps order
    /// everywhere.
    pub async fn join(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomKey,
    ) -> Result<RoomView, ChatError> {
        let chat = self.clone();
        self.database().write(move |tx| chat.join_room(tx, &occasion, visitor, &room)).await
    }

    /// The same in the caller's transaction.
    pub(crate) fn join_room(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        visitor: Visitor,
        key: &RoomKey,
    ) -> Result<RoomView, ChatError> {
        let mut standing = locked(tx, visitor, key)?;
        if standing.is_banned() {
            return Err(ChatError::Banned);
        }
        if standing.row.is_none() {
            standing.row = if standing.room.everybody {
                enter_for_everybody(tx, occasion, &mut standing.room, visitor.user)?
            } else {
                Some(self.let_in(tx, occasion, &mut standing.room, visitor.user, RoomRole::Member)?)
            };
        }
        self.view_room(tx, standing)
    }

    /// Makes somebody who has no row a member of a locked room.
    pub(crate) fn let_in(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        room: &mut Room,
        user: UserId,
        role: RoomRole,
    ) -> Result<Membership, ChatError> {
        debug_assert!(room.kind != RoomKind::Direct, "the two of a direct room have rows");
        let most = self.settings().members_per_room;
        if room.member_count >= i64::from(most) && !room.everybody {
            return Err(ChatError::RoomFull(most));
        }
        self.make_room(tx, &[user])?;
        let row = Membership::new(user, role, room, occasion.at);
        if members::insert(tx, room.id, &row)? {
            rooms::count_members(tx, room.id, 1)?;
            room.member_count += 1;
            let person = self.persons(tx, [user])?.remove(&user);
            let person = person.unwrap_or_else(|| stoa_contracts::accounts::Person::gone(user));
            events::append(tx, occasion, &MemberJoined { room: room.id, user_id: user, person, role })?;
        }
        Ok(row)
    }
}
