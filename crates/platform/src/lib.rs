//! The engines behind Stoa, each behind one door with an embedded default: database, event log, jobs, cache,
//! rate limits and mail.
//!
//! Platform knows the kernel and nothing of shops or chats.

pub mod cache;
pub mod database;
pub mod events;
pub mod failpoint;
pub mod jobs;
pub mod limits;
pub mod mail;
pub mod occasion;
mod prehashed;
#[cfg(feature = "testing")]
pub mod testing;

pub use occasion::Occasion;

use std::sync::Arc;

use cache::Cache;
use database::{Database, Migration};
use limits::Limits;
use mail::Mailer;
use stoa_kernel::{Clock, Random};

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
    /// The way out for mail.
    pub mailer: Arc<Mailer>,
}

/// The tables of the platform itself: the event log and the jobs.
pub const MIGRATIONS: &[Migration] = &[
    Migration::split(
        1,
        "events",
        include_str!("../../../migrations/0001_events.sqlite.sql"),
        include_str!("../../../migrations/0001_events.postgres.sql"),
    ),
    Migration::shared(2, "jobs", include_str!("../../../migrations/0002_jobs.sql")),
];
