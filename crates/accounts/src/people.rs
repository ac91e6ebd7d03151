//! Telling other domains how people are called.

use stoa_contracts::accounts::{People, Person};
use stoa_kernel::UserId;
use stoa_platform::database::{Connection, DatabaseError};

use crate::{Accounts, store::users};

impl People for Accounts {
    fn people(
        &self,
        connection: &mut Connection<'_>,
        users: &[UserId],
    ) -> Result<Vec<Person>, DatabaseError> {
        users::people(connection, users)
    }

    fn called(
        &self,
        connection: &mut Connection<'_>,
        usernames: &[&str],
    ) -> Result<Vec<(String, UserId)>, DatabaseError> {
        users::called(connection, usernames)
    }
}
