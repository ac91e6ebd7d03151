//! Jobs: work to be done later, queued in the transaction that wants it done, retried with backoff, kept when dead.
//!
//! A job runs at least once: a worker that dies is replaced when its lease ends. Queues have their own concurrency;
//! a schedule queues its job once for the whole cluster.

mod admin;
mod handler;
mod measures;
mod run;
mod schedule;
mod store;
mod worker;

pub use admin::{JobRecord, JobState, delete_dead, find, list};
pub use handler::{Handler, JobContext, JobFailure, Run};
pub use measures::{QueueState, Watch, queue_state};
pub use schedule::{Schedule, StartError, run_schedules};
pub use store::{DeadLetter, JobId, JobRow, dead_letters, due, enqueue, enqueue_at, retry, waiting};
pub use worker::{WorkerSettings, Workers, WorkersHandle, run_due};

use serde::{Serialize, de::DeserializeOwned};

/// A kind of work, with what it needs to know.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The queue it waits in: `emails`, `sync`, `files` or one of your own.
    const QUEUE: &'static str;

    /// Its name, in the style of `cleanup-expired-tokens`.
    const KIND: &'static str;

    /// How often it is tried before it is a dead letter.
    const MAX_ATTEMPTS: u32 = 3;

    /// What makes it the same job as another of its kind: while one with this key waits or runs, no second is queued.
    fn key(&self) -> Option<String> {
        None
    }
}
