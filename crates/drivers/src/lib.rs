//! The platform's doors on engines outside: Redis, SMTP, Stripe and what else is reached over a network.
//!
//! A driver is a folder here that implements a door of `platform` or `contracts` with somebody else's server behind it.
//! Only `server` knows this crate; a domain sees the door and never which engine is behind.

pub mod otlp;
pub mod redis;
pub mod smtp;
pub mod stripe;
#[cfg(feature = "testing")]
pub mod testing;
