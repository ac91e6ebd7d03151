//! Lists of rooms: those one is in, and those one could join.

use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, page::DEEPEST_ENTRY};
use stoa_platform::{
    Occasion,
    database::{Connection, Tx},
};

use crate::{
    Chat,
    error::ChatError,
    manage_members::enter_all,
    room::RoomView,
    standing::Visitor,
    store::rooms::{self, Listed},
};

/// The orderings that cursors of these lists belong to.
const JOINED: &str = "rooms:active";
const TO_JOIN: &str = "rooms:slug";

/// What reading a list came to.
enum Read {
    Page(Page<RoomView>),
    /// There is a room for everybody in which this one has no row yet.
    EnterFirst,
    ForeignCursor,
}

impl Chat {
    /// A page of the rooms somebody is in, those where something was said last first. `None` when the cursor is of another
    /// list.
    pub async fn joined(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        page: PageRequest,
    ) -> Result<Option<Page<RoomView>>, ChatError> {
        let mut read = self.read_joined(visitor, page.clone()).await?;
        if matches!(read, Read::EnterFirst) {
            let enter = move |tx: &mut Tx<'_>| enter_all(tx, &occasion, visitor.user);
            self.database().write(enter).await?;
            read = self.read_joined(visitor, page).await?;
        }
        match read {
            Read::Page(page) => Ok(Some(page)),
            Read::EnterFirst => Err(ChatError::UnknownRoom),
            Read::ForeignCursor => Ok(None),
        }
    }

    async fn read_joined(&self, visitor: Visitor, page: PageRequest) -> Result<Read, ChatError> {
        let (chat, user) = (self.clone(), visitor.user);
        let read = move |c: &mut Connection<'_>| {
            if !rooms::not_entered(c, user)?.is_empty() {
                return Ok(Read::EnterFirst);
            }
            let before = match page.after() {
                None => None,
                Some(cursor) => match cursor.number_in(JOINED) {
                    Some(at) => Some((at, cursor.id)),
                    None => return Ok(Read::ForeignCursor),
                },
            };
            let rows = rooms::of_member(c, user, before, (page.limit + 1, page.offset()))?;
            let total = page.wants_total().then(|| rooms::count_of(c, user)).transpose()?;
            let place = |room: &Listed| Cursor {
                order: JOINED.into(),
                value: CursorValue::Number(room.room.active_at.as_micros()),
                id: room.room.id.uuid(),
            };
            let rows = Page::from_rows(rows, page.limit, total, place);
            Ok(Read::Page(Page {
                entries: chat.room_views(c, user, rows.entries)?,
                next: rows.next,
                total: rows.total,
            }))
        };
        self.database().read(read).await
    }

    /// A page of the public rooms somebody is not in, by slug. `None` when the cursor is of another list.
    pub async fn to_join(
        &self,
        visitor: Visitor,
        page: PageRequest,
    ) -> Result<Option<Page<RoomView>>, ChatError> {
        let (chat, user) = (self.clone(), visitor.user);
        let read = move |c: &mut Connection<'_>| {
            let after = match page.after() {
                None => "",
                Some(cursor) => match cursor.text_in(TO_JOIN) {
                    Some(slug) => slug,
                    None => return Ok(None),
                },
            };
            let rows = rooms::to_join(c, user, after, (page.limit + 1, page.offset()))?;
            let total = page.wants_total().then(|| rooms::count_to_join(c, user, DEEPEST_ENTRY));
            let place = |room: &Listed| Cursor {
                order: TO_JOIN.into(),
                value: CursorValue::Text(room.room.slug.clone().unwrap_or_default()),
                id: room.room.id.uuid(),
            };
            let rows = Page::from_rows(rows, page.limit, total.transpose()?, place);
            let entries = chat.room_views(c, user, rows.entries)?;
            Ok(Some(Page { entries, next: rows.next, total: rows.total }))
        };
        self.database().read(read).await
    }
}
