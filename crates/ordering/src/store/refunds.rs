//! Money that goes back, a row each time.

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{
    Currency, Cursor, CursorValue, Id, Money, Page, PageRequest, SortOrder, Timestamp, page::DEEPEST_ENTRY,
};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

/// Marker of refund ids.
pub(crate) enum RefundRow {}
/// The id of a refund.
pub(crate) type RefundId = Id<RefundRow>;

/// How far a refund has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RefundState {
    /// It is to be made, or on its way.
    Pending,
    /// The money is back.
    Succeeded,
    /// The provider refuses it for good.
    Failed,
}

impl RefundState {
    const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A refund.
#[derive(Clone, Debug)]
pub(crate) struct Refunding {
    pub(crate) id: RefundId,
    pub(crate) order: OrderId,
    pub(crate) amount: Money,
    pub(crate) state: RefundState,
    pub(crate) reason: Option<String>,
    /// Why it was not made, if it was not.
    pub(crate) failure: Option<String>,
    /// The provider's name for it, once known.
    pub(crate) provider_refund: Option<String>,
    /// How often it was asked for.
    pub(crate) tries: i64,
    /// Who asked for it.
    pub(crate) requested_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

const COLUMNS: &str =
    "id, order_id, amount, state, reason, failure, provider_refund, tries, requested_by, created_at,
     updated_at";

fn from_row(row: &Row<'_>, currency: Currency) -> Result<Refunding, DatabaseError> {
    Ok(Refunding {
        id: row.read()?,
        order: row.read()?,
        amount: Money::from_minor(row.read()?, currency),
        state: row.parse(RefundState::parse)?,
        reason: row.read()?,
        failure: row.read()?,
        provider_refund: row.read()?,
        tries: row.read()?,
        requested_by: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

/// Writes a new refund down.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    refund: &Refunding,
    due: Option<Timestamp>,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO refunds (id, order_id, amount, state, reason, provider_refund, tries, requested_by, due_at,
             created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            refund.id,
            refund.order,
            refund.amount,
            refund.state.name(),
            refund.reason.as_deref(),
            refund.provider_refund.as_deref(),
            refund.tries,
            &refund.requested_by,
            due,
            refund.created_at,
            refund.updated_at
        ],
    )?;
    Ok(())
}

/// One refund.
pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: RefundId,
    currency: Currency,
) -> Result<Option<Refunding>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM refunds WHERE id = $1");
    connection.find(&sql, params![id], |row| from_row(row, currency))
}

/// The refund of an order that the provider knows by this name.
pub(crate) fn named(
    connection: &mut Connection<'_>,
    order: OrderId,
    name: &str,
    currency: Currency,
) -> Result<Option<Refunding>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM refunds WHERE order_id = $1 AND provider_refund = $2");
    connection.find(&sql, params![order, name], |row| from_row(row, currency))
}

/// A refund of an order that was made at the provider, whose name there is not known: the latest of this sum.
pub(crate) fn nameless(
    connection: &mut Connection<'_>,
    order: OrderId,
    amount: Option<Money>,
    currency: Currency,
) -> Result<Option<Refunding>, DatabaseError> {
    let Some(amount) = amount else { return Ok(None) };
    let sql = format!(
        "SELECT {COLUMNS} FROM refunds WHERE order_id = $1 AND amount = $2 AND state = 'succeeded'
         AND provider_refund IS NULL ORDER BY id DESC LIMIT 1"
    );
    connection.find(&sql, params![order, amount], |row| from_row(row, currency))
}

/// Makes a refund that was done a failed one; false when it was not done.
pub(crate) fn revoke(
    tx: &mut Tx<'_>,
    id: RefundId,
    failure: &str,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let revoked = tx.execute(
        "UPDATE refunds SET state = 'failed', failure = $2, updated_at = $3 WHERE id = $1 AND state = 'succeeded'",
        params![id, failure, at],
    )?;
    Ok(revoked == 1)
}

/// The refunds of an order that are not settled, the oldest first.
pub(crate) fn pending(
    connection: &mut Connection<'_>,
    order: OrderId,
    currency: Currency,
) -> Result<Vec<Refunding>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM refunds WHERE order_id = $1 AND state = 'pending' ORDER BY id LIMIT 100"
    );
    connection.query(&sql, params![order], |row| from_row(row, currency))
}

