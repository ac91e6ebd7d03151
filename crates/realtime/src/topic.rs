//! What can be subscribed to.

use std::{borrow::Borrow, fmt, sync::Arc};

use stoa_kernel::UserId;

/// A topic of the event log, such as `room:<id>`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The topic of what is told to everybody.
    pub const SYSTEM: &'static str = "system";
    /// Who is there, told to those who speak the rooms dialect. Nothing of it is in the log.
    pub(crate) const PRESENCE: &'static str = "presence";

    /// The topic of one thing: `Topic::of("room", id)`.
    pub fn of(kind: &str, id: impl fmt::Display) -> Self {
        Self(format!("{kind}:{id}").into())
    }

    /// What is told to one person.
    pub fn of_user(user: UserId) -> Self {
        Self::of("user", user)
    }

    /// What kind of thing it is about: what stands before the colon.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(kind, _)| kind)
    }

    /// Which thing it is about: what stands behind the colon.
    pub fn id(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, id)| id)
    }

    /// As the log has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A topic is looked up by its text, whose hash is its own.
impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Topic {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_kind_and_a_thing() {
        let topic = Topic::of("room", "r1");
        assert_eq!((topic.kind(), topic.id(), topic.as_str()), ("room", "r1", "room:r1"));
        assert_eq!((Topic::from("system").kind(), Topic::from("system").id()), ("system", ""));
    }
}
