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
#[cfg(feature = "testing")]
pub mod testing;

pub use occasion::Occasion;

use database::Migration;

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
