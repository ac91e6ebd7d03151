//! Packets of Socket.IO 5: what is said inside the messages of Engine.IO.
//!
//! `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`, and the attachments after it as binary messages. On the wire
//! each is an Engine.IO message, so its text begins with a `4`.

mod decode;
mod encode;
mod event;

pub(crate) use self::{
    decode::{Head, Kind, check_placeholders},
    event::Body,
};
pub use self::{
    encode::{EncodeError, Packet},
    event::{Answer, Event, Placeholder},
};
