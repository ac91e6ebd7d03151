//! Jobs that come by the clock: cron expressions in UTC, each tick queued once for the whole cluster.

use std::sync::Arc;

use super::{Job, enqueue};
use crate::{
    Occasion,
    database::{DatabaseError, Tx},
};

type Queue = dyn Fn(&mut Tx<'_>, &Occasion) -> Result<(), DatabaseError> + Send + Sync;

/// A job that is queued whenever its cron expression says so.
#[derive(Clone)]
pub struct Schedule {
    pub(super) name: &'static str,
    pub(super) cron: String,
    pub(super) queue: Arc<Queue>,
}

impl Schedule {
    /// Queues a copy of `job` at every tick of `cron` (five fields, or six with seconds first; UTC).
    pub fn of<J: Job + Sync>(name: &'static str, cron: impl Into<String>, job: J) -> Self {
        let queue = move |tx: &mut Tx<'_>, occasion: &Occasion| enqueue(tx, occasion, &job).map(drop);
        Self { name, cron: cron.into(), queue: Arc::new(queue) }
    }

    /// The name it keeps its next tick under.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("name", &self.name).field("cron", &self.cron).finish_non_exhaustive()
    }
}
