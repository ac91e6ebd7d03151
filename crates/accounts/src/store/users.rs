//! The table of users.

use stoa_contracts::accounts::Person;
use stoa_kernel::{SortOrder, Timestamp, UserId};
use stoa_platform::{
    cache::Tag,
    database::{Connection, DatabaseError, Row, Tx, Value, in_list},
    params,
};
use uuid::Uuid;

use super::{walk, words};
use crate::{
    account::{EmailAddress, User, Username},
    password::HashedPassword,
};

pub(super) const COLUMNS: &str = "id, username, name, email, email_verified_at, role, avatar_url, status, sync_status, \
                       last_login_at, created_at, updated_at";

pub(super) fn from_row(row: &Row<'_>) -> Result<User, DatabaseError> {
    Ok(User {
        id: row.read()?,
        username: row.read()?,
        name: row.read()?,
        email: row.read()?,
        email_verified_at: row.read()?,
        role: row.read()?,
        avatar_url: row.read()?,
        status: row.read()?,
        sync_status: row.read()?,
        last_login_at: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

/// By which a change of a user is known.
pub(crate) fn tag(id: UserId) -> Tag {
    Tag::of("user", id)
}

/// What makes the copy of a user in an outer system out of date; `$at` is the parameter that holds the time.
fn to_be_synced(at: u32) -> String {
    format!("sync_status = 'PENDING', sync_attempts = 0, sync_due_at = ${at}, sync_batch = NULL")
}

/// A user to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct NewRow<'r> {
    pub(crate) id: UserId,
    pub(crate) username: &'r Username,
    pub(crate) name: &'r str,
    pub(crate) email: &'r EmailAddress,
    pub(crate) verified: bool,
    pub(crate) password: &'r HashedPassword,
    pub(crate) role: &'r str,
    pub(crate) at: Timestamp,
}

/// Inserts a user; `None` when its address or username is taken.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewRow<'_>) -> Result<Option<User>, DatabaseError> {
    let inserted = tx.find(
        &format!(
            "INSERT INTO users (id, username, username_folded, name, email, email_folded, email_verified_at,
                 password_hash, role, status, created_at, updated_at, sync_due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'online', $10, $10, $10)
             ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
        ),
        params![
            new.id,
            new.username.as_str(),
            new.username.folded(),
            new.name,
            new.email.as_str(),
            new.email.folded(),
            new.verified.then_some(new.at),
            new.password.as_str(),
            new.role,
            new.at
        ],
        from_row,
    )?;
    if let Some(user) = &inserted {
        words::insert(tx, user)?;
    }
    Ok(inserted)
}

