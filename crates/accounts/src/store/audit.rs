//! The table of what matters to security.

use stoa_kernel::{Id, SortOrder, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value},
    params,
};
use uuid::Uuid;

use super::walk;
use crate::client::Client;

/// Marker of audit ids.
pub(crate) enum AuditRow {}
pub(crate) type AuditId = Id<AuditRow>;

/// An entry as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) id: AuditId,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) subject: String,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) details: Option<String>,
}

/// Writes an entry.
pub(crate) fn insert(tx: &mut Tx<'_>, entry: &Entry) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO audit_log (id, at, type, actor, subject, address, user_agent, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            entry.id,
            entry.at,
            &entry.kind,
            &entry.actor,
            &entry.subject,
            entry.address.as_deref(),
            entry.user_agent.as_deref(),
            entry.details.as_deref()
        ],
    )?;
    Ok(())
}

impl Entry {
    /// The same entry with where it came from.
    pub(crate) fn seen_from(self, client: &Client) -> Self {
        Self { address: Some(client.address.clone()), user_agent: client.user_agent.clone(), ..self }
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) actor: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) order: SortOrder,
    /// The sort place of the entry before.
    pub(crate) after: Option<(i64, Uuid)>,
}

impl Wanted {
    /// The condition, and the values it binds from `$1`.
    fn condition(&self) -> (String, Vec<Value<'_>>) {
        let mut values: Vec<Value<'_>> = Vec::new();
        let mut terms = vec!["TRUE".to_owned()];
        let mut add = |term: &str, value: Value<'static>| {
            values.push(value);
            terms.push(format!("{term} ${}", values.len()));
        };
        if let Some(actor) = &self.actor {
            add("actor =", actor.clone().into());
        }
        if let Some(kind) = &self.kind {
            add("type =", kind.clone().into());
        }
        if let Some(from) = self.from {
            add("at >=", from.into());
        }
        if let Some(to) = self.to {
            add("at <", to.into());
        }
        if let Some((at, id)) = self.after {
            values.extend([Value::from(at), Value::from(id)]);
            let (beyond, ..) = walk(self.order);
            terms.push(format!("(at, id) {beyond} (${}, ${})", values.len() - 1, values.len()));
        }
        (terms.join(" AND "), values)
    }
}

/// Entries by time.
pub(crate) fn list(
    c: &mut Connection<'_>,
    wanted: &Wanted,
    limit: u32,
    offset: u32,
) -> Result<Vec<Entry>, DatabaseError> {
    let (condition, mut values) = wanted.condition();
    values.extend([limit.into(), offset.into()]);
    let (limit, offset) = (values.len() - 1, values.len());
    let (_, way, _) = walk(wanted.order);
    c.query(
        &format!(
            "SELECT id, at, type, actor, subject, address, user_agent, details FROM audit_log
             WHERE {condition} ORDER BY at {way}, id {way} LIMIT ${limit} OFFSET ${offset}"
        ),
        &values,
        from_row,
    )
}

/// How many there are, counted to `most`.
pub(crate) fn count(c: &mut Connection<'_>, wanted: &Wanted, most: u32) -> Result<u32, DatabaseError> {
    let whole = Wanted { after: None, ..wanted.clone() };
    let (condition, mut values) = whole.condition();
    values.push(most.into());
    let most = values.len();
    let counted = c.find(
        &format!("SELECT COUNT(*) FROM (SELECT 1 FROM audit_log WHERE {condition} LIMIT ${most}) AS counted"),
        &values,
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

fn from_row(row: &Row<'_>) -> Result<Entry, DatabaseError> {
    Ok(Entry {
        id: row.read()?,
        at: row.read()?,
        kind: row.read()?,
        actor: row.read()?,
        subject: row.read()?,
        address: row.read()?,
        user_agent: row.read()?,
        details: row.read()?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_kernel::Random;
    use stoa_platform::each_engine;

    use super::*;
    use crate::store::testing::{MIGRATIONS, now};

    fn entry(kind: &str, actor: &str, seconds: u64) -> Entry {
        let at = now() + Duration::from_secs(seconds);
        Entry {
            id: AuditId::new(at, &Random::system()),
            at,
            kind: kind.into(),
            actor: actor.into(),
            subject: "user:1".into(),
            address: Some("203.0.113.7".into()),
            user_agent: None,
            details: Some("{}".into()),
        }
    }

    each_engine! {
        &MIGRATIONS;

        async fn entries_are_found_by_who_what_and_when(db: TestDatabase) {
            let database = db.open();
            let entries = [entry("login", "ann", 0), entry("login", "bob", 1), entry("logout", "bob", 2)];
            let written = entries.clone();
            database.write(move |tx| written.iter().try_for_each(|entry| insert(tx, entry))).await.unwrap();
            let found = |wanted: Wanted| {
                let (database, entries) = (database.clone(), entries.clone());
                async move {
                    let counted = wanted.clone();
                    let listed = database.read(move |c| list(c, &wanted, 10, 0)).await.unwrap();
                    let count = database.read(move |c| count(c, &counted, 10)).await.unwrap();
                    let index = |entry: &Entry| entries.iter().position(|known| known == entry).unwrap();
                    (listed.iter().map(index).collect::<Vec<_>>(), count)
                }
            };
            assert_eq!(found(Wanted { order: SortOrder::Desc, ..Wanted::default() }).await, (vec![2, 1, 0], 3));
            let bobs = Wanted { actor: Some("bob".into()), order: SortOrder::Desc, ..Wanted::default() };
            assert_eq!(found(bobs.clone()).await, (vec![2, 1], 2));
            assert_eq!(found(Wanted { kind: Some("login".into()), ..bobs }).await, (vec![1], 1));
            let at = |seconds| Some(now() + Duration::from_secs(seconds));
            assert_eq!(found(Wanted { from: at(1), to: at(2), ..Wanted::default() }).await, (vec![1], 1));
            let after = Some((entries[1].at.as_micros(), entries[1].id.uuid()));
            let upwards = Wanted { after, ..Wanted::default() };
            let downwards = Wanted { order: SortOrder::Desc, ..upwards.clone() };
            assert_eq!(found(downwards).await, (vec![0], 3), "a total is of the whole list");
            assert_eq!(found(upwards).await, (vec![2], 3));
        }
    }
}