/// How many refunds an order has had.
pub(crate) fn count(connection: &mut Connection<'_>, order: OrderId) -> Result<i64, DatabaseError> {
    let counted =
        connection
            .find("SELECT COUNT(*) FROM refunds WHERE order_id = $1", params![order], |row| row.read())?;
    Ok(counted.unwrap_or(0))
}

/// What of an order is back.
pub(crate) fn returned(
    connection: &mut Connection<'_>,
    order: OrderId,
    currency: Currency,
) -> Result<Money, DatabaseError> {
    let sum = connection.find(
        "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM refunds WHERE order_id = $1 AND state = 'succeeded'",
        params![order],
        |row| row.read(),
    )?;
    Ok(Money::from_minor(sum.unwrap_or(0), currency))
}

/// Settles a refund; false when it is settled already.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    id: RefundId,
    (state, provider_refund, failure): (RefundState, Option<&str>, Option<&str>),
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    let settled = tx.execute(
        "UPDATE refunds SET state = $2, provider_refund = COALESCE($3, provider_refund), failure = $4,
             due_at = NULL, updated_at = $5
         WHERE id = $1 AND state = 'pending'",
        params![id, state.name(), provider_refund, failure, at],
    )?;
    Ok(settled == 1)
}

/// Notes that a refund is on its way, and when to look again.
pub(crate) fn on_its_way(
    tx: &mut Tx<'_>,
    id: RefundId,
    provider_refund: &str,
    due: Timestamp,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE refunds SET provider_refund = $2, due_at = $3, updated_at = $4
         WHERE id = $1 AND state = 'pending'",
        params![id, provider_refund, due, at],
    )?;
    Ok(())
}

/// Makes the refunds of an order that are on their way due now.
pub(crate) fn hurry(tx: &mut Tx<'_>, order: OrderId, at: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE refunds SET due_at = $2 WHERE order_id = $1 AND state = 'pending' AND due_at > $2",
        params![order, at],
    )?;
    Ok(())
}

/// Refunds that are due for the sweep with their orders, the longest due first; each is not due again before `next`,
/// and later every time.
pub(crate) fn claim_due(
    tx: &mut Tx<'_>,
    now: Timestamp,
    patience: i64,
    limit: u32,
) -> Result<Vec<(RefundId, OrderId)>, DatabaseError> {
    tx.query(
        "UPDATE refunds SET tries = tries + 1,
             due_at = CAST($1 AS BIGINT) + CAST($2 AS BIGINT) * (CASE WHEN tries < 60 THEN tries + 1 ELSE 60 END)
         WHERE id IN (SELECT id FROM refunds WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3) AND due_at <= $1
         RETURNING id, order_id",
        params![now, patience, limit],
        |row| Ok((row.read()?, row.read()?)),
    )
}

/// A page of an order's refunds by time.
pub(crate) fn list(
    connection: &mut Connection<'_>,
    (order, currency): (OrderId, Currency),
    direction: SortOrder,
    page: &PageRequest,
) -> Result<Page<Refunding>, DatabaseError> {
    let total = if page.wants_total() {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE order_id = $1 LIMIT {DEEPEST_ENTRY}) AS counted"
        );
        Some(connection.find(&sql, params![order], |row| row.read())?.unwrap_or(0))
    } else {
        None
    };
    let (name, compared) = match direction {
        SortOrder::Asc => ("ASC", ">"),
        SortOrder::Desc => ("DESC", "<"),
    };
    let limit = page.limit + 1;
    let read = |row: &Row<'_>| from_row(row, currency);
    let refunds = if let Some(cursor) = page.after() {
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE order_id = $1 AND id {compared} $2 ORDER BY id {name} LIMIT $3"
        );
        connection.query(&sql, params![order, cursor.id, limit], read)?
    } else {
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE order_id = $1 ORDER BY id {name} LIMIT $2 OFFSET $3"
        );
        connection.query(&sql, params![order, limit, page.offset()], read)?
    };
    Ok(Page::from_rows(refunds, page.limit, total, |last| Cursor {
        order: cursor_order(direction).into(),
        value: CursorValue::Number(last.created_at.as_micros()),
        id: last.id.uuid(),
    }))
}

/// The name of the ordering inside cursors.
pub(crate) const fn cursor_order(direction: SortOrder) -> &'static str {
    match direction {
        SortOrder::Asc => "refund:asc",
        SortOrder::Desc => "refund:desc",
    }
}
