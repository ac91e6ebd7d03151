//! Orders with their lines and their history.

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{
    Cursor, CursorValue, Page, PageRequest, SortOrder, Timestamp, UserId, page::DEEPEST_ENTRY,
};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value},
    params,
};

use super::offers::offers_to_json;
use crate::{
    order::{HistoryEntry, Order},
    status::{OrderStatus, PaymentStatus},
};

mod rows;

use rows::{COLUMNS, Rows, fill, from_row, insert_items, to_json};

/// Whose orders are meant. No order is found without saying so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// One buyer's.
    Of(UserId),
    /// Everybody's.
    All,
}

/// Which orders of a list are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: Scope,
    pub(crate) status: Option<OrderStatus>,
    pub(crate) payment_status: Option<PaymentStatus>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) order: SortOrder,
}

impl Wanted {
    /// The name of the ordering inside cursors.
    pub(crate) fn order_name(&self) -> &'static str {
        match self.order {
            SortOrder::Asc => "order:asc",
            SortOrder::Desc => "order:desc",
        }
    }
}

/// Writes a new order down and gives it its number.
pub(crate) fn insert(tx: &mut Tx<'_>, order: &mut Order) -> Result<(), DatabaseError> {
    let billing = order.billing_address.as_ref().map(to_json).transpose()?;
    let number = tx.find(
        "INSERT INTO orders (id, user_id, version, status, payment_status, payment_method, currency, subtotal,
             discount, tax, shipping, total, shipping_address, billing_address, notes, created_at, updated_at,
             offers)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         RETURNING number",
        params![
            order.id,
            order.buyer,
            order.version,
            order.status.name(),
            order.payment_status.name(),
            &order.payment_method,
            order.totals.total.currency().code(),
            order.totals.subtotal,
            order.totals.discount,
            order.totals.tax,
            order.totals.shipping,
            order.totals.total,
            to_json(&order.shipping_address)?,
            billing,
            order.notes.as_deref(),
            order.created_at,
            order.updated_at,
            offers_to_json(&order.offers)?
        ],
        |row| row.read(),
    )?;
    order.number = number.ok_or_else(|| DatabaseError::Defect("an order got no number".into()))?;
    insert_items(tx, order)?;
    order.history.iter().try_for_each(|entry| add_history(tx, order.id, entry))
}

/// Writes a changed order down, if nobody changed it since `expected`; and its history, if the status is another.
/// False when somebody did: then nothing is written.
pub(crate) fn save(tx: &mut Tx<'_>, order: &Order, expected: i64) -> Result<bool, DatabaseError> {
    let saved = tx.execute(
        "UPDATE orders SET version = $3, status = $4, payment_status = $5, tracking_number = $6, carrier = $7,
             estimated_delivery = $8, updated_at = $9
         WHERE id = $1 AND version = $2",
        params![
            order.id,
            expected,
            order.version,
            order.status.name(),
            order.payment_status.name(),
            order.tracking_number.as_deref(),
            order.carrier.as_deref(),
            order.estimated_delivery,
            order.updated_at
        ],
    )?;
    if saved == 0 {
        return Ok(false);
    }
    let news = order.history.iter().filter(|entry| entry.version > expected);
    for entry in news {
        add_history(tx, order.id, entry)?;
    }
    Ok(true)
}

fn add_history(tx: &mut Tx<'_>, order: OrderId, entry: &HistoryEntry) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO order_history (order_id, version, status, at, actor, details)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![order, entry.version, entry.status.name(), entry.at, &entry.by, entry.details.as_deref()],
    )?;
    Ok(())
}

/// One order, if it is in scope.
pub(crate) fn find(
    connection: &mut Connection<'_>,
    scope: Scope,
    id: OrderId,
) -> Result<Option<Order>, DatabaseError> {
    found(connection, scope, id, "")
}

/// Where an order is, if it is in scope.
pub(crate) fn status(
    connection: &mut Connection<'_>,
    scope: Scope,
    id: OrderId,
) -> Result<Option<OrderStatus>, DatabaseError> {
    let read = |row: &Row<'_>| row.parse(OrderStatus::parse);
    match scope {
        Scope::All => connection.find("SELECT status FROM orders WHERE id = $1", params![id], read),
        Scope::Of(buyer) => {
            let sql = "SELECT status FROM orders WHERE id = $1 AND user_id = $2";
            connection.find(sql, params![id, buyer], read)
        }
    }
}

/// As [`find`], and nobody else changes the order until this transaction ends.
pub(crate) fn lock(tx: &mut Tx<'_>, scope: Scope, id: OrderId) -> Result<Option<Order>, DatabaseError> {
    let lock = match tx.engine() {
        // One writer at a time as it is.
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE",
    };
    found(tx, scope, id, lock)
}

fn found(
    connection: &mut Connection<'_>,
    scope: Scope,
    id: OrderId,
    lock: &str,
) -> Result<Option<Order>, DatabaseError> {
    let order = match scope {
        Scope::All => {
            let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = $1{lock}");
            connection.find(&sql, params![id], from_row)?
        }
        Scope::Of(buyer) => {
            let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = $1 AND user_id = $2{lock}");
            connection.find(&sql, params![id, buyer], from_row)?
        }
    };
    let mut orders: Vec<Order> = order.into_iter().collect();
    fill(connection, &mut orders)?;
    Ok(orders.pop())
}

/// A page of orders by time, each whole: three queries, however many orders.
pub(crate) fn list(
    connection: &mut Connection<'_>,
    wanted: &Wanted,
    page: &PageRequest,
) -> Result<Page<Order>, DatabaseError> {
    let mut rows = Rows::wanted(wanted);
    let total = if page.wants_total() { Some(count(connection, &rows)?) } else { None };
    if let Some(cursor) = page.after() {
        rows.add(if wanted.order == SortOrder::Asc { "id > " } else { "id < " }, cursor.id);
    }
    let direction = if wanted.order == SortOrder::Asc { "ASC" } else { "DESC" };
    let limit = rows.values.len() + 1;
    let sql = format!(
        "SELECT {COLUMNS} FROM orders{} ORDER BY id {direction} LIMIT ${limit} OFFSET ${}",
        rows.condition(),
        limit + 1
    );
    rows.values.extend([Value::from(page.limit + 1), Value::from(page.offset())]);
    let orders = connection.query(&sql, &rows.values, from_row)?;
    let mut page = Page::from_rows(orders, page.limit, total, |last| Cursor {
        order: wanted.order_name().into(),
        value: CursorValue::Number(last.created_at.as_micros()),
        id: last.id.uuid(),
    });
    fill(connection, &mut page.entries)?;
    Ok(page)
}

fn count(connection: &mut Connection<'_>, rows: &Rows) -> Result<u32, DatabaseError> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM orders{} LIMIT {DEEPEST_ENTRY}) AS counted",
        rows.condition()
    );
    Ok(connection.find(&sql, &rows.values, |row| row.read())?.unwrap_or(0))
}
