//! Keeping order: adding and sending out members, giving roles, muting.

use serde::Serialize;
use stoa_contracts::{
    accounts::Person,
    chat::{MemberChanged, RoomId, RoomKind, RoomRole},
};
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, Refusal, Timestamp, UserId, page::DEEPEST_ENTRY};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Chat,
    error::ChatError,
    find_room::{enter_for_everybody, locked, standing},
    leave_room::{give_role, let_out, require_exit, send_out},
    room::{Room, RoomKey},
    standing::{Authority, Membership, Standing, Visitor},
    store::{members, rooms},
};

/// The ordering that cursors of the list of members belong to.
pub(crate) const ORDER: &str = "members:asc";

/// What is to be changed of somebody in a room; what is `None` stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemberChange {
    /// What they are to be.
    pub role: Option<RoomRole>,
    /// Until when they may not write; `Some(None)` lets them speak again.
    pub muted_until: Option<Option<Timestamp>>,
    /// Whether they are sent out for good.
    pub banned: Option<bool>,
}

/// Somebody in a room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoomMember)]
pub struct MemberView {
    /// The user.
    pub user: Person,
    /// What they are there.
    pub role: RoomRole,
    /// The number up to which they have read.
    pub read_seq: i64,
    /// Until when they may not write.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub muted_until: Option<Timestamp>,
    /// When they were sent out for good, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub banned_at: Option<Timestamp>,
    /// When they came in.
    pub joined_at: Timestamp,
}

fn member_view(row: &Membership, person: Option<Person>) -> MemberView {
    MemberView {
        user: person.unwrap_or_else(|| Person::gone(row.user)),
        role: row.role,
        read_seq: row.read_seq,
        muted_until: row.muted_until,
        banned_at: row.banned_at,
        joined_at: row.joined_at,
    }
}

impl Chat {
    /// A page of who is in a room, or for its moderators of who was sent out. `None` when the cursor is of another list.
    pub async fn members(
        &self,
        visitor: Visitor,
        room: RoomKey,
        banned: bool,
        page: PageRequest,
    ) -> Result<Option<Page<MemberView>>, ChatError> {
        let chat = self.clone();
        let read = move |c: &mut Connection<'_>| {
            let standing = standing(c, visitor, &room)?;
            if banned {
                standing.require(Authority::Moderator)?;
            }
            chat.member_page(c, standing.room.id, banned, &page)
        };
        self.database().read(read).await
    }

    fn member_page(
        &self,
        c: &mut Connection<'_>,
        room: RoomId,
        banned: bool,
        page: &PageRequest,
    ) -> Result<Option<Page<MemberView>>, ChatError> {
        let after: Option<(i64, Uuid)> = match page.after() {
            None => None,
            Some(cursor) => match cursor.number_in(ORDER) {
                Some(at) => Some((at, cursor.id)),
                None => return Ok(None),
            },
        };
        let rows = members::list(c, room, banned, after, (page.limit + 1, page.offset()))?;
        let total = page.wants_total().then(|| members::count(c, room, banned, DEEPEST_ENTRY));
        let rows = Page::from_rows(rows, page.limit, total.transpose()?, |row| Cursor {
            order: ORDER.into(),
            value: CursorValue::Number(row.joined_at.as_micros()),
            id: row.user.uuid(),
        });
        let mut persons = self.persons(c, rows.entries.iter().map(|row| row.user))?;
        Ok(Some(rows.map(|row| member_view(&row, persons.remove(&row.user)))))
    }

    /// Adds somebody to a room, gives them a role, mutes them or sends them out: for moderators, of those who have less to
    /// say than they.
    pub async fn change_member(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomKey,
        user: UserId,
        change: MemberChange,
    ) -> Result<MemberView, ChatError> {
        let chat = self.clone();
        let write = move |tx: &mut Tx<'_>| {
            let mut standing = locked(tx, visitor, &room)?;
            require_rights(&standing, user, change)?;
            let row = chat.row_of(tx, &occasion, &mut standing, user, change)?;
            require_rank(&standing, row.role)?;
            let row = apply(tx, &occasion, &standing, row, change)?;
            let person = chat.persons(tx, [user])?.remove(&user);
            Ok(member_view(&row, person))
        };
        self.database().write(write).await
    }

    /// The row of somebody who is to be changed, who comes in if they were not there.
    fn row_of(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        standing: &mut Standing,
        user: UserId,
        change: MemberChange,
    ) -> Result<Membership, ChatError> {
        let room = &mut standing.room;
        if let Some(row) = members::find(tx, room.id, user)? {
            let comes_back = row.banned_at.is_some() && change.banned != Some(true);
            return if comes_back { self.let_back(tx, occasion, room, row, change) } else { Ok(row) };
        }
        if self.people().people(tx, &[user])?.is_empty() {
            return Err(ChatError::UnknownUser);
        }
        if room.everybody {
            let row = enter_for_everybody(tx, occasion, room, user)?;
            return row.ok_or(ChatError::UnknownMember);
        }
        self.let_in(tx, occasion, room, user, RoomRole::Member)
    }

    /// Lifts a ban: whoever was sent out is a member again.
    fn let_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        room: &mut Room,
        row: Membership,
        change: MemberChange,
    ) -> Result<Membership, ChatError> {
        if change.banned.is_none() {
            return Err(ChatError::UnknownMember);
        }
        members::delete(tx, room.id, row.user)?;
        self.let_in(tx, occasion, room, row.user, RoomRole::Member)
    }

    /// Sends somebody out of a room, who may come back where that is open to them; oneself, one leaves.
    pub async fn remove_member(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomKey,
        user: UserId,
    ) -> Result<(), ChatError> {
        let remove = move |tx: &mut Tx<'_>| {
            let standing = locked(tx, visitor, &room)?;
            require_exit(&standing.room)?;
            if user != visitor.user {
                standing.require(Authority::Moderator)?;
            }
            let row = members::find(tx, standing.room.id, user)?;
            let row = row.filter(|row| row.banned_at.is_none()).ok_or(ChatError::UnknownMember)?;
            if user != visitor.user {
                require_rank(&standing, row.role)?;
            }
            let_out(tx, &occasion, &standing.room, row)
        };
        self.database().write(remove).await
    }
}

