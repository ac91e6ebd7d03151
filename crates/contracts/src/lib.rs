//! What the domains say to each other: the events they publish and the few questions they may ask.
//!
//! A domain never names another. It hears that one's events, or calls a trait from here that the server has wired to it.
//! The traits take a transaction of the platform's database, so that a question can be part of the asker's transaction.

pub mod accounts;
pub mod catalog;
pub mod chat;
pub mod files;
pub mod notifications;
pub mod ordering;
pub mod payments;
