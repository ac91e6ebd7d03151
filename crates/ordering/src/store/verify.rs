//! What contradicts itself in the tables of orders and payments: each query answers the rows that should not be.

use std::collections::HashMap;

use stoa_contracts::{
    catalog::{OfferId, Part, ProductId, VariantId},
    ordering::OrderId,
};
use stoa_kernel::{Currency, Id, Money, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row},
    params,
    verify::ASKED_FOR,
};

use super::offers::{list_from_json, offers_from_json};

type Told = Result<Vec<String>, DatabaseError>;

/// Runs a query that takes the number of rows to answer, and says `what` of the order in the first column.
fn orders_that(
    connection: &mut Connection<'_>,
    sql: &str,
    say: impl Fn(OrderId, &Row<'_>) -> Result<String, DatabaseError>,
) -> Told {
    connection.query(sql, params![ASKED_FOR], |row| {
        let order = row.read()?;
        say(order, row)
    })
}

/// Orders whose lines do not add up to their subtotal.
pub(crate) fn lines_add_up(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT o.id, o.subtotal, CAST(COALESCE(i.sum, 0) AS BIGINT), COALESCE(i.lines, 0) FROM orders AS o
         LEFT JOIN (SELECT order_id, SUM(price * quantity) AS sum, COUNT(*) AS lines FROM order_items GROUP BY order_id) AS i
         ON i.order_id = o.id WHERE i.lines IS NULL OR o.subtotal <> i.sum ORDER BY o.id LIMIT $1",
        |id, row| {
            let (subtotal, sum, lines): (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("order {id} says {subtotal}, its {lines} lines add up to {sum}"))
        },
    )
}

/// Orders whose total is not what their sums make.
pub(crate) fn totals_add_up(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT id, total, subtotal - discount + tax + shipping FROM orders
         WHERE total <> subtotal - discount + tax + shipping OR discount < 0 OR discount > subtotal OR tax < 0 OR shipping < 0
         ORDER BY id LIMIT $1",
        |id, row| {
            let (total, sum): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!("order {id} has a total of {total}, its sums make {sum}"))
        },
    )
}

/// Orders whose history does not end in the status they have.
pub(crate) fn history_ends_here(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT o.id, o.status, COALESCE(h.status, 'nothing'), o.version, COALESCE(h.version, 0) FROM orders AS o
         LEFT JOIN order_history AS h ON h.order_id = o.id
         AND h.version = (SELECT MAX(version) FROM order_history WHERE order_id = o.id)
         WHERE h.status IS NULL OR h.status <> o.status OR h.version > o.version ORDER BY o.id LIMIT $1",
        |id, row| {
            let (status, last): (String, String) = (row.read()?, row.read()?);
            let (version, at): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!("order {id} is {status} at version {version}, its history ends in {last} at version {at}"))
        },
    )
}

/// Orders without a payment, or with one of another amount.
pub(crate) fn payments_match(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT o.id, o.total, p.amount FROM orders AS o LEFT JOIN payments AS p ON p.order_id = o.id
         WHERE p.amount IS NULL OR p.amount <> o.total ORDER BY o.id LIMIT $1",
        |id, row| {
            let (total, amount): (i64, Option<i64>) = (row.read()?, row.read()?);
            let payment =
                amount.map_or_else(|| "no payment".to_owned(), |amount| format!("a payment of {amount}"));
            Ok(format!("order {id} has a total of {total} and {payment}"))
        },
    )
}

/// Lines, history, payments and refunds of orders that are not there.
pub(crate) fn nobodys_rows(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = Vec::new();
    for (table, what) in [
        ("order_items", "a line"),
        ("order_history", "a history"),
        ("payments", "a payment"),
        ("refunds", "a refund"),
    ] {
        let sql = format!(
            "SELECT DISTINCT r.order_id FROM {table} AS r LEFT JOIN orders AS o ON o.id = r.order_id WHERE o.id IS NULL LIMIT $1"
        );
        told.extend(orders_that(connection, &sql, |id, _| {
            Ok(format!("there is {what} of order {id}, which is not there"))
        })?);
    }
    Ok(told)
}

