//! All SQL of this domain, by table. Rows are locked in one order: a room's, then those of its members or of a message.

pub(crate) mod members;
pub(crate) mod mentions;
pub(crate) mod messages;
pub(crate) mod purge;
pub(crate) mod reactions;
pub(crate) mod rooms;
pub(crate) mod texts;
pub(crate) mod verify;

use stoa_platform::database::Engine;

/// Locks the rows that are read until the transaction ends; SQLite has one writer at a time anyway.
const fn lock(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR NO KEY UPDATE",
    }
}

#[cfg(test)]
mod tests;