/// Moderators add, mute and send out; owners give roles. Nobody changes themselves.
fn require_rights(standing: &Standing, user: UserId, change: MemberChange) -> Result<(), ChatError> {
    if standing.room.kind == RoomKind::Direct {
        return Err(ChatError::Direct);
    }
    let gives_a_role = change.role.is_some_and(|role| role != RoomRole::Member);
    let least = if gives_a_role { Authority::Owner } else { Authority::Moderator };
    standing.require(least)?;
    if change.role == Some(RoomRole::Owner) && standing.room.everybody {
        return Err(ChatError::ForEverybody);
    }
    if user == standing.visitor.user {
        return Err(ChatError::Refused(Refusal::conflict(
            "OWN_MEMBERSHIP",
            "What one is in a room is decided by others; one can leave it.",
        )));
    }
    Ok(())
}

/// Whether somebody has more to say than a member of this role.
fn require_rank(standing: &Standing, role: RoomRole) -> Result<(), ChatError> {
    standing.require(match role {
        RoomRole::Member => Authority::Moderator,
        RoomRole::Moderator => Authority::Owner,
        RoomRole::Owner => Authority::House,
    })
}

fn apply(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    standing: &Standing,
    before: Membership,
    change: MemberChange,
) -> Result<Membership, ChatError> {
    let room = &standing.room;
    if change.banned == Some(true) {
        if before.banned_at.is_none() {
            send_out(tx, occasion, room, before)?;
        }
        return Ok(members::find(tx, room.id, before.user)?.unwrap_or(before));
    }
    let row = Membership {
        role: change.role.unwrap_or(before.role),
        muted_until: change.muted_until.unwrap_or(before.muted_until),
        ..before
    };
    if row == before {
        return Ok(row);
    }
    if before.role == RoomRole::Owner {
        // A room is not without an owner: another is made one instead.
        return Err(ChatError::forbidden());
    }
    if row.role == RoomRole::Owner
        && let Some(owner) = members::owner(tx, room.id)?
    {
        give_role(tx, occasion, room, owner, RoomRole::Moderator)?;
    }
    members::update(tx, room.id, &row)?;
    let changed =
        MemberChanged { room: room.id, user_id: row.user, role: row.role, muted_until: row.muted_until };
    events::append(tx, occasion, &changed)?;
    Ok(row)
}

/// A row for everybody who is in the rooms for everybody and has none yet; answers whether some were made.
pub(crate) fn enter_all(tx: &mut Tx<'_>, occasion: &Occasion, user: UserId) -> Result<(), DatabaseError> {
    for room in rooms::not_entered(tx, user)? {
        if let Some(mut room) = rooms::lock_room(tx, &RoomKey::Id(room))? {
            enter_for_everybody(tx, occasion, &mut room, user)?;
        }
    }
    Ok(())
}
