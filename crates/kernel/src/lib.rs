//! The words every room of Stoa uses: ids, money, time, randomness, pages, who asks, how a request is refused and how a
//! text is taken apart to be found.
//!
//! Plain values and rules. This crate knows no runtime, no HTTP and no SQL, so every other crate may know it.

pub mod actor;
pub mod authenticate;
pub mod fields;
pub mod id;
pub mod money;
pub mod page;
pub mod random;
pub mod refusal;
pub mod time;
pub mod wording;
pub mod words;

pub use actor::{Actor, Permission, Permissions, SessionId, SignedIn, UserId};
pub use authenticate::{Authenticator, Credentials, Identified};
pub use fields::{Fields, Flaw};
pub use id::Id;
pub use money::{Currency, Decimal, Money};
pub use page::{Cursor, CursorValue, Page, PageRequest, Position, SortOrder};
pub use random::Random;
pub use refusal::{FieldError, Refusal, RefusalKind};
pub use time::{Clock, ManualClock, Timestamp};
