//! What chat can be told by configuration.

/// Settings of chat.
#[derive(Clone, Copy, Debug)]
pub struct ChatSettings {
    /// Whether joining a room that is not there opens it, where that is asked by [`Chat::enter`](crate::Chat::enter).
    pub rooms_on_join: bool,
    /// How many rooms somebody may be in; the one for everybody counts too.
    pub rooms_per_user: u32,
    /// How many members a room may have; the one for everybody has no bound.
    pub members_per_room: u32,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self { rooms_on_join: true, rooms_per_user: 500, members_per_room: 10_000 }
    }
}
