//! The event log: every durable thing that happens is one row, appended in the transaction that made it happen.
//!
//! `pos` is one dense total order in commit order. Followers keep their own place in it and move it in the transaction
//! of their effect, so that each effect happens once; a [`Tail`] hears it live and keeps no place.

mod error;
mod follower;
mod followers;
mod log;
mod place;
mod pursuit;
mod recent;
mod retention;
mod sequencer;
mod service;
mod tail;

pub use error::HandlerError;
pub use follower::{Follower, StartAt};
pub use followers::{Followers, FollowersHandle};
pub use log::{
    Event, EventId, Filter, LoggedEvent, NoOffset, Offset, StoredEvent, append, append_all, head,
    newest_of_topic, oldest, read_after, rewrite,
};
pub use place::{FollowerState, ParkedEvent, followers, parked, retry_parked};
pub(crate) use recent::{Appended, Recent};
pub use retention::{PruneEvents, prune};
pub(crate) use service::LogService;
pub use service::{looked_at, settle};
pub use tail::Tail;