/// Whether an account has this address.
pub(crate) fn email_exists(c: &mut Connection<'_>, email: &EmailAddress) -> Result<bool, DatabaseError> {
    let found = c.find("SELECT 1 FROM users WHERE email_folded = $1", params![email.folded()], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Whether there is any user.
pub(crate) fn any(c: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    Ok(c.find("SELECT 1 FROM users LIMIT 1", &[], |_| Ok(()))?.is_some())
}

/// The user of this id.
pub(crate) fn find(c: &mut Connection<'_>, id: UserId) -> Result<Option<User>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM users WHERE id = $1"), params![id], from_row)
}

/// The role of a user who is there.
pub(crate) fn role_of(c: &mut Connection<'_>, id: UserId) -> Result<Option<String>, DatabaseError> {
    c.find("SELECT role FROM users WHERE id = $1", params![id], |row| row.read())
}

/// Those of these users who are there, as everybody sees them.
pub(crate) fn people(c: &mut Connection<'_>, ids: &[UserId]) -> Result<Vec<Person>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::with_capacity(ids.len());
    let list = in_list(&mut values, ids.iter().map(|id| Value::from(*id)));
    c.query(
        &format!("SELECT id, username, name, avatar_url FROM users WHERE id IN ({list})"),
        &values,
        |row| {
            Ok(Person { id: row.read()?, username: row.read()?, name: row.read()?, avatar_url: row.read()? })
        },
    )
}

/// Those who have one of these folded usernames.
pub(crate) fn called(
    c: &mut Connection<'_>,
    usernames: &[&str],
) -> Result<Vec<(String, UserId)>, DatabaseError> {
    if usernames.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::with_capacity(usernames.len());
    let list = in_list(&mut values, usernames.iter().map(|name| Value::from(*name)));
    let sql = format!("SELECT username_folded, id FROM users WHERE username_folded IN ({list})");
    c.query(&sql, &values, |row| Ok((row.read()?, row.read()?)))
}

/// The user of this folded address or username.
pub(crate) fn find_by_identifier(
    c: &mut Connection<'_>,
    identifier: &str,
) -> Result<Option<User>, DatabaseError> {
    let column = identifier_column(identifier);
    c.find(&format!("SELECT {COLUMNS} FROM users WHERE {column} = $1"), params![identifier], from_row)
}

/// Who has this folded address or username, and with which password.
pub(crate) fn password_of_identifier(
    c: &mut Connection<'_>,
    identifier: &str,
) -> Result<Option<(UserId, HashedPassword)>, DatabaseError> {
    let column = identifier_column(identifier);
    c.find(&format!("SELECT id, password_hash FROM users WHERE {column} = $1"), params![identifier], |row| {
        Ok((row.read()?, HashedPassword::stored(row.read()?)))
    })
}

/// A username never holds an `@`.
fn identifier_column(identifier: &str) -> &'static str {
    if identifier.contains('@') { "email_folded" } else { "username_folded" }
}

/// The password of a user.
pub(crate) fn password_of(
    c: &mut Connection<'_>,
    id: UserId,
) -> Result<Option<HashedPassword>, DatabaseError> {
    c.find("SELECT password_hash FROM users WHERE id = $1", params![id], |row| {
        Ok(HashedPassword::stored(row.read()?))
    })
}

/// Notes a sign-in made with the password `checked`, and keeps it hashed anew if it is; `None` when the user is gone
/// or has another password by now.
pub(crate) fn note_login(
    tx: &mut Tx<'_>,
    id: UserId,
    checked: &HashedPassword,
    rehashed: Option<&HashedPassword>,
    at: Timestamp,
) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    let kept = rehashed.unwrap_or(checked);
    tx.find(
        &format!(
            "UPDATE users SET last_login_at = $3, password_hash = $4
             WHERE id = $1 AND password_hash = $2 RETURNING {COLUMNS}"
        ),
        params![id, checked.as_str(), at, kept.as_str()],
        from_row,
    )
}

/// Replaces the password `old`; `None` when the user is gone or has another by now.
pub(crate) fn replace_password(
    tx: &mut Tx<'_>,
    id: UserId,
    old: &HashedPassword,
    new: &HashedPassword,
    at: Timestamp,
) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    tx.find(
        &format!(
            "UPDATE users SET password_hash = $3, updated_at = $4
             WHERE id = $1 AND password_hash = $2 RETURNING {COLUMNS}"
        ),
        params![id, old.as_str(), new.as_str(), at],
        from_row,
    )
}

/// Sets another password, whatever the one before.
pub(crate) fn set_password(
    tx: &mut Tx<'_>,
    id: UserId,
    new: &HashedPassword,
    at: Timestamp,
) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    tx.find(
        &format!("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1 RETURNING {COLUMNS}"),
        params![id, new.as_str(), at],
        from_row,
    )
}

/// Changes what is given of a profile.
pub(crate) fn update_profile(
    tx: &mut Tx<'_>,
    id: UserId,
    name: Option<&str>,
    username: Option<&Username>,
    at: Timestamp,
) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    let changed = tx.find(
        &format!(
            "UPDATE users SET name = COALESCE($2, name), username = COALESCE($3, username),
                 username_folded = COALESCE($4, username_folded), updated_at = $5, {}
             WHERE id = $1 RETURNING {COLUMNS}",
            to_be_synced(5)
        ),
        params![id, name, username.map(Username::as_str), username.map(Username::folded), at],
        from_row,
    )?;
    if let Some(user) = &changed {
        words::replace(tx, user)?;
    }
    Ok(changed)
}

