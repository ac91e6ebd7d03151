//! Hearing the log live, without a place of one's own.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::timeout};

use super::{Filter, Offset, StoredEvent, head, read_after, sequencer::LogThreads};
use crate::database::{Database, DatabaseError, Signal};

/// Events handed over at once at most.
const BATCH: u32 = 500;
/// How often the log is looked at although nobody rang.
const POLL: Duration = Duration::from_secs(1);

/// Hears every event of the log from now on, in `pos` order, on this node only and for as long as it lives.
pub struct Tail {
    task: JoinHandle<()>,
    _threads: Option<Arc<LogThreads>>,
}

impl Tail {
    /// Starts at the head, which is told to whoever makes the ear: it gets what follows, some events at a time, and is
    /// awaited before the next ones.
    pub async fn start<Ear, Hearing>(
        database: &Database,
        ear: impl FnOnce(&Offset) -> Ear,
    ) -> Result<Self, DatabaseError>
    where
        Ear: Fn(Vec<Arc<StoredEvent>>) -> Hearing + Send + Sync + 'static,
        Hearing: Future<Output = ()> + Send + 'static,
    {
        let threads = database.log().threads(database)?;
        let from = database.read(head).await?;
        let task = tokio::spawn(follow(database.clone(), from.pos, ear(&from)));
        Ok(Self { task, _threads: threads })
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow<Hearing: Future<Output = ()> + Send>(
    database: Database,
    from: i64,
    hear: impl Fn(Vec<Arc<StoredEvent>>) -> Hearing + Send + Sync,
) {
    let mut bell = database.signals().listen(Signal::Events);
    let mut pos = from;
    // What was committed before the bell was heard is not announced.
    let mut rung = false;
    loop {
        bell.mark_unchanged();
        match next(&database, pos, rung).await {
            Ok(events) => {
                if let Some(last) = events.last() {
                    pos = last.pos;
                    hear(events).await;
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "the tail of the event log waits for the database"),
        }
        // Woken by the time, it looks at the log itself: another process may have written.
        rung = timeout(POLL, bell.changed()).await.is_ok();
    }
}

/// Some of what comes after `pos`: from memory if this node just wrote it, else from the log.
async fn next(database: &Database, pos: i64, rung: bool) -> Result<Vec<Arc<StoredEvent>>, DatabaseError> {
    if rung && let Some(recent) = database.signals().recent().after(pos, BATCH as usize) {
        return Ok(recent);
    }
    let events = database.read(move |c| read_after(c, pos, Filter::default(), BATCH)).await?;
    Ok(events.into_iter().map(Arc::new).collect())
}
