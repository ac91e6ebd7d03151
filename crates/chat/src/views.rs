//! From rows to what people see: many at once, with as many queries for a hundred as for one.

use std::collections::{BTreeSet, HashMap};

use stoa_contracts::{
    accounts::Person,
    chat::{MessageId, MessageView, RoomId, RoomRole},
};
use stoa_kernel::UserId;
use stoa_platform::database::{Connection, DatabaseError};

use crate::{
    Chat,
    message::Message,
    room::RoomView,
    store::{members, mentions, messages, reactions, rooms::Listed},
};

/// How many readers of a message are counted.
pub(crate) const MOST_READERS: u32 = 1_000;

impl Chat {
    /// How these users are called; of those who are gone it says so.
    pub(crate) fn persons(
        &self,
        c: &mut Connection<'_>,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Person>, DatabaseError> {
        let users: BTreeSet<UserId> = users.into_iter().collect();
        let mut persons: HashMap<UserId, Person> =
            users.iter().map(|user| (*user, Person::gone(*user))).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let found = self.people().people(c, &users)?;
        persons.extend(found.into_iter().map(|person| (person.id, person)));
        Ok(persons)
    }

    /// Messages as everybody sees them, in their order.
    pub(crate) fn message_views(
        &self,
        c: &mut Connection<'_>,
        messages: Vec<Message>,
    ) -> Result<Vec<MessageView>, DatabaseError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let having = |count: fn(&Message) -> u32| -> Vec<MessageId> {
            messages.iter().filter(|message| count(message) > 0).map(|message| message.id).collect()
        };
        let mut reactions = reactions::of_messages(c, &having(|message| message.reaction_count))?;
        let mut mentions = mentions::of_messages(c, &having(|message| message.mention_count))?;
        let readers = Readers::of(c, &messages)?;
        let persons = self.persons(c, messages.iter().map(|message| message.sender))?;
        let of_files = messages.iter().filter(|message| message.carries_files()).map(|message| message.id);
        let mut carried = self.files().of_messages(c, &of_files.collect::<Vec<_>>())?;
        let view = |message: Message| {
            let sender = persons.get(&message.sender).cloned();
            let read_by_count = readers.count(&message);
            let files = carried.remove(&message.id).unwrap_or_default();
            MessageView {
                sender: sender.unwrap_or_else(|| Person::gone(message.sender)),
                reactions: reactions.remove(&message.id).unwrap_or_default(),
                mentions: mentions.remove(&message.id).unwrap_or_default(),
                read_by_count,
                ..bare(message).carrying(files)
            }
        };
        Ok(messages.into_iter().map(view).collect())
    }

    /// One message as everybody sees it.
    pub(crate) fn message_view(
        &self,
        c: &mut Connection<'_>,
        message: Message,
    ) -> Result<MessageView, DatabaseError> {
        let id = message.id;
        let views = self.message_views(c, vec![message])?;
        views.into_iter().next().ok_or_else(|| DatabaseError::Defect(format!("message {id} cannot be shown")))
    }

    /// Rooms as `user` sees them, in their order.
    pub(crate) fn room_views(
        &self,
        c: &mut Connection<'_>,
        user: UserId,
        listed: Vec<Listed>,
    ) -> Result<Vec<RoomView>, DatabaseError> {
        let spoken: Vec<RoomId> =
            listed.iter().map(|one| &one.room).filter(|room| room.last_seq > 0).map(|room| room.id).collect();
        let newest = messages::newest_of(c, &spoken)?;
        let newest = self.message_views(c, newest)?;
        let mut newest: HashMap<RoomId, MessageView> =
            newest.into_iter().map(|message| (message.room, message)).collect();
        let others = listed.iter().filter_map(|one| one.room.pair).map(|pair| pair.other(user));
        let others: Vec<UserId> = others.collect();
        let persons = if others.is_empty() { HashMap::new() } else { self.persons(c, others)? };
        let view = |one: Listed| {
            let person = one.room.pair.and_then(|pair| persons.get(&pair.other(user))).cloned();
            let last_message = newest.remove(&one.room.id);
            room_view(one, person, last_message)
        };
        Ok(listed.into_iter().map(view).collect())
    }
}

fn room_view(listed: Listed, person: Option<Person>, last_message: Option<MessageView>) -> RoomView {
    let Listed { room, row, mentions } = listed;
    let inside = row.map(|row| row.role).or(room.everybody.then_some(RoomRole::Member));
    // Whoever is not in it has nothing to read.
    let read_seq = row.map_or(room.last_seq, |row| row.read_seq);
    RoomView {
        id: room.id,
        slug: room.slug,
        name: person.as_ref().map_or(room.name, |person| person.name.clone()),
        kind: room.kind,
        person,
        role: inside,
        muted_until: row.and_then(|row| row.muted_until),
        member_count: room.member_count,
        slow_mode: room.slow_mode,
        last_seq: room.last_seq,
        read_seq,
        unread_count: room.last_seq - read_seq,
        mention_count: mentions,
        last_message,
        created_at: room.created_at,
        updated_at: room.updated_at,
    }
}

/// A message without what stands in other tables.
pub(crate) fn bare(message: Message) -> MessageView {
    MessageView {
        id: message.id,
        seq: message.seq,
        room: message.room,
        sender: Person::gone(message.sender),
        content: message.content,
        kind: message.kind,
        file: None,
        files: Vec::new(),
        reply_to: message.reply_to,
        reactions: std::collections::BTreeMap::new(),
        read_by_count: 0,
        mentions: Vec::new(),
        pinned_at: message.pinned_at,
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
        created_at: message.created_at,
    }
}

/// How far the members of some rooms have read, of those who have read anything that is shown.
struct Readers(HashMap<RoomId, Marks>);

#[derive(Default)]
struct Marks {
    /// The furthest first.
    all: Vec<i64>,
    by_user: HashMap<UserId, i64>,
}

impl Readers {
    fn of(c: &mut Connection<'_>, messages: &[Message]) -> Result<Self, DatabaseError> {
        let mut from: HashMap<RoomId, i64> = HashMap::new();
        for message in messages {
            let least = from.entry(message.room).or_insert(message.seq);
            *least = message.seq.min(*least);
        }
        let from: Vec<(RoomId, i64)> = from.into_iter().collect();
        let mut readers: HashMap<RoomId, Marks> = HashMap::new();
        // One more than are counted, since a sender does not count.
        for (room, user, seq) in members::readers(c, &from, MOST_READERS + 1)? {
            let marks = readers.entry(room).or_default();
            marks.all.push(seq);
            marks.by_user.insert(user, seq);
        }
        for marks in readers.values_mut() {
            marks.all.sort_unstable_by(|one, other| other.cmp(one));
        }
        Ok(Self(readers))
    }

    fn count(&self, message: &Message) -> u32 {
        let Some(marks) = self.0.get(&message.room) else { return 0 };
        let all = marks.all.partition_point(|seq| *seq >= message.seq);
        let own = marks.by_user.get(&message.sender).is_some_and(|seq| *seq >= message.seq);
        u32::try_from(all - usize::from(own)).unwrap_or(MOST_READERS).min(MOST_READERS)
    }
}
