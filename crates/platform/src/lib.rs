//! The engines behind Stoa, each behind one door with an embedded default: database, event log, jobs, cache,
//! rate limits, files, mail, and the way to other nodes.
//!
//! Platform knows the kernel and nothing of shops or chats.

pub mod cache;
pub mod database;
pub mod events;
pub mod failpoint;
pub mod jobs;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod occasion;
mod prehashed;
pub mod processor_pool;
pub mod relay;
pub mod scan;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;
pub mod traces;
pub mod verify;

pub use occasion::Occasion;

use std::sync::Arc;

use cache::Cache;
use database::{Database, Migration};
use limits::Limits;
use mail::Mailer;
use metrics::Metrics;
use relay::Relay;
use scan::Scanner;
use stoa_kernel::{Clock, Random};
use storage::Storage;
use traces::Traces;

/// All doors together, as a domain is given them. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// Where state, events and jobs are kept.
    pub database: Database,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where randomness comes from.
    pub random: Random,
    /// The response cache.
    pub cache: Cache,
    /// The rate limits.
    pub limits: Limits,
    /// Where the bytes of files are kept.
    pub storage: Storage,
    /// Who looks into files before they are taken, where somebody does.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// The way out for mail.
    pub mailer: Arc<Mailer>,
    /// Where figures go.
    pub metrics: Metrics,
    /// Where traces begin.
    pub traces: Traces,
    /// The way to other nodes; a node without one is alone.
    pub relay: Option<Arc<dyn Relay>>,
}

/// The tables of the platform itself: the event log, the jobs and what became of mails.
pub const MIGRATIONS: &[Migration] = &[
    Migration::split(
        1,
        "events",
        include_str!("../../../migrations/0001_events.sqlite.sql"),
        include_str!("../../../migrations/0001_events.postgres.sql"),
    ),
    Migration::shared(2, "jobs", include_str!("../../../migrations/0002_jobs.sql")),
    Migration::shared(4, "mails", include_str!("../../../migrations/0004_mails.sql")),
    Migration::shared(5, "job_deaths", include_str!("../../../migrations/0005_job_deaths.sql")),
    Migration::shared(6, "traces", include_str!("../../../migrations/0006_traces.sql")),
];