/// Payments of which another sum was taken than they are of.
pub(crate) fn captures_match(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT order_id, state, amount, captured FROM payments
         WHERE CASE state WHEN 'captured' THEN captured <> amount WHEN 'mismatch' THEN TRUE ELSE captured <> 0 END
         ORDER BY order_id LIMIT $1",
        |id, row| {
            let (state, amount, captured): (String, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("the payment of order {id} is {state}: {captured} of {amount} was taken"))
        },
    )
}

/// Payments whose refunds do not add up to what they say was given back, or to more than was taken.
pub(crate) fn refunds_add_up(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT p.order_id, p.captured, p.returned, CAST(COALESCE(r.sum, 0) AS BIGINT) FROM payments AS p
         LEFT JOIN (SELECT order_id, SUM(amount) AS sum FROM refunds WHERE state <> 'failed' GROUP BY order_id) AS r
         ON r.order_id = p.order_id WHERE p.returned <> COALESCE(r.sum, 0) OR p.returned > p.captured OR p.returned < 0
         ORDER BY p.order_id LIMIT $1",
        |id, row| {
            let (captured, returned, sum): (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
            Ok(format!("of order {id} {captured} was taken and {returned} given back; its refunds add up to {sum}"))
        },
    )
}

/// Orders whose payment status is not what their payment and refunds say.
pub(crate) fn statuses_match(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT id, payment_status, expected FROM (
             SELECT o.id, o.payment_status, CASE
                 WHEN p.state IN ('declined', 'void') THEN 'failed'
                 WHEN p.state NOT IN ('captured', 'mismatch') THEN 'pending'
                 WHEN COALESCE(r.back, 0) = 0 THEN 'captured'
                 WHEN r.back < p.captured THEN 'partially_refunded'
                 ELSE 'refunded' END AS expected
             FROM orders AS o JOIN payments AS p ON p.order_id = o.id
             LEFT JOIN (SELECT order_id, SUM(amount) AS back FROM refunds WHERE state = 'succeeded' GROUP BY order_id) AS r
             ON r.order_id = o.id
         ) AS judged WHERE payment_status <> expected ORDER BY id LIMIT $1",
        |id, row| {
            let (status, expected): (String, String) = (row.read()?, row.read()?);
            Ok(format!("the payment of order {id} is said to be {status}, by what was taken and given back it is {expected}"))
        },
    )
}

/// Orders that are past paying though their payment failed, and orders that ended while the shop keeps money. One that
/// was confirmed by hand waits for its money elsewhere, and a refund that failed for good is for a person to look at.
pub(crate) fn money_is_where_it_belongs(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    orders_that(
        connection,
        "SELECT o.id, o.status, p.state, p.captured, p.returned FROM orders AS o JOIN payments AS p ON p.order_id = o.id
         WHERE (o.status IN ('confirmed', 'processing', 'shipped', 'delivered')
             AND p.state IN ('charging', 'declined', 'voiding', 'void'))
         OR (o.status IN ('cancelled', 'refunded') AND p.returned <> p.captured
             AND NOT EXISTS (SELECT 1 FROM refunds AS r WHERE r.order_id = o.id AND r.state = 'failed'))
         ORDER BY o.id LIMIT $1",
        |id, row| {
            let (status, state): (String, String) = (row.read()?, row.read()?);
            let (captured, returned): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!(
                "order {id} is {status} and its payment {state}, with {captured} taken and {returned} given back"
            ))
        },
    )
}

/// Payments and refunds under way that nobody will look after.
pub(crate) fn nothing_is_forgotten(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = orders_that(
        connection,
        "SELECT p.order_id, p.state FROM payments AS p JOIN orders AS o ON o.id = p.order_id
         WHERE p.due_at IS NULL
         AND (p.state IN ('charging', 'voiding') OR (p.state IN ('waiting', 'action') AND o.status = 'pending'))
         ORDER BY p.order_id LIMIT $1",
        |id, row| Ok(format!("the payment of order {id} is {} and never due", row.read::<String>()?)),
    )?;
    told.extend(orders_that(
        connection,
        "SELECT order_id, id FROM refunds WHERE state = 'pending' AND due_at IS NULL ORDER BY id LIMIT $1",
        |id, row| {
            Ok(format!("the refund {} of order {id} is under way and never due", row.read::<Id<()>>()?))
        },
    )?);
    Ok(told)
}

