//! All SQL of this domain, by table. A message's row is locked before those of the files it carries.

pub(crate) mod files;
pub(crate) mod messages;
pub(crate) mod pages;
pub(crate) mod uploads;
pub(crate) mod usage;
pub(crate) mod verify;

use stoa_platform::database::Engine;

/// Keeps the rows that are read as they are until the transaction ends; SQLite has one writer at a time anyway.
const fn held(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR SHARE",
    }
}

/// Locks the rows that are read until the transaction ends.
const fn locked(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR NO KEY UPDATE",
    }
}
