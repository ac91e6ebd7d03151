//! Servers outside, for tests: each a process of its own that says what it hears.
//!
//! They panic where a test must fail.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test's tools fail by panicking"
)]

mod clamd_server;
mod collector;
mod mail_server;
mod redis_server;
mod stripe_server;

pub use clamd_server::ClamdServer;
pub use collector::{ArrivedSpan, Collector, Manner};
pub use mail_server::MailServer;
pub use redis_server::RedisServer;
pub use stripe_server::{Sent, StripeServer};
