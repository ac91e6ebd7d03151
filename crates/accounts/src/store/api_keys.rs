//! The table of API keys.

use ipnet::IpNet;
use stoa_kernel::{Id, Permissions, SortOrder, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};
use uuid::Uuid;

use crate::{api_keys::scope, tokens::SecretHash};

/// Marker of key ids.
pub(crate) enum ApiKeyRow {}
pub(crate) type ApiKeyId = Id<ApiKeyRow>;

/// A key as lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ApiKey {
    pub(crate) id: ApiKeyId,
    pub(crate) prefix: String,
    pub(crate) name: String,
    /// As they are written: `order:read`.
    pub(crate) scopes: Vec<String>,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    /// Who made it: `user:<id>` or `key:<id>`.
    pub(crate) created_by: String,
    pub(crate) last_used_at: Option<Timestamp>,
}

/// A key as requests that carry it ask for it.
#[derive(Debug)]
pub(crate) struct KnownKey {
    pub(crate) id: ApiKeyId,
    pub(crate) hash: SecretHash,
    pub(crate) scopes: Permissions,
    pub(crate) created_by: String,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
}

/// What a key that made another may do.
#[derive(Debug)]
pub(crate) struct MakerKey {
    pub(crate) scopes: Permissions,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_by: String,
}

const COLUMNS: &str =
    "id, prefix, name, scopes, allowed_ips, expires_at, created_at, created_by, last_used_at";

fn read(row: &Row<'_>) -> Result<ApiKey, DatabaseError> {
    Ok(ApiKey {
        id: row.read()?,
        prefix: row.read()?,
        name: row.read()?,
        scopes: row.parse(|text| list_of(text, |scope| Some(scope.to_owned())))?,
        networks: row.parse(|text| list_of(text, |network| network.parse().ok()))?,
        expires_at: row.read()?,
        created_at: row.read()?,
        created_by: row.read()?,
        last_used_at: row.read()?,
    })
}

fn read_hash(row: &Row<'_>) -> Result<SecretHash, DatabaseError> {
    let kept: Vec<u8> = row.read()?;
    kept.try_into().map_err(|_| DatabaseError::Decode("a hash of another length".into()))
}

/// What a JSON list of texts says.
fn list_of<T, L: FromIterator<T>>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<L> {
    let texts: Vec<String> = serde_json::from_str(text).ok()?;
    texts.iter().map(|text| read(text)).collect()
}

/// Inserts a key that was never used.
pub(crate) fn insert(tx: &mut Tx<'_>, key: &ApiKey, hash: &SecretHash) -> Result<(), DatabaseError> {
    let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    let (scopes, networks) = (serde_json::json!(key.scopes), serde_json::json!(networks));
    tx.execute(
        "INSERT INTO api_keys
             (id, hash, prefix, name, scopes, allowed_ips, expires_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            key.id,
            &hash[..],
            &key.prefix,
            &key.name,
            scopes.to_string(),
            networks.to_string(),
            key.expires_at,
            key.created_at,
            &key.created_by
        ],
    )?;
    Ok(())
}

/// The key of this hash.
pub(crate) fn by_hash(c: &mut Connection<'_>, hash: &SecretHash) -> Result<Option<KnownKey>, DatabaseError> {
    c.find(
        "SELECT hash, id, scopes, created_by, allowed_ips, expires_at, last_used_at FROM api_keys WHERE hash = $1",
        params![&hash[..]],
        |row| {
            Ok(KnownKey {
                hash: read_hash(row)?,
                id: row.read()?,
                scopes: row.parse(|text| list_of(text, scope))?,
                created_by: row.read()?,
                networks: row.parse(|text| list_of(text, |network| network.parse().ok()))?,
                expires_at: row.read()?,
                last_used_at: row.read()?,
            })
        },
    )
}

/// What the key of this id may do by its scopes, and who made it.
pub(crate) fn scopes_of(c: &mut Connection<'_>, id: ApiKeyId) -> Result<Option<MakerKey>, DatabaseError> {
    c.find("SELECT scopes, expires_at, created_by FROM api_keys WHERE id = $1", params![id], |row| {
        Ok(MakerKey {
            scopes: row.parse(|text| list_of(text, scope))?,
            expires_at: row.read()?,
            created_by: row.read()?,
        })
    })
}

