//! The event log: every durable thing that happens is one row, appended in the transaction that made it happen.
//!
//! `pos` is one dense total order in commit order. Followers keep their own place in it and move it in the transaction
//! of their effect, so that each effect happens once; a [`Tail`] hears it live and keeps no place.

mod error;
mod follower;
mod log;

pub use error::HandlerError;
pub use follower::{Follower, StartAt};
pub use log::{Event, EventId, Filter, NoOffset, Offset, StoredEvent, append, head, read_after};
