//! Saying something.
//!
//! What is sent at the same time goes into one transaction: one lock on each room, one step of its numbers, few statements
//! of many rows, one commit. On PostgreSQL, where rooms are written side by side, that is what is sent to one room, and it
//! keeps the senders from queueing for the room's row, a round trip each. On SQLite it is what is sent to all of them: its
//! writer commits many transactions at once anyway, but each of them would give the search index a part of its own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    sync::Arc,
};

use stoa_contracts::{
    accounts::Person,
    chat::{MessageId, MessageSent, MessageView, RoomId},
    files::Carried,
};
use stoa_http::{Once, Reply};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Bounds, DatabaseError, Entered, Tx, together_or_alone},
    events,
};
use tokio::sync::oneshot;

use crate::{
    Chat,
    error::ChatError,
    judge_message::{Facts, Post, Rooms, Verdict, settled_by_key},
    mentioned::mention,
    message::{Draft, Message},
    routes::sent_reply,
    standing::Visitor,
    store::{
        members::{self, Spoken},
        mentions, messages, rooms, texts,
    },
    views::bare,
};

/// How many messages wait, in a room and in all; and as many to a transaction as the database's own group takes, so that
/// nobody waits longer for it.
pub(crate) const LANES: Bounds = Bounds { in_queue: 2_048, in_all: 8_192, together: 64 };

/// A message that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// As everybody sees it.
    pub message: MessageView,
    /// Its version.
    pub version: i64,
    /// Whether it had been said before under the same `clientId`; nothing was said now.
    pub again: bool,
}

/// What came of a message that was not refused.
pub(crate) enum Posted {
    Sent(Box<Sent>),
    /// The answer to the first request under the same idempotency key.
    Replayed(Box<Reply>),
}

pub(crate) type Outcome = Result<Posted, ChatError>;

/// A message that waits in its room's lane, with who waits for it.
pub(crate) struct Waiting {
    post: Post,
    answer: oneshot::Sender<Outcome>,
}

impl Chat {
    /// Says something in a room: for members who are not muted. It is kept, and told, when this resolves.
    ///
    /// The message has its place when the function returns, not when its future is awaited: whoever calls it in order is
    /// heard in order. Nothing of it is undone when the future is dropped. Must be called within a Tokio runtime.
    pub fn send(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomId,
        draft: Draft,
    ) -> impl Future<Output = Result<Sent, ChatError>> + Send + use<> {
        let posted = self.post(occasion, visitor, room, draft, Once::default());
        async move {
            match posted.await? {
                Posted::Sent(sent) => Ok(*sent),
                Posted::Replayed(_) => {
                    Err(DatabaseError::Defect("a message without a key was replayed".into()).into())
                }
            }
        }
    }

    /// The same under an idempotency key, if one was given.
    pub(crate) fn post(
        &self,
        occasion: Occasion,
        visitor: Visitor,
        room: RoomId,
        draft: Draft,
        once: Once,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let post = Post::new(occasion, visitor, room, draft, once);
        let entered = self.0.lanes.enter(room, Waiting { post, answer });
        if entered == Entered::First {
            let chat = self.clone();
            tokio::spawn(async move {
                chat.0.lanes.serve(room, |waiting| chat.post_together(waiting)).await;
            });
        }
        async move {
            if entered == Entered::Full {
                return Err(ChatError::Busy(room));
            }
            let lost = || DatabaseError::Unavailable("sending was interrupted".into()).into();
            answered.await.unwrap_or_else(|_| Err(lost()))
        }
    }

