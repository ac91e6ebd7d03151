//! The tables of roles and their permissions.

use std::collections::HashMap;

use stoa_kernel::Permission;
use stoa_platform::{
    database::{Connection, DatabaseError, Tx, Value, placeholders},
    params,
};

/// A role with what it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) built_in: bool,
    pub(crate) permissions: Vec<Permission>,
}

/// What a role allows; nothing when there is none of that name.
pub(crate) fn permissions(c: &mut Connection<'_>, role: &str) -> Result<Vec<Permission>, DatabaseError> {
    c.query(
        "SELECT resource, action FROM role_permissions WHERE role = $1 ORDER BY resource, action",
        params![role],
        |row| Ok(Permission { resource: row.read()?, action: row.read()? }),
    )
}

/// Everything that some role allows, each once.
pub(crate) fn all_permissions(c: &mut Connection<'_>) -> Result<Vec<Permission>, DatabaseError> {
    c.query("SELECT DISTINCT resource, action FROM role_permissions ORDER BY resource, action", &[], |row| {
        Ok(Permission { resource: row.read()?, action: row.read()? })
    })
}

/// The role of this name.
pub(crate) fn find(c: &mut Connection<'_>, name: &str) -> Result<Option<Role>, DatabaseError> {
    let built_in = c.find("SELECT built_in FROM roles WHERE name = $1", params![name], |row| row.read())?;
    let Some(built_in) = built_in else { return Ok(None) };
    Ok(Some(Role { name: name.to_owned(), built_in, permissions: permissions(c, name)? }))
}

/// Roles by name, after `after`.
pub(crate) fn list(
    c: &mut Connection<'_>,
    after: &str,
    limit: u32,
    offset: u32,
) -> Result<Vec<Role>, DatabaseError> {
    let mut roles: Vec<Role> = c.query(
        "SELECT name, built_in FROM roles WHERE name > $1 ORDER BY name LIMIT $2 OFFSET $3",
        params![after, limit, offset],
        |row| Ok(Role { name: row.read()?, built_in: row.read()?, permissions: Vec::new() }),
    )?;
    let mut allowed = permissions_by_role(c, &roles)?;
    for role in &mut roles {
        role.permissions = allowed.remove(&role.name).unwrap_or_default();
    }
    Ok(roles)
}

/// What several roles allow, asked at once.
fn permissions_by_role(
    c: &mut Connection<'_>,
    roles: &[Role],
) -> Result<HashMap<String, Vec<Permission>>, DatabaseError> {
    let mut allowed: HashMap<String, Vec<Permission>> = HashMap::new();
    if roles.is_empty() {
        return Ok(allowed);
    }
    let names: Vec<Value<'_>> = roles.iter().map(|role| Value::from(&role.name)).collect();
    let rows: Vec<(String, Permission)> = c.query(
        &format!(
            "SELECT role, resource, action FROM role_permissions WHERE role IN ({})
             ORDER BY role, resource, action",
            placeholders(1, names.len())
        ),
        &names,
        |row| Ok((row.read()?, Permission { resource: row.read()?, action: row.read()? })),
    )?;
    for (role, permission) in rows {
        allowed.entry(role).or_default().push(permission);
    }
    Ok(allowed)
}

/// How many roles there are.
pub(crate) fn count(c: &mut Connection<'_>) -> Result<u32, DatabaseError> {
    Ok(c.find("SELECT COUNT(*) FROM roles", &[], |row| row.read())?.unwrap_or(0))
}

/// Inserts a role that allows nothing yet; false when there is one of that name.
pub(crate) fn insert(tx: &mut Tx<'_>, name: &str) -> Result<bool, DatabaseError> {
    let inserted = tx.execute(
        "INSERT INTO roles (name, built_in) VALUES ($1, FALSE) ON CONFLICT (name) DO NOTHING",
        params![name],
    )?;
    Ok(inserted > 0)
}