/// Order numbers that will be given twice.
pub(crate) fn numbers_are_new(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    if connection.engine() == Engine::Sqlite {
        // There the next number is made of the newest row.
        return Ok(Vec::new());
    }
    let used = connection.find(
        "SELECT next.last_value, orders.newest
         FROM (SELECT last_value FROM orders_number_seq) AS next, (SELECT MAX(number) AS newest FROM orders) AS orders
         WHERE orders.newest > next.last_value",
        &[],
        |row| {
            let (next, newest): (i64, i64) = (row.read()?, row.read()?);
            Ok(format!("the sequence is at {next}, the newest order has {newest}"))
        },
    )?;
    Ok(used.into_iter().collect())
}

/// Orders whose discount is not what their offers take off together.
pub(crate) fn discounts_add_up(connection: &mut Connection<'_>, _: Timestamp) -> Told {
    let mut told = orders_that(
        connection,
        "SELECT id, discount FROM orders WHERE offers IS NULL AND discount <> 0 ORDER BY id LIMIT $1",
        |id, row| Ok(format!("order {id} has a discount of {} and no offer", row.read::<i64>()?)),
    )?;
    let with_offers = connection.query(
        "SELECT id, discount, currency, offers FROM orders WHERE offers IS NOT NULL ORDER BY id",
        &[],
        |row| {
            let (id, discount): (OrderId, i64) = (row.read()?, row.read()?);
            let currency = row.parse(Currency::parse)?;
            let offers = offers_from_json(Some(&row.read::<String>()?), currency)?;
            let sum: i64 = offers.iter().map(|offer| offer.discount).map(Money::minor).sum();
            let wrong = sum != discount;
            Ok(wrong.then(|| format!("order {id} has a discount of {discount}, its offers take off {sum}")))
        },
    )?;
    told.extend(with_offers.into_iter().flatten());
    Ok(told)
}

/// The pieces of each shelf that orders hold: all that were taken for orders that were not cancelled.
pub fn held_pieces(
    connection: &mut Connection<'_>,
) -> Result<HashMap<(ProductId, Option<VariantId>), i64>, DatabaseError> {
    let plain = connection.query(
        "SELECT i.product_id, i.variant_id, CAST(SUM(i.quantity) AS BIGINT) FROM order_items AS i
         JOIN orders AS o ON o.id = i.order_id WHERE o.status <> 'cancelled' AND i.product_id IS NOT NULL
         GROUP BY i.product_id, i.variant_id",
        &[],
        |row| Ok(((row.read()?, row.read()?), row.read()?)),
    )?;
    let mut held: HashMap<(ProductId, Option<VariantId>), i64> = plain.into_iter().collect();
    let packed = connection.query(
        "SELECT i.parts FROM order_items AS i JOIN orders AS o ON o.id = i.order_id
         WHERE o.status <> 'cancelled' AND i.parts IS NOT NULL",
        &[],
        |row| list_from_json::<Part>(Some(&row.read::<String>()?)),
    )?;
    for part in packed.into_iter().flatten() {
        *held.entry((part.product, part.variant)).or_default() += part.pieces;
    }
    Ok(held)
}

/// How often orders used each offer, at least and at most: whether one that was cancelled gave its use back depends on
/// whether it was paid at that moment.
pub fn held_offers(
    connection: &mut Connection<'_>,
) -> Result<HashMap<OfferId, std::ops::RangeInclusive<i64>>, DatabaseError> {
    let orders = connection.query(
        "SELECT status = 'cancelled', payment_status IN ('pending', 'failed'), currency, offers FROM orders
         WHERE offers IS NOT NULL",
        &[],
        |row| {
            let (cancelled, unpaid): (bool, bool) = (row.read()?, row.read()?);
            let currency = row.parse(Currency::parse)?;
            Ok((cancelled, unpaid, offers_from_json(Some(&row.read::<String>()?), currency)?))
        },
    )?;
    let mut held = HashMap::new();
    for (cancelled, unpaid, offers) in orders {
        let (least, most) = (i64::from(!cancelled), i64::from(!cancelled || !unpaid));
        for offer in offers {
            let uses = held.entry(offer.id).or_insert(0..=0);
            *uses = uses.start() + least..=uses.end() + most;
        }
    }
    Ok(held)
}