    async fn post_together(&self, waiting: Vec<Waiting>) {
        let (posts, answers): (Vec<Post>, Vec<_>) =
            waiting.into_iter().map(|one| (one.post, one.answer)).unzip();
        let write = |posts: Arc<[Post]>| {
            let chat = self.clone();
            self.database().write(move |tx| chat.post_all(tx, &posts))
        };
        let outcomes = together_or_alone(posts, write).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone away; what was said stands all the same.
            let _ = answer.send(outcome.unwrap_or_else(|error| Err(error.into())));
        }
    }

    /// Keeps all messages that may be said, in order, in this transaction.
    pub(crate) fn post_all(&self, tx: &mut Tx<'_>, posts: &[Post]) -> Result<Vec<Outcome>, DatabaseError> {
        let ids: BTreeSet<RoomId> = posts.iter().map(|post| post.room).collect();
        let mut rooms = rooms::lock_rooms(tx, &ids.into_iter().collect::<Vec<_>>())?;
        let mut facts = self.facts(tx, &mut rooms, posts)?;
        let mut verdicts = Vec::with_capacity(posts.len());
        for (index, post) in posts.iter().enumerate() {
            verdicts.push(decide(tx, &mut facts, &rooms, (index, post))?);
        }
        self.keep(tx, &mut rooms, posts, &mut verdicts, &facts)?;
        self.outcomes(tx, posts, verdicts, &facts)
    }

    /// What is answered, with the answers of those that came under a key kept.
    fn outcomes(
        &self,
        tx: &mut Tx<'_>,
        posts: &[Post],
        verdicts: Vec<Verdict>,
        facts: &Facts<'_>,
    ) -> Result<Vec<Outcome>, DatabaseError> {
        let known = self.known(tx, &verdicts)?;
        let lost = || DatabaseError::Defect("a message that was sent before is gone".into());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(verdicts.len());
        for (verdict, post) in verdicts.into_iter().zip(posts) {
            let outcome = match verdict {
                Verdict::Accepted { message, mentioned } => {
                    let version = message.version;
                    let message = view(&message, &mentioned, post, facts);
                    Ok(Sent { message, version, again: false })
                }
                Verdict::Repeats(index) => match outcomes.get(index) {
                    Some(Ok(Posted::Sent(first))) => Ok(Sent { again: true, ..first.as_ref().clone() }),
                    _ => return Err(lost()),
                },
                Verdict::Known(id) => Ok(known.get(&id).cloned().ok_or_else(lost)?),
                Verdict::Replayed { id, reply } => {
                    outcomes.push(replayed(*reply, known.get(&id)));
                    continue;
                }
                Verdict::Refused(error) => Err(error),
            };
            if let Ok(sent) = &outcome {
                keep_answer(tx, post, sent)?;
            }
            outcomes.push(outcome.map(|sent| Posted::Sent(Box::new(sent))));
        }
        Ok(outcomes)
    }

    /// Numbers what was accepted and writes it, with what is told of it.
    fn keep(
        &self,
        tx: &mut Tx<'_>,
        rooms: &mut Rooms,
        posts: &[Post],
        verdicts: &mut [Verdict],
        facts: &Facts<'_>,
    ) -> Result<(), DatabaseError> {
        let mut spoken_in: BTreeMap<RoomId, (i64, Timestamp)> = BTreeMap::new();
        for (verdict, post) in verdicts.iter_mut().zip(posts) {
            if let (Verdict::Accepted { message, .. }, Some(room)) = (verdict, rooms.get_mut(&post.room)) {
                room.last_seq += 1;
                message.seq = room.last_seq;
                spoken_in.insert(room.id, (room.last_seq, post.occasion.at));
            }
        }
        if spoken_in.is_empty() {
            return Ok(());
        }
        rooms::advance(tx, spoken_in.iter().map(|(room, (seq, at))| (*room, *seq, *at)))?;
        let rows: Vec<_> = accepted(verdicts, posts)
            .map(|(message, _, post)| (message, post.draft.client_id.as_deref()))
            .collect();
        let docs = messages::insert(tx, &rows)?;
        for verdict in verdicts.iter_mut() {
            if let Verdict::Accepted { message, .. } = verdict {
                message.doc = docs.get(&message.id).copied().unwrap_or_default();
            }
        }
        write_beside(tx, rooms, posts, verdicts)?;
        let carried = carried(posts, verdicts);
        if !carried.is_empty() {
            self.files().carry(tx, &carried)?;
        }
        tell(tx, rooms, posts, verdicts, facts)
    }

    /// The messages that were sent before, as they are now.
    fn known(
        &self,
        tx: &mut Tx<'_>,
        verdicts: &[Verdict],
    ) -> Result<HashMap<MessageId, Sent>, DatabaseError> {
        let ids = verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Known(id) | Verdict::Replayed { id, .. } => Some(*id),
            _ => None,
        });
        let rows = messages::of_ids(tx, &ids.collect::<Vec<_>>())?;
        let versions: Vec<i64> = rows.iter().map(|message| message.version).collect();
        let views = self.message_views(tx, rows)?.into_iter().zip(versions);
        Ok(views.map(|(message, version)| (message.id, Sent { message, version, again: true })).collect())
    }
}

/// Keeps the answer to a message that came under a key: which message it was, not what it said, so that nothing of one
/// that is deleted later stays there.
fn keep_answer(tx: &mut Tx<'_>, post: &Post, sent: &Sent) -> Result<(), DatabaseError> {
    if !post.once.has_key() {
        return Ok(());
    }
    let unwritten = |_| DatabaseError::Defect("a message cannot be written as JSON".into());
    let reply = sent_reply(sent).and_then(|reply| reply.with_resource(&sent.message.id));
    post.once.finish(tx, &reply.map_err(unwritten)?, post.occasion.at)
}

