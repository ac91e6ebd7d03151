//! The store of the response cache: entries found by key, invalidated by tag, each key filled by one caller at a time.
//!
//! The promise: whoever asks after a write's invalidation has returned never gets what was read before that write.
//! It rests on [`Generation`]s, not on removing entries, so an invalidation costs one short lock however many entries
//! it hits, and may be called from a database thread between COMMIT and the answer.
//!
//! Behind the entries of this process there may be a second level that several nodes share, see [`SharedEntries`].
//! Without it nobody waits, except for another caller's fill.

mod flights;
mod generations;
mod shared;
mod tag;

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use moka::notification::RemovalCause;
use stoa_kernel::{Clock, Timestamp};

pub(crate) use self::generations::Generations;
use self::{
    flights::{Flight, Flights, Place},
    shared::SharedLevel,
};
pub use self::{
    generations::Generation,
    shared::{Answering, Found, Mark, SharedEntries, Stale},
    tag::Tag,
};

/// Beyond this many invalidated tags all older entries are given up instead.
const MAX_TAGS: usize = 100_000;

/// What an entry costs beside its bytes: the structures around it and its place in the map.
const ENTRY_OVERHEAD: usize = 256;

/// How many fills of others a caller waits for in vain before it fills beside them. Bounds the wait where nothing
/// can be kept, as with answers that are refusals or keys that are written all the time.
const PATIENCE: u32 = 2;

/// One cached answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The answer's bytes.
    pub data: Bytes,
    /// What the caller needs to know beside the bytes, in a form of its own (a cursor, a total).
    pub meta: Bytes,
    /// The entity tag of `data`.
    pub etag: Arc<str>,
    /// What the answer was made of.
    pub tags: Arc<[Tag]>,
    /// When it was made.
    pub stored_at: Timestamp,
    /// From when on it is not served any more.
    pub expires_at: Timestamp,
}

/// An entry as found in the cache; cheap to clone.
#[derive(Clone, Debug)]
pub struct Cached(Arc<Stored>);

#[derive(Debug)]
struct Stored {
    entry: Entry,
    began: Generation,
    /// The generation up to which the tags are known not to be stamped, so that most hits need not look at them.
    confirmed: AtomicU64,
}

impl Deref for Cached {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.0.entry
    }
}

/// What [`Cache::get_or_lock`] finds.
#[derive(Debug)]
pub enum Lookup {
    /// A valid entry.
    Hit(Cached),
    /// None; the caller makes the answer and stores it through the guard.
    Fill(FillGuard),
}

/// What was counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Answers found in this process.
    pub hits: u64,
    /// Answers found only in the store that nodes share.
    pub shared_hits: u64,
    /// Answers found in neither.
    pub misses: u64,
    /// Answers made and stored here.
    pub fills: u64,
    /// Those of them that were offered to the shared store.
    pub shared_fills: u64,
}

/// What the cache holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// How many answers are kept, those included that are not valid any more.
    pub entries: u64,
    /// About how many bytes they take.
    pub bytes: u64,
    /// How many were given up since the start to make room.
    pub evictions: u64,
}

/// The store of the response cache; clones share it.
#[derive(Clone)]
pub struct Cache(Option<Arc<InProcess>>);

struct InProcess {
    entries: moka::sync::Cache<Arc<str>, Cached>,
    generations: Generations,
    flights: Arc<Flights>,
    clock: Clock,
    shared: Option<SharedLevel>,
    hits: AtomicU64,
    misses: AtomicU64,
    fills: AtomicU64,
    evictions: Arc<AtomicU64>,
}

impl Cache {
    /// What an in-process cache may hold unless told otherwise: 64 MiB.
    pub const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

    /// A cache in this process's memory that holds about `max_bytes`.
    pub fn in_process(max_bytes: u64, clock: Clock) -> Self {
        Self::over(max_bytes, clock, None)
    }

    /// The same, with a store behind it that other nodes use as well. To be called on a runtime.
    pub fn shared(max_bytes: u64, clock: Clock, entries: Arc<dyn SharedEntries>) -> Self {
        Self::over(max_bytes, clock, Some(SharedLevel::start(entries)))
    }

