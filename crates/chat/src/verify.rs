//! What must hold in chat, looked at by `stoa verify`.

use stoa_platform::verify::Check;

use crate::store::verify as store;

/// The checks of chat.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new("chat-numbers", "The messages of a room are numbered without holes.", store::numbers),
        Check::new("chat-marks", "Nobody has read further than was said.", store::marks),
        Check::new("chat-members", "A room counts those who are in it.", store::member_counts),
        Check::new("chat-owners", "Every room has one owner.", store::owners),
        Check::new("chat-pairs", "A direct room is between the two it is named after.", store::pairs),
        Check::new(
            "chat-reactions",
            "A message counts its reactions, and there are no others.",
            store::reactions,
        ),
        Check::new(
            "chat-mentions",
            "A message counts its mentions, and there are no others.",
            store::mentions,
        ),
        Check::new("chat-deleted", "Of a deleted message nothing is kept but its place.", store::deleted),
        Check::new("chat-rows", "Nothing belongs to a room that is not there.", store::nobodys_rows),
        Check::new("chat-search", "Every message can be found, and no deleted one.", store::not_findable),
    ]
}
