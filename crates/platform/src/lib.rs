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