    fn over(max_bytes: u64, clock: Clock, shared: Option<SharedLevel>) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&evictions);
        let entries = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(weight)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self(Some(Arc::new(InProcess {
            entries,
            generations: Generations::new(MAX_TAGS),
            flights: Arc::default(),
            clock,
            shared,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            fills: AtomicU64::new(0),
            evictions,
        })))
    }

    /// No cache: nothing is found, nothing kept, nobody waits.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether anything can ever be found here.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether other nodes' entries can be found here.
    pub fn is_shared(&self) -> bool {
        self.0.as_ref().is_some_and(|engine| engine.shared.is_some())
    }

    /// The entry under `key`, if it is valid.
    pub async fn get(&self, key: &str) -> Option<Cached> {
        let engine = self.0.as_deref()?;
        if let Some(found) = engine.find(key) {
            engine.hits.fetch_add(1, Ordering::Relaxed);
            return Some(found);
        }
        let (found, _) = engine.ask_others(key).await;
        if found.is_none() {
            engine.misses.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// The entry under `key`, if this process has a valid one. One that is not there is no miss: whoever makes the answer
    /// asks again.
    pub fn find(&self, key: &str) -> Option<Cached> {
        let engine = self.0.as_deref()?;
        let found = engine.find(key)?;
        engine.hits.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// The entry under `key`, or the right to fill it. While somebody else fills the same key, waits for the outcome.
    pub async fn get_or_lock(&self, key: &str) -> Lookup {
        let Some(engine) = self.0.as_deref() else {
            return Lookup::Fill(FillGuard { target: None });
        };
        let mut patience = PATIENCE;
        let mut found = engine.find(key);
        let mut flight = None;
        while found.is_none() && patience > 0 {
            match engine.flights.join(key) {
                Place::Lead(lead) => {
                    // Another's fill may have landed since we looked.
                    found = engine.find(key);
                    flight = Some(lead);
                    break;
                }
                Place::Follow(mut outcome) => {
                    // An error means that the fill ended with nothing, which the outcome says as well.
                    let _ = outcome.changed().await;
                    found = outcome.borrow().clone().filter(|cached| engine.is_valid(cached));
                    found = found.or_else(|| engine.find(key));
                    patience -= 1;
                }
            }
        }
        if let Some(cached) = found {
            engine.hits.fetch_add(1, Ordering::Relaxed);
            return Lookup::Hit(cached);
        }
        // Who fills beside others does it for itself alone.
        let (found, mark) = if flight.is_some() { engine.ask_others(key).await } else { (None, None) };
        if let Some(cached) = found {
            if let Some(flight) = flight {
                flight.land(cached.clone());
            }
            return Lookup::Hit(cached);
        }
        engine.misses.fetch_add(1, Ordering::Relaxed);
        Lookup::Fill(self.guard(key, flight, mark))
    }

    /// Marks the beginning of a fill, before its source is read; for [`store`](Self::store).
    pub fn begin(&self) -> Generation {
        self.0.as_deref().map_or(Generation(0), |engine| engine.generations.current())
    }

    /// Keeps `entry` under `key` in this process, unless one of its tags was invalidated since `began`. Says whether it
    /// was kept. Other nodes are offered what is stored through a [`FillGuard`].
    pub fn store(&self, key: &str, began: Generation, entry: Entry) -> bool {
        self.0.as_deref().is_some_and(|engine| engine.keep(key.into(), began, entry).is_some())
    }

    /// Makes every entry with one of these tags invalid, also those that are being filled right now.
    ///
    /// Call it after the commit and before the write is answered. Never waits for anything but a short lock.
    pub fn invalidate(&self, tags: &[Tag]) {
        if let Some(engine) = self.0.as_deref()
            && !tags.is_empty()
        {
            // First, so that whoever asks after this never takes an older answer from there for a current one.
            if let Some(shared) = &engine.shared {
                shared.tell(Stale::Tags(tags.iter().copied().collect()));
            }
            engine.generations.stamp(tags);
        }
    }

    /// Makes every entry invalid, whatever it was made of, also for the nodes that share them.
    pub fn clear(&self) {
        if let Some(engine) = self.0.as_deref() {
            if let Some(shared) = &engine.shared {
                shared.tell(Stale::Everything);
            }
            engine.generations.stamp_all();
        }
    }

    /// What was counted so far; all zero when off.
    pub fn stats(&self) -> Stats {
        self.0.as_deref().map_or_else(Stats::default, |engine| Stats {
            hits: engine.hits.load(Ordering::Relaxed),
            misses: engine.misses.load(Ordering::Relaxed),
            fills: engine.fills.load(Ordering::Relaxed),
            shared_hits: engine.shared.as_ref().map_or(0, |shared| shared.hits.load(Ordering::Relaxed)),
            shared_fills: engine.shared.as_ref().map_or(0, |shared| shared.fills.load(Ordering::Relaxed)),
        })
    }

    /// What is held right now; all zero when off.
    pub fn room(&self) -> Room {
        self.0.as_deref().map_or_else(Room::default, |engine| {
            engine.entries.run_pending_tasks();
            Room {
                entries: engine.entries.entry_count(),
                bytes: engine.entries.weighted_size(),
                evictions: engine.evictions.load(Ordering::Relaxed),
            }
        })
    }

    fn guard(&self, key: &str, flight: Option<Flight>, mark: Option<Mark>) -> FillGuard {
        let (cache, began) = (self.clone(), self.begin());
        FillGuard { target: Some(Target { cache, key: key.into(), began, flight, mark }) }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let engine = match (self.is_on(), self.is_shared()) {
            (false, _) => "off",
            (true, false) => "in process",
            (true, true) => "in process and shared",
        };
        write!(f, "Cache({engine})")
    }
}

impl InProcess {
    fn find(&self, key: &str) -> Option<Cached> {
        self.entries.get(key).filter(|cached| self.is_valid(cached))
    }

    fn is_valid(&self, Cached(stored): &Cached) -> bool {
        stored.entry.expires_at > self.clock.now() && self.is_untouched(stored)
    }

    fn is_untouched(&self, stored: &Stored) -> bool {
        if stored.confirmed.load(Ordering::Relaxed) >= self.generations.current().0 {
            return true;
        }
        let Some(seen) = self.generations.confirm(stored.began, &stored.entry.tags) else {
            return false;
        };
        stored.confirmed.fetch_max(seen.0, Ordering::Relaxed);
        true
    }

    /// Keeps a fill of this node.
    fn keep(&self, key: Arc<str>, began: Generation, entry: Entry) -> Option<Cached> {
        let cached = self.admit(key, began, entry)?;
        self.fills.fetch_add(1, Ordering::Relaxed);
        Some(cached)
    }

    /// A check that an invalidation overtakes does no harm: every hit checks again.
    fn admit(&self, key: Arc<str>, began: Generation, entry: Entry) -> Option<Cached> {
        let confirmed = self.generations.confirm(began, &entry.tags)?;
        let cached = Cached(Arc::new(Stored { entry, began, confirmed: AtomicU64::new(confirmed.0) }));
        self.entries.insert(key, cached.clone());
        Some(cached)
    }

    /// Asks the shared store, when there is one to be asked: an entry, else the mark of a fill that begins now.
    async fn ask_others(&self, key: &str) -> (Option<Cached>, Option<Mark>) {
        let Some(shared) = &self.shared else { return (None, None) };
        let began = self.generations.current();
        if !shared.is_usable() {
            return (None, None);
        }
        match shared.entries.find(key).await {
            Found::Entry(entry) if entry.expires_at > self.clock.now() => {
                let admitted = self.admit(key.into(), began, entry);
                shared.hits.fetch_add(u64::from(admitted.is_some()), Ordering::Relaxed);
                (admitted, None)
            }
            Found::Nothing(mark) => (None, Some(mark)),
            Found::Entry(_) | Found::Unknown => (None, None),
        }
    }

    /// Offers a fill of this node to the others. One that is outdated here already is no use there.
    async fn offer(&self, key: &str, mark: &Mark, cached: &Cached) {
        if let Some(shared) = self.shared.as_ref().filter(|shared| shared.is_usable())
            && self.is_valid(cached)
        {
            shared.fills.fetch_add(1, Ordering::Relaxed);
            let ttl = cached.expires_at.since(self.clock.now());
            shared.entries.keep(key, mark, cached, ttl).await;
        }
    }
}

fn weight(key: &Arc<str>, cached: &Cached) -> u32 {
    let entry = &cached.0.entry;
    let bytes = key.len() + entry.data.len() + entry.meta.len() + entry.etag.len();
    u32::try_from(bytes + size_of_val(&*entry.tags) + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
}

/// The right to fill one key. Dropped without storing, it passes to one of those who wait.
#[must_use = "dropping the guard gives up the fill"]
pub struct FillGuard {
    target: Option<Target>,
}

struct Target {
    cache: Cache,
    key: Arc<str>,
    began: Generation,
    /// None when the caller has lost patience and fills beside others.
    flight: Option<Flight>,
    /// None when the shared store was not asked or did not say.
    mark: Option<Mark>,
}

impl FillGuard {
    /// Keeps the entry and hands it to those who wait, unless one of its tags was invalidated since the guard was
    /// given. Says whether it was kept.
    pub async fn store(self, entry: Entry) -> bool {
        let Some(Target { cache, key, began, flight, mark }) = self.target else {
            return false;
        };
        let Some(engine) = cache.0.as_deref() else { return false };
        let Some(cached) = engine.keep(Arc::clone(&key), began, entry) else { return false };
        if let Some(flight) = flight {
            flight.land(cached.clone());
        }
        if let Some(mark) = mark {
            engine.offer(&key, &mark, &cached).await;
        }
        true
    }
}

impl std::fmt::Debug for FillGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FillGuard").field(&self.target.as_ref().map(|target| &target.key)).finish()
    }
}

#[cfg(test)]
mod tests;