/// Locks a role's row until the transaction ends, so that what depends on it is decided one after the other; answers
/// whether it is built in.
pub(crate) fn lock(tx: &mut Tx<'_>, name: &str) -> Result<Option<bool>, DatabaseError> {
    tx.find("UPDATE roles SET built_in = built_in WHERE name = $1 RETURNING built_in", params![name], |row| {
        row.read()
    })
}

/// Replaces what a role allows.
pub(crate) fn set_permissions(
    tx: &mut Tx<'_>,
    name: &str,
    permissions: &[Permission],
) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM role_permissions WHERE role = $1", params![name])?;
    for Permission { resource, action } in permissions {
        tx.execute(
            "INSERT INTO role_permissions (role, resource, action) VALUES ($1, $2, $3)
             ON CONFLICT (role, resource, action) DO NOTHING",
            params![name, resource, action],
        )?;
    }
    Ok(())
}

/// Deletes a role; a foreign key stands in the way while users have it.
pub(crate) fn delete(tx: &mut Tx<'_>, name: &str) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM roles WHERE name = $1", params![name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Permissions;
    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, insert as insert_user};

    each_engine! {
        &MIGRATIONS;

        async fn the_built_in_roles_may_what_they_should(db: TestDatabase) {
            let database = db.open();
            let allowed = |role: &'static str| {
                let database = database.clone();
                async move {
                    database.read(move |c| permissions(c, role)).await.unwrap().into_iter().collect::<Permissions>()
                }
            };
            let user = allowed("user").await;
            for (resource, action) in [("product", "read"), ("order", "create"), ("profile", "update")] {
                assert!(user.allow(resource, action), "{resource}:{action}");
            }
            for (resource, action) in [("product", "create"), ("order", "update"), ("user", "read"), ("role", "read")] {
                assert!(!user.allow(resource, action), "{resource}:{action}");
            }
            let admin = allowed("admin").await;
            for (resource, action) in [
                ("product", "delete"), ("category", "create"), ("offer", "update"), ("order", "update"),
                ("user", "delete"), ("audit", "read"), ("role", "update"), ("api-key", "create"), ("setting", "update"),
            ] {
                assert!(admin.allow(resource, action), "{resource}:{action}");
            }
        }

        async fn a_role_in_use_cannot_be_deleted(db: TestDatabase) {
            let database = db.open();
            let refused = database.write(|tx| {
                insert_user(tx, "bob", "bob@example.com", "x")?;
                delete(tx, "user")
            });
            assert!(matches!(refused.await, Err(DatabaseError::ForeignKey)));
            assert!(database.read(|c| find(c, "user")).await.unwrap().is_some());
        }

        async fn permissions_are_replaced_and_go_with_their_role(db: TestDatabase) {
            let database = db.open();
            let permission = |action: &str| Permission { resource: "order".into(), action: action.into() };
            let (first, second) = (vec![permission("read"), permission("read")], vec![permission("update")]);
            let seen = database.write(move |tx| {
                assert!(insert(tx, "clerk")?);
                assert!(!insert(tx, "clerk")?);
                set_permissions(tx, "clerk", &first)?;
                set_permissions(tx, "clerk", &second)?;
                let clerk = find(tx, "clerk")?;
                delete(tx, "clerk")?;
                Ok::<_, DatabaseError>((clerk.map(|role| role.permissions), permissions(tx, "clerk")?))
            });
            assert_eq!(seen.await.unwrap(), (Some(vec![permission("update")]), vec![]));
        }

        async fn roles_are_listed_by_name(db: TestDatabase) {
            let database = db.open();
            database.write(|tx| insert(tx, "clerk")).await.unwrap();
            let names = |after: &'static str| {
                let database = database.clone();
                async move {
                    let roles = database.read(move |c| list(c, after, 2, 0)).await.unwrap();
                    roles.into_iter().map(|role| role.name).collect::<Vec<_>>()
                }
            };
            assert_eq!(names("").await, ["admin", "clerk"]);
            assert_eq!(names("clerk").await, ["user"]);
        }
    }
}
