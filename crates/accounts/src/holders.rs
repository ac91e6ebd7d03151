//! Who may do a thing.

use stoa_contracts::accounts::Staff;
use stoa_kernel::UserId;
use stoa_platform::{
    database::{Connection, DatabaseError},
    params,
};

use crate::Accounts;

impl Staff for Accounts {
    /// By the index on roles, the oldest accounts first.
    fn holders(
        &self,
        connection: &mut Connection<'_>,
        resource: &str,
        action: &str,
        most: u32,
    ) -> Result<Vec<UserId>, DatabaseError> {
        connection.query(
            "SELECT id FROM users WHERE role IN
                 (SELECT role FROM role_permissions WHERE resource = $1 AND action IN ($2, '*'))
             ORDER BY created_at, id LIMIT $3",
            params![resource, action, most],
            |row| row.read(),
        )
    }
}
