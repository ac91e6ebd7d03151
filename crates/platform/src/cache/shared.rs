//! The second level: a store that several nodes share, behind the entries of this process.
//!
//! What one node has filled serves the others. The store knows by itself which tags were invalidated when, as
//! [`Generations`](super::generations) does here, so an entry found in it holds there; and an entry found is taken over
//! as a fill that began before the question, so it holds here. A node's own invalidations reach the store a moment after
//! its commits: until then it neither reads nor fills it.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, task::AbortHandle};

use super::{Entry, Tag};

/// More tags than this are told to the store as "everything".
const MOST_TAGS: usize = 1_000;
/// How soon an invalidation that the store did not take is told again; each time twice as late.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// An answer of the store to wait for. It comes soon, whatever becomes of the store.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// When a fill began, in the store's own reckoning; it comes back as it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The time since which the store has known all invalidations.
    pub epoch: String,
    /// How many invalidations there had been.
    pub generation: u64,
}

/// What a shared store has under a key.
#[derive(Debug)]
pub enum Found {
    /// An entry none of whose tags was invalidated since its filling began.
    Entry(Entry),
    /// None; a fill that begins now is to bear this mark.
    Nothing(Mark),
    /// The store does not say.
    Unknown,
}

/// What an invalidation hits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stale {
    /// Whatever bears one of these tags.
    Tags(HashSet<Tag>),
    /// All there is.
    Everything,
}

/// Entries that several nodes share.
pub trait SharedEntries: Send + Sync {
    /// Looks for a key.
    fn find<'a>(&'a self, key: &'a str) -> Answering<'a, Found>;

    /// Keeps an entry for so long, unless one of its tags was invalidated since `mark`. Whether it is kept is the
    /// store's own affair.
    fn keep<'a>(&'a self, key: &'a str, mark: &'a Mark, entry: &'a Entry, ttl: Duration)
    -> Answering<'a, ()>;

    /// Invalidates; true only when it is certain that the store has taken it.
    fn invalidate<'a>(&'a self, stale: &'a Stale) -> Answering<'a, bool>;
}

impl Stale {
    fn nothing() -> Self {
        Self::Tags(HashSet::new())
    }

    fn absorb(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Tags(tags), Self::Tags(more)) if tags.len() + more.len() <= MOST_TAGS => tags.extend(more),
            _ => *self = Self::Everything,
        }
    }
}

/// The shared store as one node has it.
pub(super) struct SharedLevel {
    pub(super) entries: Arc<dyn SharedEntries>,
    told: Arc<Told>,
    carrier: AbortHandle,
    pub(super) hits: AtomicU64,
    pub(super) fills: AtomicU64,
}

impl SharedLevel {
    /// Begins with the store's entries invalidated: an earlier process may have ended between a commit and its telling.
    /// Whoever hears of others' writes from some moment on should [`clear`](super::Cache::clear) once more then.
    pub(super) fn start(entries: Arc<dyn SharedEntries>) -> Self {
        let told = Arc::new(Told {
            waiting: Mutex::new(Stale::Everything),
            asked: AtomicU64::new(1),
            taken: AtomicU64::new(0),
            bell: Notify::new(),
        });
        let carrier = tokio::spawn(carry(Arc::clone(&told), Arc::clone(&entries))).abort_handle();
        Self { entries, told, carrier, hits: AtomicU64::new(0), fills: AtomicU64::new(0) }
    }

    /// Has the store told what is stale; from now until it has taken them it is not [`usable`](Self::is_usable).
    pub(super) fn tell(&self, stale: Stale) {
        {
            let mut waiting = self.told.waiting.lock();
            waiting.absorb(stale);
            self.told.asked.fetch_add(1, Ordering::SeqCst);
        }
        self.told.bell.notify_one();
    }

    /// Whether the store has taken every invalidation of this node.
    pub(super) fn is_usable(&self) -> bool {
        self.told.taken.load(Ordering::SeqCst) == self.told.asked.load(Ordering::SeqCst)
    }
}

impl Drop for SharedLevel {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Invalidations on their way to the store.
struct Told {
    waiting: Mutex<Stale>,
    asked: AtomicU64,
    taken: AtomicU64,
    bell: Notify,
}

impl Told {
    /// What waits, and the number of the last invalidation in it.
    fn take(&self) -> (Stale, u64) {
        let mut waiting = self.waiting.lock();
        (std::mem::replace(&mut waiting, Stale::nothing()), self.asked.load(Ordering::SeqCst))
    }
}

/// Tells the store, again and again where it does not take what it is told.
async fn carry(told: Arc<Told>, entries: Arc<dyn SharedEntries>) {
    loop {
        let (mut stale, mut last) = told.take();
        if last == told.taken.load(Ordering::SeqCst) {
            told.bell.notified().await;
            continue;
        }
        let mut pause = FIRST_PAUSE;
        while !entries.invalidate(&stale).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let (more, later) = told.take();
            stale.absorb(more);
            last = later;
        }
        told.taken.store(last, Ordering::SeqCst);
    }
}
