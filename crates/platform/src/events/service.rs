//! What follows the log on one database handle: the threads that carry it and how far each follower has come.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{head, log::unsequenced, place::retry_wanted, sequencer::LogThreads};
use crate::database::{Database, DatabaseError};

/// Kept by the database handle, so that all who follow share the threads and can be waited for.
#[derive(Default)]
pub(crate) struct LogService {
    threads: Mutex<Weak<LogThreads>>,
    progress: Mutex<Vec<Weak<Progress>>>,
}

/// How far a follower of this node has looked; what it does not listen to counts as soon as it is passed.
pub(super) struct Progress {
    follower: &'static str,
    looked_at: AtomicI64,
    retrying: AtomicBool,
}

impl Progress {
    pub(super) fn reach(&self, pos: i64) {
        self.looked_at.store(pos, Ordering::SeqCst);
    }

    /// Whether a parked event is being tried, which nothing in the database tells.
    pub(super) fn set_retrying(&self, retrying: bool) {
        self.retrying.store(retrying, Ordering::SeqCst);
    }

    fn has_reached(&self, pos: i64) -> bool {
        !self.retrying.load(Ordering::SeqCst) && self.looked_at.load(Ordering::SeqCst) >= pos
    }
}

impl LogService {
    /// The threads that number and announce events on PostgreSQL, started when the first follower needs them.
    pub(super) fn threads(&self, database: &Database) -> Result<Option<Arc<LogThreads>>, DatabaseError> {
        let Some(settings) = database.postgres_settings() else { return Ok(None) };
        let mut running = self.threads.lock();
        if let Some(threads) = running.upgrade() {
            return Ok(Some(threads));
        }
        let threads = Arc::new(LogThreads::start(settings, database.signals())?);
        *running = Arc::downgrade(&threads);
        Ok(Some(threads))
    }

    pub(super) fn new_progress(&self, follower: &'static str) -> Arc<Progress> {
        let (looked_at, retrying) = (AtomicI64::new(0), AtomicBool::new(false));
        let progress = Arc::new(Progress { follower, looked_at, retrying });
        let mut all = self.progress.lock();
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&progress));
        progress
    }

    fn all_have_reached(&self, pos: i64) -> bool {
        let all = self.progress.lock();
        all.iter().filter_map(Weak::upgrade).all(|follower| follower.has_reached(pos))
    }

    fn carries(&self) -> bool {
        self.threads.lock().strong_count() > 0
    }
}

/// How far the followers of this node have looked. Their places in the database may lie behind: they are not moved for
/// each event that does not concern them.
pub fn looked_at(database: &Database) -> Vec<(&'static str, i64)> {
    let all = database.log().progress.lock();
    let reached = |known: Arc<Progress>| (known.follower, known.looked_at.load(Ordering::SeqCst));
    all.iter().filter_map(Weak::upgrade).map(reached).collect()
}

/// Waits until every follower of this node has dealt with all that is committed, what they themselves caused included.
/// For tests and shutdown.
pub async fn settle(database: &Database) -> Result<(), DatabaseError> {
    let mut settled_at = None;
    loop {
        let sequenced_here = database.engine() == crate::database::Engine::Sqlite || database.log().carries();
        let (head, unsettled) = database
            .read(move |c| {
                let unsequenced = sequenced_here && unsequenced(c)?;
                Ok::<_, DatabaseError>((head(c)?.pos, unsequenced || retry_wanted(c)?))
            })
            .await?;
        if settled_at == Some(head) && !unsettled {
            return Ok(());
        }
        let reached = !unsettled && database.log().all_have_reached(head);
        // An effect may have appended events meanwhile, so the head is looked at once more.
        settled_at = reached.then_some(head);
        if !reached {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
