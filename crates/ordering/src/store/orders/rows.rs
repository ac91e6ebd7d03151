//! From rows to orders and back, and the conditions of a list.

use std::collections::HashMap;

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::database::{Connection, DatabaseError, Row, Tx, Value};
use uuid::Uuid;

use super::{Scope, Wanted, in_list};
use crate::{
    address::Address,
    order::{HistoryEntry, Order, OrderItem},
    status::{OrderStatus, PaymentStatus},
    totals::Totals,
};

pub(super) const COLUMNS: &str =
    "id, number, user_id, version, status, payment_status, payment_method, currency,
     subtotal, discount, tax, shipping, total, shipping_address, billing_address, tracking_number, carrier,
     estimated_delivery, notes, created_at, updated_at";

/// An order without its lines and history.
pub(super) fn from_row(row: &Row<'_>) -> Result<Order, DatabaseError> {
    let (id, number, buyer, version) = (row.read()?, row.read()?, row.read()?, row.read()?);
    let (status, payment_status) = (row.parse(OrderStatus::parse)?, row.parse(PaymentStatus::parse)?);
    let payment_method = row.read()?;
    let currency = row.parse(Currency::parse)?;
    let money = || Ok::<_, DatabaseError>(Money::from_minor(row.read()?, currency));
    Ok(Order {
        id,
        number,
        buyer,
        version,
        status,
        payment_status,
        payment_method,
        items: Vec::new(),
        totals: Totals {
            subtotal: money()?,
            discount: money()?,
            tax: money()?,
            shipping: money()?,
            total: money()?,
        },
        shipping_address: row.parse(|text| serde_json::from_str(text).ok())?,
        billing_address: row.read::<Option<String>>()?.map(|text| from_json(&text)).transpose()?,
        tracking_number: row.read()?,
        carrier: row.read()?,
        estimated_delivery: row.read()?,
        notes: row.read()?,
        history: Vec::new(),
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

pub(super) fn to_json(address: &Address) -> Result<String, DatabaseError> {
    serde_json::to_string(address)
        .map_err(|error| DatabaseError::Defect(format!("an address cannot be written: {error}")))
}

fn from_json(text: &str) -> Result<Address, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::Decode(format!("an address: {error}")))
}

/// Writes the lines, several to a statement, in few lengths so that few statements are prepared.
pub(super) fn insert_items(tx: &mut Tx<'_>, order: &Order) -> Result<(), DatabaseError> {
    const TO_A_STATEMENT: usize = 8;
    let mut line = 0_i64;
    for items in order.items.chunks(TO_A_STATEMENT) {
        let mut values = Vec::with_capacity(items.len() * 6);
        let mut sql = String::from(
            "INSERT INTO order_items (order_id, line, product_id, name, quantity, price) VALUES ",
        );
        for item in items {
            if !values.is_empty() {
                sql += ", ";
            }
            let first = values.len() + 1;
            sql.extend(["(", &stoa_platform::database::placeholders(first, 6), ")"]);
            values.extend([
                Value::from(order.id),
                line.into(),
                item.product.into(),
                (&item.name).into(),
                item.quantity.into(),
                item.price.into(),
            ]);
            line += 1;
        }
        tx.execute(&sql, &values)?;
    }
    Ok(())
}

/// Gives orders their lines and history, in one query each.
pub(super) fn fill(connection: &mut Connection<'_>, orders: &mut [Order]) -> Result<(), DatabaseError> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
    let (names, values) = in_list(&ids);
    let currencies: HashMap<Uuid, Currency> =
        orders.iter().map(|order| (order.id.uuid(), order.totals.total.currency())).collect();
    let sql = format!(
        "SELECT order_id, product_id, name, quantity, price FROM order_items
         WHERE order_id IN ({names}) ORDER BY order_id, line"
    );
    let mut items: HashMap<Uuid, Vec<OrderItem>> = HashMap::new();
    for (order, item) in connection.query(&sql, &values, |row| item(row, &currencies))? {
        items.entry(order).or_default().push(item);
    }
    let sql = format!(
        "SELECT order_id, version, status, at, actor, details FROM order_history
         WHERE order_id IN ({names}) ORDER BY order_id, version"
    );
    let mut history: HashMap<Uuid, Vec<HistoryEntry>> = HashMap::new();
    for (order, entry) in connection.query(&sql, &values, entry)? {
        history.entry(order).or_default().push(entry);
    }
    for order in orders {
        order.items = items.remove(&order.id.uuid()).unwrap_or_default();
        order.history = history.remove(&order.id.uuid()).unwrap_or_default();
    }
    Ok(())
}

fn item(row: &Row<'_>, currencies: &HashMap<Uuid, Currency>) -> Result<(Uuid, OrderItem), DatabaseError> {
    let order: Uuid = row.read()?;
    let currency = currencies
        .get(&order)
        .ok_or_else(|| DatabaseError::Decode("a line of an order that was not asked for".into()))?;
    Ok((
        order,
        OrderItem {
            product: row.read()?,
            name: row.read()?,
            quantity: row.read()?,
            price: Money::from_minor(row.read()?, *currency),
        },
    ))
}

fn entry(row: &Row<'_>) -> Result<(Uuid, HistoryEntry), DatabaseError> {
    Ok((
        row.read()?,
        HistoryEntry {
            version: row.read()?,
            status: row.parse(OrderStatus::parse)?,
            at: row.read()?,
            by: row.read()?,
            details: row.read()?,
        },
    ))
}

/// The conditions of a list and what is bound to them.
pub(super) struct Rows {
    conditions: Vec<String>,
    pub(super) values: Vec<Value<'static>>,
}

impl Rows {
    pub(super) fn wanted(wanted: &Wanted) -> Self {
        let mut rows = Self { conditions: Vec::new(), values: Vec::new() };
        if let Scope::Of(buyer) = wanted.scope {
            rows.add("user_id = ", buyer);
        }
        if let Some(status) = wanted.status {
            rows.add("status = ", status.name());
        }
        if let Some(status) = wanted.payment_status {
            rows.add("payment_status = ", status.name());
        }
        // Ids begin with their millisecond, so a span of time is a span of ids, and both ends count.
        if let Some(from) = wanted.from {
            rows.add("id >= ", first_id_of(millis_from(from)));
        }
        if let Some(to) = wanted.to {
            rows.add("id < ", first_id_of(to.as_millis().saturating_add(1)));
        }
        rows
    }

    pub(super) fn add(&mut self, comparison: &str, value: impl Into<Value<'static>>) {
        self.values.push(value.into());
        self.conditions.push(format!("{comparison}${}", self.values.len()));
    }

    pub(super) fn condition(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        }
    }
}

/// The first whole millisecond that is not before `from`.
fn millis_from(from: Timestamp) -> i64 {
    let millis = from.as_millis();
    if Timestamp::from_micros(millis.saturating_mul(1_000)) < from { millis + 1 } else { millis }
}

/// The smallest id of a millisecond.
fn first_id_of(millis: i64) -> Uuid {
    const MOST: i64 = (1 << 48) - 1;
    let millis = u128::try_from(millis.clamp(0, MOST)).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Id, Random};

    use super::*;

    #[test]
    fn a_span_of_time_is_a_span_of_ids() {
        let random = Random::system();
        let at = |millis: i64| Timestamp::from_micros(millis * 1_000);
        let id = |millis| Id::<()>::new(at(millis), &random).uuid();
        assert!(first_id_of(1_000) <= id(1_000) && id(999) < first_id_of(1_000));
        assert!(id(1_000) < first_id_of(1_001));
        assert_eq!(millis_from(at(1_000)), 1_000);
        assert_eq!(millis_from(Timestamp::from_micros(1_000_001)), 1_001);
        assert_eq!(first_id_of(-5), Uuid::nil());
        assert!(first_id_of(i64::MAX) > id(1_000_000_000_000));
    }
}
