//! Cached answers kept in Redis, by the same rule that holds in process: a counter numbers the invalidations, a tag bears
//! the number of its last one, and an entry holds while none of its tags bears a later number than its filling began with.
//!
//! The counter lives in an epoch. Whatever makes it doubtful that all invalidations are known begins another one: the
//! counter was evicted or ran out, a node started, too many tags were invalidated at once. A stamp that was evicted
//! makes the entries of its tag doubtful, and so does another process of Redis, see [`Names`](super::session::Names).

use std::{fmt::Write as _, sync::LazyLock, time::Duration};

use ::redis::Script;
use bytes::Bytes;
use stoa_kernel::Timestamp;
use stoa_platform::cache::{Answering, Entry, Found, Mark, SharedEntries, Stale, Tag};

use super::{Redis, RedisError, measures::Lane, session::Session};

/// No entry lives longer, and counter and stamps live so long from their last use.
const LONGEST: Duration = Duration::from_hours(24);
const LONGEST_MILLIS: u64 = 86_400_000;
/// A larger entry is kept in process only.
const MOST_BYTES: usize = 1 << 20;
/// The same for one that was made of more.
const MOST_TAGS: usize = 1_000;

static FIND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("find.lua")));
static KEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("keep.lua")));
static INVALIDATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("invalidate.lua")));

pub(super) fn scripts() -> impl Iterator<Item = &'static Script> {
    [&*FIND, &*KEEP, &*INVALIDATE].into_iter()
}

pub(super) struct Entries {
    redis: Redis,
    lane: Lane,
}

impl Entries {
    pub(super) fn over(redis: Redis, lane: Lane) -> Self {
        Self { redis, lane }
    }

    async fn look(&self, key: &str) -> Option<Found> {
        let line = self.redis.line();
        let mut session = line.session()?;
        let names = Keys::of(&session);
        let mut call = FIND.prepare_invoke();
        call.key(names.clock()).key(names.entry(key)).arg(names.tag_prefix());
        call.arg(self.new_epoch()).arg(LONGEST_MILLIS);
        let said: Vec<Bytes> = line.ask(&self.lane, &mut session, &call).await?;
        let found = understood(&said);
        if found.is_none() {
            line.refused(&self.lane, &RedisError::Nonsense("an entry that nobody wrote"));
        }
        found
    }

    async fn put(&self, key: &str, mark: &Mark, entry: &Entry, ttl: Duration) -> Option<()> {
        let ttl = u64::try_from(ttl.min(LONGEST).as_millis()).unwrap_or(LONGEST_MILLIS);
        let bytes = entry.data.len() + entry.meta.len();
        if ttl == 0 || bytes > MOST_BYTES || entry.tags.len() > MOST_TAGS {
            return None;
        }
        let line = self.redis.line();
        let mut session = line.session()?;
        let names = Keys::of(&session);
        let mut call = KEEP.prepare_invoke();
        call.key(names.clock()).key(names.entry(key)).arg(names.tag_prefix()).arg(LONGEST_MILLIS);
        call.arg(mark.epoch.as_str()).arg(mark.generation).arg(ttl).arg(named(entry.tags.iter()));
        call.arg(&*entry.data).arg(&*entry.meta).arg(&*entry.etag).arg(times(entry));
        line.ask::<u8>(&self.lane, &mut session, &call).await.map(drop)
    }

    async fn tell(&self, stale: &Stale) -> Option<u8> {
        let line = self.redis.line();
        let mut session = line.session()?;
        let names = Keys::of(&session);
        let mut call = INVALIDATE.prepare_invoke();
        call.key(names.clock()).arg(names.tag_prefix()).arg(LONGEST_MILLIS);
        match stale {
            Stale::Everything => {
                call.arg(self.new_epoch());
            }
            Stale::Tags(tags) => {
                call.arg("");
                for tag in tags {
                    call.arg(format!("{:016x}", tag.bits()));
                }
            }
        }
        line.ask(&self.lane, &mut session, &call).await
    }

    fn new_epoch(&self) -> String {
        format!("{:032x}", u128::from_le_bytes(self.redis.random().bytes()))
    }
}

impl SharedEntries for Entries {
    fn find<'a>(&'a self, key: &'a str) -> Answering<'a, Found> {
        Box::pin(async move { self.look(key).await.unwrap_or(Found::Unknown) })
    }

    fn keep<'a>(
        &'a self,
        key: &'a str,
        mark: &'a Mark,
        entry: &'a Entry,
        ttl: Duration,
    ) -> Answering<'a, ()> {
        Box::pin(async move { self.put(key, mark, entry, ttl).await.unwrap_or_default() })
    }

    fn invalidate<'a>(&'a self, stale: &'a Stale) -> Answering<'a, bool> {
        Box::pin(async move { self.tell(stale).await == Some(1) })
    }
}

/// Invalidates a tag that nothing bears, so that a server that cannot is not relied on.
pub(super) async fn rehearse(session: &mut Session) -> Result<(), RedisError> {
    let names = Keys::of(session);
    let mut call = INVALIDATE.prepare_invoke();
    call.key(names.clock()).arg(names.tag_prefix()).arg(LONGEST_MILLIS).arg("").arg("rehearsal");
    let said: u8 = call.invoke_async(&mut session.connection).await?;
    if said == 1 { Ok(()) } else { Err(RedisError::Nonsense("it does not invalidate")) }
}

/// The keys of one session.
struct Keys(std::sync::Arc<super::session::Names>);

impl Keys {
    fn of(session: &Session) -> Self {
        Self(std::sync::Arc::clone(&session.names))
    }

    fn clock(&self) -> String {
        format!("{}clock", self.0.cache)
    }

    fn entry(&self, key: &str) -> String {
        format!("{}entry:{key}", self.0.cache)
    }

    fn tag_prefix(&self) -> String {
        format!("{}tag:", self.0.cache)
    }
}

fn named<'t>(tags: impl Iterator<Item = &'t Tag>) -> String {
    tags.fold(String::new(), |mut text, tag| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{:016x} ", tag.bits());
        text
    })
}

fn times(entry: &Entry) -> String {
    format!("{} {}", entry.stored_at.as_micros(), entry.expires_at.as_micros())
}

/// What an answer of `find.lua` says; `None` when it says nothing that is known.
fn understood(said: &[Bytes]) -> Option<Found> {
    match said {
        [epoch, generation] => {
            let generation = text(generation)?.parse().ok()?;
            Some(Found::Nothing(Mark { epoch: text(epoch)?.to_owned(), generation }))
        }
        [tags, data, meta, etag, times] => {
            let tag = |word| u64::from_str_radix(word, 16).ok().map(Tag::of_bits);
            let tags: Option<Vec<Tag>> = text(tags)?.split_ascii_whitespace().map(tag).collect();
            let (stored_at, expires_at) = text(times)?.split_once(' ')?;
            let moment = |micros: &str| micros.parse().ok().map(Timestamp::from_micros);
            Some(Found::Entry(Entry {
                data: data.clone(),
                meta: meta.clone(),
                etag: text(etag)?.into(),
                tags: tags?.into(),
                stored_at: moment(stored_at)?,
                expires_at: moment(expires_at)?,
            }))
        }
        _ => None,
    }
}

fn text(bytes: &Bytes) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
