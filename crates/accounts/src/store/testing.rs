//! Users for the tests of this crate.

use stoa_kernel::{Random, Timestamp, UserId};
use stoa_platform::database::{DatabaseError, Migration, Tx};

use super::users::{self, NewRow};
use crate::{
    account::{EmailAddress, User, Username},
    password::HashedPassword,
};

/// The platform's tables and ours.
pub(crate) static MIGRATIONS: std::sync::LazyLock<Vec<Migration>> =
    std::sync::LazyLock::new(|| [stoa_platform::MIGRATIONS, crate::MIGRATIONS].concat());

pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_768_478_400)
}

/// A user as the store would give it.
pub(crate) fn user(name: &str, random: &Random, at: Timestamp) -> User {
    User {
        id: UserId::new(at, random),
        username: name.to_owned(),
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        email_verified_at: None,
        role: "user".into(),
        avatar_url: None,
        status: "offline".into(),
        sync_status: "PENDING".into(),
        last_login_at: None,
        created_at: at,
        updated_at: at,
    }
}

/// Inserts a user of this name whose password is `hash`; `None` when the address or the name is taken.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    username: &str,
    email: &str,
    hash: &str,
) -> Result<Option<User>, DatabaseError> {
    let row = NewRow {
        id: UserId::new(now(), &Random::system()),
        username: &Username::parse(username).expect("a username"),
        name: username,
        email: &EmailAddress::parse(email).expect("an address"),
        verified: false,
        password: &HashedPassword::stored(hash.into()),
        role: "user",
        at: now(),
    };
    users::insert(tx, &row)
}