/// The kept answer, with the message as it is now; that may have gone with its room.
fn replayed(reply: Reply, now: Option<&Sent>) -> Outcome {
    let sent = now.ok_or(ChatError::UnknownMessage)?;
    Ok(Posted::Replayed(Box::new(reply.with_resource(&sent.message)?.with_etag(sent.version))))
}

/// Decides about the next message.
fn decide<'p>(
    tx: &mut Tx<'_>,
    facts: &mut Facts<'p>,
    rooms: &Rooms,
    (index, post): (usize, &'p Post),
) -> Result<Verdict, DatabaseError> {
    let Some(room) = rooms.get(&post.room) else { return Ok(Verdict::Refused(ChatError::UnknownRoom)) };
    if let Some(settled) = settled_by_key(tx, post)? {
        return Ok(settled);
    }
    match facts.judge(room, index, post) {
        Ok(verdict) => Ok(verdict),
        Err(refused) => {
            post.once.forget(tx)?;
            Ok(Verdict::Refused(refused))
        }
    }
}

/// The messages that were accepted, with how they came.
fn accepted<'v>(
    verdicts: &'v [Verdict],
    posts: &'v [Post],
) -> impl Iterator<Item = (&'v Message, &'v [UserId], &'v Post)> {
    verdicts.iter().zip(posts).filter_map(|(verdict, post)| match verdict {
        Verdict::Accepted { message, mentioned } => Some((message, mentioned.as_slice(), post)),
        _ => None,
    })
}

/// Writes what stands beside the messages: what they are found by, whom they mention, how far their senders have read.
fn write_beside(
    tx: &mut Tx<'_>,
    rooms: &Rooms,
    posts: &[Post],
    verdicts: &[Verdict],
) -> Result<(), DatabaseError> {
    let (mut entries, mut mentioned_rows) = (Vec::new(), Vec::new());
    let mut spoken: HashMap<(RoomId, UserId), Spoken> = HashMap::new();
    for (message, mentioned, post) in accepted(verdicts, posts) {
        let Some(room) = rooms.get(&message.room) else { continue };
        let (user, seq, at) = (message.sender, message.seq, post.occasion.at);
        entries.push(texts::Entry { doc: message.doc, room, words: &post.words });
        mentioned_rows.extend(mentioned.iter().map(|user| mentions::Row {
            message: message.id,
            user: *user,
            room: room.id,
            seq,
        }));
        spoken.insert(post.place(), Spoken { room: room.id, user, seq, at });
    }
    texts::insert(tx, &entries)?;
    mentions::insert(tx, &mentioned_rows)?;
    members::spoke(tx, spoken.into_values().collect())
}

/// What the accepted messages carry.
fn carried(posts: &[Post], verdicts: &[Verdict]) -> Vec<Carried> {
    let carriers = accepted(verdicts, posts).filter(|(.., post)| !post.draft.files.is_empty());
    let carried = carriers.map(|(message, _, post)| Carried {
        message: message.id,
        room: message.room,
        files: post.draft.files.clone(),
    });
    carried.collect()
}

/// Says in the log what was said, and tells those who are mentioned.
fn tell(
    tx: &mut Tx<'_>,
    rooms: &Rooms,
    posts: &[Post],
    verdicts: &[Verdict],
    facts: &Facts<'_>,
) -> Result<(), DatabaseError> {
    let (mut said, mut told) = (Vec::new(), Vec::new());
    for (message, mentioned, post) in accepted(verdicts, posts) {
        let Some(room) = rooms.get(&message.room) else { continue };
        let view = view(message, mentioned, post, facts);
        told.extend(
            mentioned.iter().map(|user| (&post.occasion, mention(room, message, &view.sender, *user))),
        );
        let sent = MessageSent {
            room: room.id,
            message_id: message.id,
            version: message.version,
            message: view,
            client_id: post.draft.client_id.clone(),
        };
        said.push((&post.occasion, sent));
    }
    events::append_all(tx, &said)?;
    events::append_all(tx, &told)
}

/// A message that nobody but its sender can have read yet.
fn view(message: &Message, mentioned: &[UserId], post: &Post, facts: &Facts<'_>) -> MessageView {
    let sender = facts.persons.get(&message.sender).cloned();
    MessageView {
        sender: sender.unwrap_or_else(|| Person::gone(message.sender)),
        mentions: mentioned.to_vec(),
        ..bare(message.clone()).carrying(facts.shown(post))
    }
}
