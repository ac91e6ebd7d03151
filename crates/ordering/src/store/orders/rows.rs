//! From rows to orders and back, and the conditions of a list.

use std::collections::HashMap;

use stoa_contracts::{
    catalog::{Part, Ware},
    ordering::OrderId,
};
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::database::{Connection, DatabaseError, Row, Tx, Value, in_list, placeholders};
use uuid::Uuid;

use super::{Scope, Wanted};
use crate::{
    address::Address,
    order::{HistoryEntry, Order, OrderItem},
    status::{OrderStatus, PaymentStatus},
    store::{
        offers::{list_from_json, offers_from_json},
        wares::{WARE, read_ware, ware_values},
    },
    totals::Totals,
};

pub(super) const COLUMNS: &str =
    "id, number, user_id, version, status, payment_status, payment_method, currency,
     subtotal, discount, tax, shipping, total, shipping_address, billing_address, tracking_number, carrier,
     estimated_delivery, notes, created_at, updated_at, offers";

/// An order without its lines and history.
pub(super) fn from_row(row: &Row<'_>) -> Result<Order, DatabaseError> {
    let (id, number, buyer, version) = (row.read()?, row.read()?, row.read()?, row.read()?);
    let (status, payment_status) = (row.parse(OrderStatus::parse)?, row.parse(PaymentStatus::parse)?);
    let payment_method = row.read()?;
    let currency = row.parse(Currency::parse)?;
    let money = || Ok::<_, DatabaseError>(Money::from_minor(row.read()?, currency));
    let mut order = Order {
        id,
        number,
        buyer,
        version,
        status,
        payment_status,
        payment_method,
        items: Vec::new(),
        offers: Vec::new(),
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
    };
    order.offers = offers_from_json(row.read::<Option<String>>()?.as_deref(), currency)?;
    Ok(order)
}

pub(super) fn to_json(address: &Address) -> Result<String, DatabaseError> {
    serde_json::to_string(address)
        .map_err(|error| DatabaseError::Defect(format!("an address cannot be written: {error}")))
}

fn from_json(text: &str) -> Result<Address, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::Decode(format!("an address: {error}")))
}

/// Writes the lines, several to a statement, in few lengths so that few statements are prepared. Lines of plain products,
/// as most are, leave out the columns that are for others.
pub(super) fn insert_items(tx: &mut Tx<'_>, order: &Order) -> Result<(), DatabaseError> {
    const TO_A_STATEMENT: usize = 8;
    let mut line = 0_i64;
    for items in order.items.chunks(TO_A_STATEMENT) {
        let plain = items.iter().all(|item| matches!(item.ware, Ware::Product(_)));
        let mut rows = Vec::with_capacity(items.len());
        for item in items {
            rows.push(if plain { plain_row(order.id, line, item) } else { whole_row(order.id, line, item)? });
            line += 1;
        }
        let columns = if plain { PLAIN_LINE } else { WHOLE_LINE };
        insert_rows(tx, columns, rows)?;
    }
    Ok(())
}

const PLAIN_LINE: &str = "order_id, line, product_id, name, quantity, price";
const WHOLE_LINE: &str = "order_id, line, product_id, variant_id, package_id, name, quantity, price, parts";

fn plain_row(order: OrderId, line: i64, item: &OrderItem) -> Vec<Value<'_>> {
    let [product, ..] = ware_values(item.ware);
    vec![order.into(), line.into(), product, (&item.name).into(), item.quantity.into(), item.price.into()]
}

fn whole_row(order: OrderId, line: i64, item: &OrderItem) -> Result<Vec<Value<'_>>, DatabaseError> {
    let [product, variant, package] = ware_values(item.ware);
    let parts = match item.ware {
        Ware::Package(_) => Some(parts_to_json(&item.parts)?),
        _ => None,
    };
    Ok(vec![
        order.into(),
        line.into(),
        product,
        variant,
        package,
        (&item.name).into(),
        item.quantity.into(),
        item.price.into(),
        parts.into(),
    ])
}

fn insert_rows(tx: &mut Tx<'_>, columns: &str, rows: Vec<Vec<Value<'_>>>) -> Result<(), DatabaseError> {
    let mut sql = format!("INSERT INTO order_items ({columns}) VALUES ");
    let mut values = Vec::with_capacity(rows.iter().map(Vec::len).sum());
    for row in rows {
        if !values.is_empty() {
            sql += ", ";
        }
        sql.extend(["(", &placeholders(values.len() + 1, row.len()), ")"]);
        values.extend(row);
    }
    tx.execute(&sql, &values)?;
    Ok(())
}

/// Also an empty list is kept, for a package is never without parts and one that says it is can be seen.
fn parts_to_json(parts: &[Part]) -> Result<String, DatabaseError> {
    serde_json::to_string(parts)
        .map_err(|error| DatabaseError::Defect(format!("parts cannot be written: {error}")))
}

/// Gives orders their lines and history, in one query each.
pub(super) fn fill(connection: &mut Connection<'_>, orders: &mut [Order]) -> Result<(), DatabaseError> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut values = Vec::new();
    let names = in_list(&mut values, orders.iter().map(|order| Value::from(order.id)));
    let currencies: HashMap<Uuid, Currency> =
        orders.iter().map(|order| (order.id.uuid(), order.totals.total.currency())).collect();
    let sql = format!(
        "SELECT order_id, {WARE}, name, quantity, price, parts FROM order_items
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
            ware: read_ware(row)?,
            name: row.read()?,
            quantity: row.read()?,
            price: Money::from_minor(row.read()?, *currency),
            parts: list_from_json(row.read::<Option<String>>()?.as_deref())?,
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
