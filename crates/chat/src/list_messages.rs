//! Reading what was said: a part of a conversation, one message, a thread.

use stoa_contracts::chat::{MessageId, MessageView, RoomId};
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest};
use stoa_platform::database::{Connection, DatabaseError};
use uuid::Uuid;

use crate::{
    Chat,
    edit_message::readable,
    error::ChatError,
    find_room::standing,
    room::RoomKey,
    shown_parts::ShownPart,
    standing::Visitor,
    store::messages::{self, Span},
};

const EARLIER: &str = "messages:desc";
const LATER: &str = "messages:asc";
const THREAD: &str = "thread:asc";

/// Which part of a conversation is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Its end.
    Newest,
    /// What was said right before this number.
    Before(i64),
    /// What was said right after this number.
    After(i64),
    /// What was said right after the first number and before the second.
    Between(i64, i64),
}

impl Which {
    /// Where a cursor of an earlier part goes on; `None` when it is of another list.
    pub(crate) fn of_cursor(cursor: &Cursor) -> Option<Self> {
        let earlier = cursor.number_in(EARLIER).map(Self::Before);
        earlier.or_else(|| cursor.number_in(LATER).map(Self::After))
    }
}

/// A part of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which.
    pub which: Which,
    /// How many messages at most.
    pub limit: u32,
    /// Only those that are pinned.
    pub pinned: bool,
}

impl Part {
    fn span(&self, room: RoomId) -> Span {
        let (after, before, newest_first) = match self.which {
            Which::Newest => (0, i64::MAX, true),
            Which::Before(before) => (0, before, true),
            Which::After(after) => (after, i64::MAX, false),
            Which::Between(after, before) => (after, before, false),
        };
        Span { room, after, before, newest_first, pinned: self.pinned }
    }
}

fn cursor(order: &str, seq: i64) -> Cursor {
    Cursor { order: order.into(), value: CursorValue::Number(seq), id: Uuid::nil() }
}

impl Chat {
    /// A part of a conversation, always in the order in which it was said; its cursor goes on in the direction that was
    /// asked for.
    pub async fn messages(
        &self,
        visitor: Visitor,
        room: RoomKey,
        part: Part,
    ) -> Result<ShownPart, ChatError> {
        let chat = self.clone();
        let read = move |c: &mut Connection<'_>| {
            let room = standing(c, visitor, &room)?.room;
            let (span, shown) = (part.span(room.id), &chat.0.shown);
            let origin = shown.origin(c, &room, chat.people().edition())?;
            if let Some(known) = origin.and_then(|origin| shown.find(span, part.limit, origin)) {
                return Ok(known);
            }
            let made = chat.make_part(c, span, part.limit)?;
            if let Some(origin) = origin {
                shown.keep(span, part.limit, origin, &made);
            }
            Ok(made)
        };
        self.database().get(read).await
    }

    fn make_part(&self, c: &mut Connection<'_>, span: Span, limit: u32) -> Result<ShownPart, ChatError> {
        let rows = messages::walk(c, span, limit + 1)?;
        let order = if span.newest_first { EARLIER } else { LATER };
        let mut page = Page::from_rows(rows, limit, None, |message| cursor(order, message.seq));
        if span.newest_first {
            page.entries.reverse();
        }
        let views = self.message_views(c, page.entries)?;
        let messages = serde_json::to_vec(&views)
            .map_err(|error| DatabaseError::Defect(format!("messages cannot be written as JSON: {error}")))?;
        Ok(ShownPart { messages: messages.into(), next: page.next })
    }

    /// A message with its version.
    pub async fn message(
        &self,
        visitor: Visitor,
        message: MessageId,
    ) -> Result<(MessageView, i64), ChatError> {
        let chat = self.clone();
        let read = move |c: &mut Connection<'_>| {
            let message = messages::find(c, message)?.ok_or(ChatError::UnknownMessage)?;
            readable(c, visitor, &message)?;
            let version = message.version;
            Ok((chat.message_view(c, message)?, version))
        };
        self.database().get(read).await
    }

    /// A page of the thread that a message is of: its first message, then what was answered, in order. `None` when the
    /// cursor is of another list.
    pub async fn thread(
        &self,
        visitor: Visitor,
        message: MessageId,
        page: PageRequest,
    ) -> Result<Option<Page<MessageView>>, ChatError> {
        let chat = self.clone();
        let read = move |c: &mut Connection<'_>| {
            let message = messages::find(c, message)?.ok_or(ChatError::UnknownMessage)?;
            readable(c, visitor, &message)?;
            let after = match page.after() {
                None => 0,
                Some(cursor) => match cursor.number_in(THREAD) {
                    Some(seq) => seq,
                    None => return Ok(None),
                },
            };
            let root = message.thread.unwrap_or(message.id);
            let rows = messages::thread(c, root, after, page.limit + 1)?;
            let page = Page::from_rows(rows, page.limit, None, |message| cursor(THREAD, message.seq));
            let entries = chat.message_views(c, page.entries)?;
            Ok(Some(Page { entries, next: page.next, total: None }))
        };
        self.database().get(read).await
    }
}
