//! Parts of conversations as they were shown last: of a room that many open, most are shown the same again.
//!
//! Nothing here is ever taken out because something happened. With each part stands what it was made of: the newest event of
//! the room, which every change in it has, the room's row as far as it counts, and how people were called. All of that is
//! looked up each time, in few steps, and a part of anything else is made anew. On an engine that numbers events only after
//! their commit the newest does not say that much, so there nothing is kept.

use std::sync::Arc;

use bytes::Bytes;
use stoa_kernel::Cursor;
use stoa_platform::{
    Platform,
    database::{Connection, DatabaseError, Engine},
    events::newest_of_topic,
};

use crate::{room::Room, sockets::topic_of, store::messages::Span};

/// Bytes that are kept at most.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// What a part costs beside its bytes.
const OVERHEAD: usize = 256;

/// A part of a conversation, as JSON.
#[derive(Clone, Debug)]
pub struct ShownPart {
    /// The messages.
    pub messages: Bytes,
    /// Where it goes on.
    pub next: Option<Cursor>,
}

/// What a part is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    newest_event: i64,
    members: i64,
    people: u64,
}

type Key = (Span, u32);

/// The parts of a node.
pub(crate) struct ShownParts(Option<moka::sync::Cache<Key, Arc<(Origin, ShownPart)>>>);

impl ShownParts {
    pub(crate) fn new(platform: &Platform) -> Self {
        let useful = platform.cache.is_on() && platform.database.engine() == Engine::Sqlite;
        let weight = |_: &Key, part: &Arc<(Origin, ShownPart)>| {
            u32::try_from(part.1.messages.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = || moka::sync::Cache::builder().max_capacity(MOST_BYTES).weigher(weight).build();
        Self(useful.then(cache))
    }

    /// What a part of this room would be made of now; nothing where nothing is kept.
    pub(crate) fn origin(
        &self,
        c: &mut Connection<'_>,
        room: &Room,
        people: u64,
    ) -> Result<Option<Origin>, DatabaseError> {
        if self.0.is_none() {
            return Ok(None);
        }
        let newest_event = newest_of_topic(c, topic_of(room.id).as_str())?;
        // Where no event is left nobody knows what happened before.
        Ok(newest_event.map(|newest_event| Origin { newest_event, members: room.member_count, people }))
    }

    pub(crate) fn find(&self, span: Span, limit: u32, origin: Origin) -> Option<ShownPart> {
        let kept = self.0.as_ref()?.get(&(span, limit))?;
        (kept.0 == origin).then(|| kept.1.clone())
    }

    /// Keeps a part that was read after its origin was looked up.
    pub(crate) fn keep(&self, span: Span, limit: u32, origin: Origin, part: &ShownPart) {
        if let Some(cache) = &self.0 {
            cache.insert((span, limit), Arc::new((origin, part.clone())));
        }
    }
}
