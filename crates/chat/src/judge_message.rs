//! Deciding whether what somebody wants to say may be said, for many messages of a room at once.

use std::collections::{BTreeSet, HashMap};

use stoa_contracts::{
    accounts::Person,
    chat::{MessageId, MessageKind, RoomId},
    files::{FileId, FileView, OwnedFile},
};
use stoa_http::{BeginError, Begun, Once, Reply};
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Chat,
    error::ChatError,
    find_room::enter_for_everybody,
    mentioned::Called,
    message::{Draft, Message},
    room::Room,
    standing::{Membership, Standing, Visitor},
    store::{
        members,
        messages::{self, ClientName},
    },
};

/// One message on its way.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) id: MessageId,
    pub(crate) room: RoomId,
    pub(crate) occasion: Occasion,
    pub(crate) visitor: Visitor,
    pub(crate) draft: Draft,
    pub(crate) words: BTreeSet<String>,
    pub(crate) names: Vec<String>,
    pub(crate) once: Once,
}

/// What is decided about a message before it is kept.
pub(crate) enum Verdict {
    Accepted {
        message: Message,
        mentioned: Vec<UserId>,
    },
    /// The same as an earlier one of this transaction.
    Repeats(usize),
    /// Sent before.
    Known(MessageId),
    /// Sent before under the same key.
    Replayed {
        id: MessageId,
        reply: Box<Reply>,
    },
    Refused(ChatError),
}

impl Chat {
    /// What has to be known to judge these messages of locked rooms, each asked for all of them at once.
    pub(crate) fn facts<'p>(
        &self,
        tx: &mut Tx<'_>,
        rooms: &mut Rooms,
        posts: &'p [Post],
    ) -> Result<Facts<'p>, DatabaseError> {
        let pairs: BTreeSet<(RoomId, UserId)> = posts.iter().map(Post::place).collect();
        let mut rows = members::of_pairs(tx, &pairs)?;
        for post in posts {
            if let Some(room) = rooms.get_mut(&post.room).filter(|room| room.everybody)
                && !rows.contains_key(&post.place())
                && let Some(row) = enter_for_everybody(tx, &post.occasion, room, post.visitor.user)?
            {
                rows.insert(post.place(), row);
            }
        }
        let clients: Vec<ClientName<'_>> = posts.iter().filter_map(Post::client).collect();
        let replied: BTreeSet<MessageId> = posts.iter().filter_map(|post| post.draft.reply_to).collect();
        let replied: Vec<MessageId> = replied.into_iter().collect();
        Ok(Facts {
            known: messages::of_clients(tx, &clients)?,
            replied: messages::of_ids(tx, &replied)?.into_iter().map(|one| (one.id, one)).collect(),
            called: self.called_in(tx, rooms, posts)?,
            persons: self.persons(tx, posts.iter().map(|post| post.visitor.user))?,
            files: self.files_to_carry(tx, posts)?,
            rows,
            taken: HashMap::new(),
        })
    }

    /// Who has the names that are called, in each room in which any are.
    fn called_in(
        &self,
        tx: &mut Tx<'_>,
        rooms: &Rooms,
        posts: &[Post],
    ) -> Result<HashMap<RoomId, Called>, DatabaseError> {
        let mut names: HashMap<RoomId, BTreeSet<&str>> = HashMap::new();
        for post in posts.iter().filter(|post| !post.names.is_empty()) {
            names.entry(post.room).or_default().extend(post.names.iter().map(String::as_str));
        }
        let mut called = HashMap::with_capacity(names.len());
        for (id, names) in names {
            if let Some(room) = rooms.get(&id) {
                called.insert(id, self.called(tx, room, &names)?);
            }
        }
        Ok(called)
    }

    /// The files that these messages are to carry, which stay until the transaction ends.
    fn files_to_carry(
        &self,
        tx: &mut Tx<'_>,
        posts: &[Post],
    ) -> Result<HashMap<FileId, OwnedFile>, DatabaseError> {
        let wanted: BTreeSet<FileId> =
            posts.iter().flat_map(|post| post.draft.files.iter().copied()).collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted: Vec<FileId> = wanted.into_iter().collect();
        let held = self.files().hold(tx, &wanted)?;
        Ok(held.into_iter().map(|owned| (owned.file.id, owned)).collect())
    }
}

/// Rooms by their ids, locked.
pub(crate) type Rooms = HashMap<RoomId, Room>;

impl Post {
    pub(crate) fn new(occasion: Occasion, visitor: Visitor, room: RoomId, draft: Draft, once: Once) -> Self {
        let (words, names) = (draft.content.words(), draft.content.names());
        Self { id: occasion.id(), room, occasion, visitor, draft, words, names, once }
    }