/// Gives somebody another picture; answers them, and the address of the one that they had.
pub(crate) fn set_avatar(
    tx: &mut Tx<'_>,
    id: UserId,
    url: &str,
    at: Timestamp,
) -> Result<Option<(User, Option<String>)>, DatabaseError> {
    tx.touch(tag(id));
    let Some(before) = lock(tx, id)? else { return Ok(None) };
    let changed = tx.find(
        &format!(
            "UPDATE users SET avatar_url = $2, updated_at = $3, {} WHERE id = $1 RETURNING {COLUMNS}",
            to_be_synced(3)
        ),
        params![id, url, at],
        from_row,
    )?;
    Ok(changed.map(|user| (user, before.avatar_url)))
}

/// The user of this id, locked until the transaction ends, so that what depends on it is decided one after the other.
pub(crate) fn lock(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, DatabaseError> {
    tx.find(
        &format!("UPDATE users SET updated_at = updated_at WHERE id = $1 RETURNING {COLUMNS}"),
        params![id],
        from_row,
    )
}

/// Keeps who a user is by now: names, address and its proof.
pub(crate) fn rewrite(tx: &mut Tx<'_>, user: &User) -> Result<(), DatabaseError> {
    tx.touch(tag(user.id));
    tx.execute(
        &format!(
            "UPDATE users SET username = $2, username_folded = $3, name = $4, email = $5, email_folded = $6,
                 email_verified_at = $7, updated_at = $8, {} WHERE id = $1",
            to_be_synced(8)
        ),
        params![
            user.id,
            &user.username,
            user.username.to_ascii_lowercase(),
            &user.name,
            &user.email,
            user.email.to_ascii_lowercase(),
            user.email_verified_at,
            user.updated_at
        ],
    )?;
    words::replace(tx, user)
}

/// Deletes a user with sessions, links and words; answers who it was.
pub(crate) fn delete(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    tx.find(&format!("DELETE FROM users WHERE id = $1 RETURNING {COLUMNS}"), params![id], from_row)
}

/// Keeps what a user wants to be seen as; false when it was that already, or there is no such user.
pub(crate) fn set_status(tx: &mut Tx<'_>, id: UserId, status: &str) -> Result<bool, DatabaseError> {
    tx.touch(tag(id));
    let changed =
        tx.execute("UPDATE users SET status = $2 WHERE id = $1 AND status <> $2", params![id, status])?;
    Ok(changed > 0)
}

/// Notes that the user reads mail at this address; false when the user has another by now.
pub(crate) fn verify_email(
    tx: &mut Tx<'_>,
    id: UserId,
    email_folded: &str,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    tx.touch(tag(id));
    let verified = tx.execute(
        &format!(
            "UPDATE users SET email_verified_at = COALESCE(email_verified_at, $3), updated_at = $3, {}
             WHERE id = $1 AND email_folded = $2",
            to_be_synced(3)
        ),
        params![id, email_folded, at],
    )?;
    Ok(verified > 0)
}

/// Gives a user another role.
pub(crate) fn set_role(
    tx: &mut Tx<'_>,
    id: UserId,
    role: &str,
    at: Timestamp,
) -> Result<Option<User>, DatabaseError> {
    tx.touch(tag(id));
    tx.find(
        &format!(
            "UPDATE users SET role = $2, updated_at = $3, {} WHERE id = $1 RETURNING {COLUMNS}",
            to_be_synced(3)
        ),
        params![id, role, at],
        from_row,
    )
}

/// How many users have a role.
pub(crate) fn count_in_role(c: &mut Connection<'_>, role: &str) -> Result<i64, DatabaseError> {
    let count = c.find("SELECT COUNT(*) FROM users WHERE role = $1", params![role], |row| row.read())?;
    Ok(count.unwrap_or(0))
}

/// Which users to list, by age.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) role: Option<String>,
    pub(crate) order: SortOrder,
    /// The sort place of the entry before.
    pub(crate) after: Option<(i64, Uuid)>,
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

/// Users by age.
pub(crate) fn list(c: &mut Connection<'_>, wanted: &Wanted) -> Result<Vec<User>, DatabaseError> {
    let (beyond, way, start) = walk(wanted.order);
    let (at, id) = wanted.after.unwrap_or(start);
    let role = role_filter(wanted.role.as_deref());
    c.query(
        &format!(
            "SELECT {COLUMNS} FROM users WHERE (created_at, id) {beyond} ($1, $2){role}
             ORDER BY created_at {way}, id {way} LIMIT $3 OFFSET $4"
        ),
        &[params![at, id, wanted.limit, wanted.offset], wanted.role.as_deref().map(Into::into).as_slice()]
            .concat(),
        from_row,
    )
}

/// How many there are, counted to `most`.
pub(crate) fn count(c: &mut Connection<'_>, role: Option<&str>, most: u32) -> Result<u32, DatabaseError> {
    let counted = match role {
        Some(role) => c.find(
            "SELECT COUNT(*) FROM (SELECT 1 FROM users WHERE role = $2 LIMIT $1) AS counted",
            params![most, role],
            |row| row.read(),
        ),
        None => {
            c.find("SELECT COUNT(*) FROM (SELECT 1 FROM users LIMIT $1) AS counted", params![most], |row| {
                row.read()
            })
        }
    };
    Ok(counted?.unwrap_or(0))
}

fn role_filter(role: Option<&str>) -> &'static str {
    if role.is_some() { " AND role = $5" } else { "" }
}

