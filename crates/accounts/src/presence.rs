//! Who is there, for commands that must not take a live shop for an empty one.

use stoa_platform::database::{Connection, DatabaseError};

use crate::{Accounts, EmailAddress, store::users};

impl Accounts {
    /// Whether anybody has an account.
    pub fn has_users(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
        users::any(connection)
    }

    /// Whether somebody's account has this address.
    pub fn has_address(connection: &mut Connection<'_>, email: &EmailAddress) -> Result<bool, DatabaseError> {
        users::email_exists(connection, email)
    }
}