    /// Who says it where.
    pub(crate) fn place(&self) -> (RoomId, UserId) {
        (self.room, self.visitor.user)
    }

    fn client(&self) -> Option<ClientName<'_>> {
        Some((self.room, self.visitor.user, self.draft.client_id.as_deref()?))
    }
}

/// What the idempotency key of a message decides, if anything: that it was sent, or is being sent.
pub(crate) fn settled_by_key(tx: &mut Tx<'_>, post: &Post) -> Result<Option<Verdict>, DatabaseError> {
    match post.once.begin(tx, post.occasion.at) {
        Ok(Begun::Replay(reply)) => {
            let id = serde_json::from_slice(reply.data())
                .map_err(|error| DatabaseError::Decode(format!("the answer kept under a key: {error}")))?;
            Ok(Some(Verdict::Replayed { id, reply }))
        }
        Ok(Begun::Fresh | Begun::Resume(_)) => Ok(None),
        Err(BeginError::Refused(refusal)) => Ok(Some(Verdict::Refused(refusal.into()))),
        Err(BeginError::Database(error)) => Err(error),
    }
}

/// What is known of those who want to say something, and of what they want to say.
pub(crate) struct Facts<'p> {
    rows: HashMap<(RoomId, UserId), Membership>,
    known: HashMap<ClientName<'p>, MessageId>,
    replied: HashMap<MessageId, Message>,
    called: HashMap<RoomId, Called>,
    pub(crate) persons: HashMap<UserId, Person>,
    files: HashMap<FileId, OwnedFile>,
    /// Which message of this transaction was accepted under which of its sender's names.
    taken: HashMap<ClientName<'p>, usize>,
}

impl<'p> Facts<'p> {
    /// Decides about the next message.
    pub(crate) fn judge(&mut self, room: &Room, index: usize, post: &'p Post) -> Result<Verdict, ChatError> {
        let (visitor, now) = (post.visitor, post.occasion.at);
        let standing = Standing { visitor, room: room.clone(), row: self.rows.get(&post.place()).copied() };
        if !standing.sees() {
            return Err(ChatError::UnknownRoom);
        }
        if let Some(client) = post.client() {
            if let Some(first) = self.taken.get(&client) {
                return Ok(Verdict::Repeats(*first));
            }
            if let Some(known) = self.known.get(&client) {
                return Ok(Verdict::Known(*known));
            }
        }
        standing.require_voice(now)?;
        standing.require_patience(standing.member().and_then(|row| row.last_sent_at), now)?;
        let thread = self.thread(room, post.draft.reply_to)?;
        self.require_own_files(post)?;
        if let Some(client) = post.client() {
            self.taken.insert(client, index);
        }
        if let Some(row) = self.rows.get_mut(&post.place()) {
            row.last_sent_at = Some(now);
        }
        let called = self.called.get(&room.id);
        let mentioned = called.map_or_else(Vec::new, |called| called.meant(&post.names, visitor.user));
        let message = Message {
            kind: if post.draft.files.is_empty() { MessageKind::Text } else { MessageKind::File },
            content: post.draft.content.as_str().to_owned(),
            reply_to: post.draft.reply_to,
            thread,
            mention_count: u32::try_from(mentioned.len()).unwrap_or(u32::MAX),
            ..messages::unsent(post.id, room.id, visitor.user, now)
        };
        Ok(Verdict::Accepted { message, mentioned })
    }

    fn require_own_files(&self, post: &Post) -> Result<(), ChatError> {
        let own =
            |file: &FileId| self.files.get(file).is_some_and(|owned| owned.owner == Some(post.visitor.user));
        if post.draft.files.iter().all(own) { Ok(()) } else { Err(ChatError::UnknownFile) }
    }

    /// What a message that is sent shows of its files.
    pub(crate) fn shown(&self, post: &Post) -> Vec<FileView> {
        let found = post.draft.files.iter().filter_map(|file| self.files.get(file));
        found.map(|owned| owned.file.clone()).collect()
    }

    /// The first message of the thread that an answer to this one belongs to.
    fn thread(&self, room: &Room, reply_to: Option<MessageId>) -> Result<Option<MessageId>, ChatError> {
        let Some(id) = reply_to else { return Ok(None) };
        let replied = self.replied.get(&id).filter(|replied| replied.room == room.id);
        let replied = replied.ok_or(ChatError::UnknownReply)?;
        Ok(Some(replied.thread.unwrap_or(replied.id)))
    }
}