/// The key of this id.
pub(crate) fn find(c: &mut Connection<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
    c.find(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = $1"), params![id], read)
}

/// Keys by age, after the one of this sort place.
pub(crate) fn list(
    c: &mut Connection<'_>,
    order: SortOrder,
    after: Option<(i64, Uuid)>,
    limit: u32,
    offset: u32,
) -> Result<Vec<ApiKey>, DatabaseError> {
    let (beyond, way, start) = super::walk(order);
    let (at, id) = after.unwrap_or(start);
    c.query(
        &format!(
            "SELECT {COLUMNS} FROM api_keys WHERE (created_at, id) {beyond} ($1, $2)
             ORDER BY created_at {way}, id {way} LIMIT $3 OFFSET $4"
        ),
        params![at, id, limit, offset],
        read,
    )
}

/// How many keys there are, counted to `most`.
pub(crate) fn count(c: &mut Connection<'_>, most: u32) -> Result<u32, DatabaseError> {
    let counted =
        c.find("SELECT COUNT(*) FROM (SELECT 1 FROM api_keys LIMIT $1) AS counted", params![most], |row| {
            row.read()
        })?;
    Ok(counted.unwrap_or(0))
}

/// Deletes a key; answers what it was, or `None` when there is none.
pub(crate) fn delete(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
    tx.find(&format!("DELETE FROM api_keys WHERE id = $1 RETURNING {COLUMNS}"), params![id], read)
}

/// Notes when a key was used; the latest use of those that several nodes saw stays.
pub(crate) fn touch(tx: &mut Tx<'_>, id: ApiKeyId, at: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        params![id, at],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_kernel::Random;
    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, now};

    fn key(name: &str, age: u64) -> ApiKey {
        let created_at = now() - Duration::from_secs(age);
        ApiKey {
            id: ApiKeyId::new(created_at, &Random::system()),
            prefix: "stoa_abcdef".into(),
            name: name.into(),
            scopes: vec!["order:read".into(), "product:*".into()],
            networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            expires_at: Some(now()),
            created_at,
            created_by: "user:ada".into(),
            last_used_at: None,
        }
    }

    each_engine! {
        &MIGRATIONS;

        async fn a_key_comes_back_as_it_was_kept(db: TestDatabase) {
            let database = db.open();
            let kept = key("till", 0);
            let (inserted, id) = (kept.clone(), kept.id);
            let (found, known, unknown) = database.write(move |tx| {
                insert(tx, &inserted, &[7; 32])?;
                Ok::<_, DatabaseError>((find(tx, id)?, by_hash(tx, &[7; 32])?, by_hash(tx, &[8; 32])?))
            }).await.unwrap();
            assert_eq!(found, Some(kept.clone()));
            let known = known.unwrap();
            assert_eq!((known.id, known.hash, &known.networks), (kept.id, [7; 32], &kept.networks));
            assert_eq!((known.expires_at, known.last_used_at), (kept.expires_at, None));
            assert!(known.scopes.allow("order", "read"));
            assert!(known.scopes.allow("product", "delete"));
            assert!(!known.scopes.allow("order", "update"));
            assert_eq!(known.created_by, kept.created_by);
            assert!(unknown.is_none());
        }

        async fn a_deleted_key_is_gone_and_says_what_it_was(db: TestDatabase) {
            let database = db.open();
            let kept = key("till", 0);
            let (inserted, id) = (kept.clone(), kept.id);
            let seen = database.write(move |tx| {
                insert(tx, &inserted, &[7; 32])?;
                Ok::<_, DatabaseError>((delete(tx, id)?, delete(tx, id)?, by_hash(tx, &[7; 32])?.is_none()))
            });
            assert_eq!(seen.await.unwrap(), (Some(kept), None, true));
        }

        async fn the_latest_use_stays(db: TestDatabase) {
            let database = db.open();
            let kept = key("till", 0);
            let id = kept.id;
            let used = database.write(move |tx| {
                insert(tx, &kept, &[7; 32])?;
                touch(tx, id, now() + Duration::from_secs(2))?;
                touch(tx, id, now() + Duration::from_secs(1))?;
                Ok::<_, DatabaseError>(find(tx, id)?.and_then(|key| key.last_used_at))
            });
            assert_eq!(used.await.unwrap(), Some(now() + Duration::from_secs(2)));
        }

        async fn keys_are_listed_by_age_both_ways(db: TestDatabase) {
            let database = db.open();
            let (first, second, third) = (key("first", 9), key("second", 5), key("third", 5));
            let kept = [first, second, third];
            database.write(move |tx| {
                kept.iter().zip(1..).try_for_each(|(key, n)| insert(tx, key, &[n; 32]))
            }).await.unwrap();
            let (latest, earliest, counted) = database.read(|c| {
                let latest = list(c, SortOrder::Desc, None, 10, 0)?;
                let earliest = list(c, SortOrder::Asc, None, 10, 0)?;
                let place = latest.get(1).map(|key| (key.created_at.as_micros(), key.id.uuid()));
                assert_eq!(list(c, SortOrder::Desc, place, 10, 0)?, latest[2..]);
                assert_eq!(list(c, SortOrder::Asc, place, 10, 0)?, latest[..1]);
                Ok::<_, DatabaseError>((latest, earliest, (count(c, 10)?, count(c, 2)?)))
            }).await.unwrap();
            assert_eq!(latest[2].name, "first");
            assert_eq!(earliest, latest.into_iter().rev().collect::<Vec<_>>());
            assert_eq!(counted, (3, 2));
        }
    }
}
