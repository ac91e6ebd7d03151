//! Everything that orders, stock, money, events and mails say of themselves, read once all is settled.

use std::collections::{BTreeMap, HashMap};

use stoa_drivers::testing::StripeServer;
use stoa_platform::{
    database::{Connection, Database, DatabaseError, Row},
    mail::SentMail,
};
use stoa_testing::Value;
use uuid::Uuid;

/// An order as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderRow {
    pub(crate) number: i64,
    pub(crate) status: String,
    pub(crate) payment_status: String,
    pub(crate) total: i64,
    pub(crate) items: Vec<(Uuid, i64)>,
    /// How often it was confirmed.
    pub(crate) confirmed: usize,
    /// Where we think its money is.
    pub(crate) payment: String,
    /// What we think was given back of it, in how many parts.
    pub(crate) returned: (i64, usize),
    /// Whether the sweep is still to look after it.
    pub(crate) due: bool,
}

/// A charge as the provider has it.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) order: Uuid,
    pub(crate) amount: i64,
    pub(crate) state: String,
    pub(crate) refunded: i64,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) pos: Option<i64>,
    pub(crate) kind: String,
    pub(crate) aggregate: String,
    pub(crate) version: i64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) orders: BTreeMap<Uuid, OrderRow>,
    pub(crate) stock: HashMap<Uuid, i64>,
    pub(crate) movements: HashMap<Uuid, i64>,
    pub(crate) charges: Vec<Charge>,
    /// What was given back, by order, by the provider's own list of refunds.
    pub(crate) refunds: HashMap<Uuid, i64>,
    pub(crate) events: Vec<Entry>,
    pub(crate) subjects: Vec<String>,
    /// Jobs that were given up or are not done, events that were parked or that nobody told, followers in trouble.
    pub(crate) leftovers: Vec<String>,
}

impl Books {
    /// Reads them; `ledger` is the provider's own, where that is not in the database.
    pub(crate) async fn read(database: &Database, mails: Vec<SentMail>, ledger: Option<Ledger>) -> Self {
        let read = database.read(|connection| {
            Ok(Self {
                orders: orders(connection)?,
                stock: all(connection, "SELECT id, stock FROM products")?,
                movements: all(
                    connection,
                    "SELECT product_id, CAST(SUM(change) AS BIGINT) FROM stock_movements GROUP BY product_id",
                )?,
                charges: charges(connection)?,
                refunds: refunds(connection)?,
                events: events(connection)?,
                subjects: Vec::new(),
                leftovers: leftovers(connection)?,
            })
        });
        let mut books: Self = read.await.unwrap_or_else(|error: DatabaseError| panic!("{error}"));
        if let Some(Ledger { charges, refunds }) = ledger {
            (books.charges, books.refunds) = (charges, refunds);
        }
        Self { subjects: mails.into_iter().map(|mail| mail.subject).collect(), ..books }
    }
}

/// What a provider holds, by its own list.
pub(crate) struct Ledger {
    charges: Vec<Charge>,
    refunds: HashMap<Uuid, i64>,
}

impl Ledger {
    /// As Stripe tells it.
    pub(crate) async fn of_stripe(stripe: &StripeServer) -> Self {
        let mut refunds = HashMap::new();
        let mut back: HashMap<String, i64> = HashMap::new();
        let intents = stripe.objects("payment_intent").await;
        let order_of_intent = |intent: &Value| order_of(intent["metadata"]["order"].as_str().unwrap());
        for refund in stripe.objects("refund").await {
            let amount = refund["amount"].as_i64().unwrap();
            let intent = intents.iter().find(|intent| intent["id"] == refund["payment_intent"]).unwrap();
            *refunds.entry(order_of_intent(intent)).or_default() += amount;
            *back.entry(intent["id"].as_str().unwrap().to_owned()).or_default() += amount;
        }
        let charges = intents.iter().map(|intent| Charge {
            order: order_of_intent(intent),
            amount: intent["amount"].as_i64().unwrap(),
            state: if intent["status"] == "succeeded" {
                "captured".into()
            } else {
                intent["status"].to_string()
            },
            refunded: back.get(intent["id"].as_str().unwrap()).copied().unwrap_or(0),
        });
        Self { charges: charges.collect(), refunds }
    }
}

fn all(connection: &mut Connection<'_>, sql: &str) -> Result<HashMap<Uuid, i64>, DatabaseError> {
    let rows = connection.query(sql, &[], |row| Ok((row.read()?, row.read()?)))?;
    Ok(rows.into_iter().collect())
}