#[cfg(test)]
mod tests {
    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, insert, now};

    each_engine! {
        &MIGRATIONS;

        async fn the_database_tells_what_is_taken(db: TestDatabase) {
            let database = db.open();
            let inserted = |username: &'static str, email: &'static str| {
                let database = database.clone();
                async move { database.write(move |tx| insert(tx, username, email, "x")).await.unwrap() }
            };
            assert!(inserted("bob", "bob@example.com").await.is_some());
            assert!(inserted("robert", "BOB@example.com").await.is_none());
            assert!(inserted("Bob", "else@example.com").await.is_none());
            assert!(inserted("robert", "else@example.com").await.is_some());
        }

        async fn a_profile_keeps_what_is_not_changed(db: TestDatabase) {
            let database = db.open();
            let changed = database.write(|tx| {
                let bob = insert(tx, "bob", "bob@example.com", "x")?.expect("a user");
                update_profile(tx, bob.id, Some("Robert"), None, now())
            });
            let changed = changed.await.unwrap().unwrap();
            assert_eq!((changed.name.as_str(), changed.username.as_str()), ("Robert", "bob"));
        }

        async fn a_password_is_replaced_by_who_knows_it(db: TestDatabase) {
            let database = db.open();
            let bob = database.write(|tx| insert(tx, "bob", "bob@example.com", "old")).await.unwrap().unwrap();
            let replaced = |old: &'static str, new: &'static str| {
                let (old, new) = (HashedPassword::stored(old.into()), HashedPassword::stored(new.into()));
                let database = database.clone();
                async move {
                    database.write(move |tx| replace_password(tx, bob.id, &old, &new, now())).await.unwrap().is_some()
                }
            };
            assert!(!replaced("other", "new").await);
            assert!(replaced("old", "new").await);
            assert!(!replaced("old", "newer").await, "who comes second does not know it any more");
        }

        async fn users_are_listed_newest_first_and_by_role(db: TestDatabase) {
            let database = db.open();
            let listed = |role: Option<&'static str>, after: Option<(i64, Uuid)>| {
                let wanted = Wanted { role: role.map(Into::into), order: SortOrder::Desc, after, limit: 2, offset: 0 };
                let database = database.clone();
                async move { database.read(move |c| list(c, &wanted)).await.unwrap() }
            };
            database.write(|tx| {
                for name in ["ann", "bob", "cid"] {
                    insert(tx, name, &format!("{name}@example.com"), "x")?;
                }
                Ok::<_, DatabaseError>(())
            }).await.unwrap();
            let first = listed(None, None).await;
            assert_eq!(first.len(), 2);
            let last = first.last().unwrap();
            let rest = listed(None, Some((last.created_at.as_micros(), last.id.uuid()))).await;
            assert_eq!(rest.len(), 1);
            assert!(!first.contains(&rest[0]));
            assert!(listed(Some("admin"), None).await.is_empty());
            assert_eq!(listed(Some("user"), None).await.len(), 2);
            let counted = database.read(|c| Ok::<_, DatabaseError>((count(c, None, 2)?, count(c, Some("admin"), 2)?)));
            assert_eq!(counted.await.unwrap(), (2, 0));
        }
    }
}
