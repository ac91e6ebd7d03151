//! What a client is told when something it said cannot be done.

use std::borrow::Cow;

use serde::Serialize;
use stoa_kernel::{Refusal, RefusalKind};
use stoa_platform::database::DatabaseError;

/// A stable code and a sentence: the `error` of an ack, or the payload of an `error` event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// A stable `SCREAMING_SNAKE` word.
    pub code: &'static str,
    /// A sentence for people.
    pub message: Cow<'static, str>,
}

impl Fault {
    /// A fault of these two parts.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// The payload is not of the shape that the event wants.
    pub fn bad_payload(why: impl std::fmt::Display) -> Self {
        Self::new("BAD_PAYLOAD", format!("The payload does not fit: {why}."))
    }

    /// Something was said in a room that the socket is not in.
    pub fn not_in_room() -> Self {
        Self::new("NOT_IN_ROOM", "Not in room")
    }

    pub(crate) fn unknown_event() -> Self {
        Self::new("UNKNOWN_EVENT", "There is no such event.")
    }

    pub(crate) fn not_authenticated() -> Self {
        Self::new("NOT_AUTHENTICATED", "Sign in first.")
    }

    pub(crate) fn bad_offset() -> Self {
        Self::new("BAD_OFFSET", "This is no offset of this server.")
    }

    pub(crate) fn too_many_subscriptions(most: usize) -> Self {
        Self::new("TOO_MANY_SUBSCRIPTIONS", format!("A socket can be subscribed to {most} things."))
    }

    /// Whether the login session has ended, so that the socket must end too.
    pub(crate) fn ends_the_socket(&self) -> bool {
        self.code == "SESSION_ENDED"
    }
}

/// What a refusal says to the outside; what it says of the inside goes to the log.
impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        if matches!(refusal.kind, RefusalKind::Internal | RefusalKind::Unavailable) {
            tracing::error!(
                code = refusal.code,
                source = refusal.source.as_deref(),
                "an event of a socket failed"
            );
        }
        let message = match refusal.fields.first() {
            Some(field) => format!("{}: {}", field.field, field.message).into(),
            None => refusal.detail,
        };
        Self { code: refusal.code, message }
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        Refusal::from(error).into()
    }
}
