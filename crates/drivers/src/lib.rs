//! The platform's doors on engines outside: Redis, S3, clamd, SMTP, Stripe and what else is reached over a network.
//!
//! A driver is a folder here that implements a door of `platform` or `contracts` with somebody else's server behind it.
//! Only `server` knows this crate; a domain sees the door and never which engine is behind.

pub mod clamd;
mod mac;
pub mod otlp;
pub mod redis;
pub mod s3;
pub mod smtp;
pub mod stripe;
#[cfg(feature = "testing")]
pub mod testing;
