//! What became of each mail: all SQL of the table `mails`.
//!
//! A row is written before the first try and says how the last one ended. Bodies are never in it. Whether a mail that
//! was not sent still waits is what its job says: a dead or deleted job sends nothing.

use serde::{Deserialize, Serialize};
use stoa_kernel::{Cursor, CursorValue, Id, Page, PageRequest, Timestamp, page::DEEPEST_ENTRY};

use crate::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

/// Marker of mail ids.
pub enum Mail {}
/// The id of a mail, which is that of the job that sends it.
pub type MailId = Id<Mail>;

/// What became of a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailState {
    /// It was handed over, or kept as a file.
    Sent,
    /// It was given up; its job is a dead letter.
    Failed,
    /// It will be tried again.
    Waiting,
}

impl MailState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }

    fn parse(text: &str) -> Result<Self, DatabaseError> {
        match text {
            "sent" => Ok(Self::Sent),
            "failed" => Ok(Self::Failed),
            "waiting" => Ok(Self::Waiting),
            other => Err(DatabaseError::Decode(format!("{other:?} is no state of a mail"))),
        }
    }
}

/// A mail as it is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailRecord {
    /// Its id.
    pub id: MailId,
    /// Whom it is for.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The template it was made from.
    pub template: String,
    /// What became of it.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was first tried.
    pub at: Timestamp,
}

const COLUMNS: &str = "id, recipient, subject, template, attempts, error, at,
    CASE WHEN state = 'waiting' AND NOT EXISTS
        (SELECT 1 FROM jobs WHERE jobs.id = mails.id AND jobs.dead_at IS NULL)
    THEN 'failed' ELSE state END";
const ORDER: &str = "mails:desc";

/// Notes that a mail is about to be tried; false when it was sent already.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    id: MailId,
    (to, subject, template): (&str, &str, &str),
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let begun = tx.execute(
        "INSERT INTO mails (id, recipient, subject, template, state, attempts, at)
         VALUES ($1, $2, $3, $4, 'waiting', 1, $5)
         ON CONFLICT (id) DO UPDATE SET recipient = excluded.recipient, subject = excluded.subject,
             state = 'waiting', attempts = mails.attempts + 1 WHERE mails.state <> 'sent'",
        params![id, to, subject, template, now],
    )?;
    Ok(begun == 1)
}

/// Notes how a try ended.
pub(super) fn end(
    tx: &mut Tx<'_>,
    id: MailId,
    state: MailState,
    error: Option<&str>,
) -> Result<(), DatabaseError> {
    tx.execute("UPDATE mails SET state = $2, error = $3 WHERE id = $1", params![id, state.as_str(), error])?;
    Ok(())
}

/// Mails, the newest first, those in `state` only if one is given. `None` when the cursor is of another list.
pub fn list(
    connection: &mut Connection<'_>,
    state: Option<MailState>,
    page: &PageRequest,
) -> Result<Option<Page<MailRecord>>, DatabaseError> {
    let (before, id) = match page.after() {
        None => (i64::MAX, uuid::Uuid::max()),
        Some(cursor) => match cursor.number_in(ORDER) {
            Some(at) => (at, cursor.id),
            None => return Ok(None),
        },
    };
    let wanted = condition(state);
    let rows = connection.query(
        &format!(
            "SELECT {COLUMNS} FROM mails WHERE (at, id) < ($1, $2) AND {wanted}
             ORDER BY at DESC, id DESC LIMIT $3 OFFSET $4"
        ),
        params![before, id, page.limit + 1, page.offset()],
        record,
    )?;
    let total = if page.wants_total() { Some(count(connection, wanted)?) } else { None };
    Ok(Some(Page::from_rows(rows, page.limit, total, |mail| Cursor {
        order: ORDER.into(),
        value: CursorValue::Number(mail.at.as_micros()),
        id: mail.id.uuid(),
    })))
}

/// One mail.
pub fn find(connection: &mut Connection<'_>, id: MailId) -> Result<Option<MailRecord>, DatabaseError> {
    connection.find(&format!("SELECT {COLUMNS} FROM mails WHERE id = $1"), params![id], record)
}

/// Up to `most` mails from before `before`, the oldest first.
pub(super) fn oldest(
    connection: &mut Connection<'_>,
    before: Timestamp,
    most: u32,
) -> Result<Vec<MailId>, DatabaseError> {
    connection.query(
        "SELECT id FROM mails WHERE at < $1 ORDER BY at, id LIMIT $2",
        params![before, most],
        |row| row.read(),
    )
}

/// Forgets these mails.
pub(super) fn forget(tx: &mut Tx<'_>, mails: &[MailId]) -> Result<(), DatabaseError> {
    mails.iter().try_for_each(|id| tx.execute("DELETE FROM mails WHERE id = $1", params![*id]).map(drop))
}

/// What is not sent is named first, so that its own index is walked.
const fn condition(state: Option<MailState>) -> &'static str {
    match state {
        None => "TRUE",
        Some(MailState::Sent) => "state = 'sent'",
        Some(MailState::Waiting) => {
            "state <> 'sent' AND state = 'waiting' AND EXISTS
             (SELECT 1 FROM jobs WHERE jobs.id = mails.id AND jobs.dead_at IS NULL)"
        }
        Some(MailState::Failed) => {
            "state <> 'sent' AND (state = 'failed' OR NOT EXISTS
             (SELECT 1 FROM jobs WHERE jobs.id = mails.id AND jobs.dead_at IS NULL))"
        }
    }
}

fn count(connection: &mut Connection<'_>, wanted: &str) -> Result<u32, DatabaseError> {
    let counted = connection.find(
        &format!("SELECT COUNT(*) FROM (SELECT 1 FROM mails WHERE {wanted} LIMIT $1) AS counted"),
        params![DEEPEST_ENTRY],
        |row| row.read(),
    )?;
    Ok(counted.unwrap_or(0))
}

fn record(row: &Row<'_>) -> Result<MailRecord, DatabaseError> {
    Ok(MailRecord {
        id: row.read()?,
        to: row.read()?,
        subject: row.read()?,
        template: row.read()?,
        attempts: row.read()?,
        error: row.read()?,
        at: row.read()?,
        state: MailState::parse(&row.read::<String>()?)?,
    })
}