fn orders(connection: &mut Connection<'_>) -> Result<BTreeMap<Uuid, OrderRow>, DatabaseError> {
    let rows = connection.query(
        "SELECT orders.id, number, status, payment_status, total, payments.state, payments.due_at IS NOT NULL OR EXISTS
             (SELECT 1 FROM refunds WHERE refunds.order_id = orders.id AND refunds.state = 'pending') FROM orders
         JOIN payments ON payments.order_id = orders.id",
        &[],
        |row| Ok((row.read()?, order(row)?)),
    )?;
    let mut orders: BTreeMap<Uuid, OrderRow> = rows.into_iter().collect();
    // An order without payment would be missed by the join.
    for id in connection.query("SELECT id FROM orders", &[], |row| row.read())? {
        orders.entry(id).or_default();
    }
    let sql = "SELECT order_id, product_id, quantity FROM order_items ORDER BY product_id";
    for (id, product, quantity) in
        connection.query(sql, &[], |row| Ok((row.read()?, row.read()?, row.read()?)))?
    {
        orders.entry(id).or_default().items.push((product, quantity));
    }
    let sql = "SELECT order_id, amount FROM refunds WHERE state = 'succeeded'";
    for (id, amount) in connection.query(sql, &[], |row| Ok((row.read()?, row.read::<i64>()?)))? {
        let returned = &mut orders.entry(id).or_default().returned;
        *returned = (returned.0 + amount, returned.1 + 1);
    }
    let sql = "SELECT order_id FROM order_history WHERE status = 'confirmed'";
    for id in connection.query(sql, &[], |row| row.read())? {
        orders.entry(id).or_default().confirmed += 1;
    }
    Ok(orders)
}

fn order(row: &Row<'_>) -> Result<OrderRow, DatabaseError> {
    Ok(OrderRow {
        number: row.read()?,
        status: row.read()?,
        payment_status: row.read()?,
        total: row.read()?,
        payment: row.read()?,
        due: row.read()?,
        items: Vec::new(),
        confirmed: 0,
        returned: (0, 0),
    })
}

/// The order in a key like `order:<id>:charge`, or in the name of an aggregate.
pub(crate) fn order_of(key: &str) -> Uuid {
    key.split(':').nth(1).and_then(|id| id.parse().ok()).unwrap_or_default()
}

fn charges(connection: &mut Connection<'_>) -> Result<Vec<Charge>, DatabaseError> {
    connection.query("SELECT key, amount, state, refunded FROM test_provider_charges", &[], |row| {
        let key: String = row.read()?;
        Ok(Charge { order: order_of(&key), amount: row.read()?, state: row.read()?, refunded: row.read()? })
    })
}

fn refunds(connection: &mut Connection<'_>) -> Result<HashMap<Uuid, i64>, DatabaseError> {
    let mut refunds = HashMap::new();
    let sql = "SELECT charge_key, amount FROM test_provider_refunds";
    for (key, amount) in connection.query(sql, &[], |row| Ok((row.read::<String>()?, row.read::<i64>()?)))? {
        *refunds.entry(order_of(&key)).or_default() += amount;
    }
    Ok(refunds)
}

fn events(connection: &mut Connection<'_>) -> Result<Vec<Entry>, DatabaseError> {
    connection.query("SELECT pos, type, aggregate, version FROM events ORDER BY pos", &[], |row| {
        Ok(Entry { pos: row.read()?, kind: row.read()?, aggregate: row.read()?, version: row.read()? })
    })
}

fn leftovers(connection: &mut Connection<'_>) -> Result<Vec<String>, DatabaseError> {
    let questions = [
        // A schedule may queue its next job between the settling and this look; that one is nobody's leftover.
        "SELECT 'job ' || kind || ' ' || payload || ': ' || COALESCE(last_error, 'not done') FROM jobs
         WHERE dead_at IS NOT NULL OR last_error IS NOT NULL OR kind IN ('notify-buyer', 'send-mail')",
        "SELECT 'parked by ' || follower || ': ' || reason FROM parked_events",
        "SELECT 'follower ' || name || ': ' || last_error FROM followers WHERE last_error IS NOT NULL",
        "SELECT 'not told: ' || type || ' of ' || aggregate FROM events
         WHERE type IN ('order.status_changed', 'payment.refunded')
             AND NOT EXISTS (SELECT 1 FROM notifications WHERE event_id = events.id)",
    ];
    let mut leftovers = Vec::new();
    for question in questions {
        leftovers.extend(connection.query(question, &[], |row| row.read::<String>())?);
    }
    Ok(leftovers)
}
