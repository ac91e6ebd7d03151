//! Carts and their lines.
//!
//! Whoever changes a cart touches its row first, so changes of one cart wait for each other and bounds on the whole
//! cart can be judged after the change.

use stoa_contracts::catalog::{AppliedOffer, Ware};
use stoa_kernel::{Currency, Money, Timestamp, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx},
    params,
};

use super::{
    offers::{list_from_json, list_to_json, offers_from_json, offers_to_json},
    wares::{WARE, WARE_KEY, read_ware, ware_values},
};
use crate::cart::{CartHead, CartId, CartItemId, KeptLine};

fn line(row: &Row<'_>, currency: Currency) -> Result<KeptLine, DatabaseError> {
    Ok(KeptLine {
        id: row.read()?,
        ware: read_ware(row)?,
        name: row.read()?,
        quantity: row.read()?,
        price: Money::from_minor(row.read()?, currency),
    })
}

/// Makes the cart's row or moves its time; others who change this cart wait from here on.
pub(crate) fn touch(tx: &mut Tx<'_>, cart: CartId, at: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO carts (id, updated_at) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at",
        params![cart, at],
    )?;
    Ok(())
}

/// A cart apart from its lines, if it was ever changed.
pub(crate) fn head(
    connection: &mut Connection<'_>,
    (cart, owner): (CartId, Option<UserId>),
    currency: Currency,
) -> Result<Option<CartHead>, DatabaseError> {
    let sql = "SELECT updated_at, codes, offers FROM carts WHERE id = $1";
    connection.find(sql, params![cart], |row| {
        let updated_at = row.read()?;
        let (codes, shown) = asked_for(row, currency)?;
        Ok(CartHead { id: cart, owner, updated_at, codes, shown })
    })
}

/// Reads the columns `codes` and `offers`.
fn asked_for(row: &Row<'_>, currency: Currency) -> Result<(Vec<String>, Vec<AppliedOffer>), DatabaseError> {
    let (codes, shown): (Option<String>, Option<String>) = (row.read()?, row.read()?);
    Ok((list_from_json(codes.as_deref())?, offers_from_json(shown.as_deref(), currency)?))
}

/// The lines of a cart in the order they were added.
pub(crate) fn lines(
    connection: &mut Connection<'_>,
    cart: CartId,
    currency: Currency,
) -> Result<Vec<KeptLine>, DatabaseError> {
    let sql =
        format!("SELECT id, {WARE}, name, quantity, price FROM cart_items WHERE cart_id = $1 ORDER BY line");
    connection.query(&sql, params![cart], |row| line(row, currency))
}

/// What lay in a cart.
pub(crate) struct Taken {
    pub(crate) lines: Vec<KeptLine>,
    pub(crate) codes: Vec<String>,
    pub(crate) shown: Vec<AppliedOffer>,
}

/// Takes everything out of a cart, its lines in the order they were added. Of two who try at once one gets them.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    cart: CartId,
    currency: Currency,
    at: Timestamp,
) -> Result<Taken, DatabaseError> {
    let head = tx.find(
        "UPDATE carts SET updated_at = $2 WHERE id = $1 RETURNING codes, offers",
        params![cart, at],
        |row| asked_for(row, currency),
    )?;
    let (codes, shown) = head.unwrap_or_default();
    if !codes.is_empty() || !shown.is_empty() {
        forget_offers(tx, cart)?;
    }
    let sql = format!(
        "DELETE FROM cart_items WHERE cart_id = $1 RETURNING line, id, {WARE}, name, quantity, price"
    );
    let mut lines = tx.query(&sql, params![cart], |row| Ok((row.read::<i64>()?, line(row, currency)?)))?;
    lines.sort_unstable_by_key(|(place, _)| *place);
    Ok(Taken { lines: lines.into_iter().map(|(_, line)| line).collect(), codes, shown })
}

/// What becomes of a line whose ware is in the cart already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doubled {
    /// Its pieces are added to those there, at the price that was shown of those.
    Added,
    /// It is left out.
    LeftOut,
}

/// Puts a line into a cart, behind the others.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    cart: CartId,
    line: &KeptLine,
    doubled: Doubled,
) -> Result<(), DatabaseError> {
    let double = match doubled {
        Doubled::Added => "DO UPDATE SET quantity = cart_items.quantity + excluded.quantity",
        Doubled::LeftOut => "DO NOTHING",
    };
    let sql = format!(
        "INSERT INTO cart_items (id, cart_id, line, {WARE}, name, quantity, price)
         VALUES ($1, $2, (SELECT COALESCE(MAX(line), 0) + 1 FROM cart_items WHERE cart_id = $2),
                 $3, $4, $5, $6, $7, $8)
         ON CONFLICT (cart_id, {WARE_KEY}) {double}"
    );
    let [product, variant, package] = ware_values(line.ware);
    let values = [
        line.id.into(),
        cart.into(),
        product,
        variant,
        package,
        (&line.name).into(),
        line.quantity.into(),
        line.price.into(),
    ];
    tx.execute(&sql, &values)?;
    Ok(())
}

/// Sets a line's pieces; the ware it is of, or `None` when there is no such line.
pub(crate) fn set_quantity(
    tx: &mut Tx<'_>,
    cart: CartId,
    item: CartItemId,
    quantity: i64,
) -> Result<Option<Ware>, DatabaseError> {
    let sql = format!("UPDATE cart_items SET quantity = $3 WHERE cart_id = $1 AND id = $2 RETURNING {WARE}");
    tx.find(&sql, params![cart, item, quantity], read_ware)
}

/// Sets the price a line is shown at.
pub(crate) fn reprice(
    tx: &mut Tx<'_>,
    cart: CartId,
    item: CartItemId,
    price: Money,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE cart_items SET price = $3 WHERE cart_id = $1 AND id = $2",
        params![cart, item, price],
    )?;
    Ok(())
}

/// Removes a line; false when there is none.
pub(crate) fn remove_line(tx: &mut Tx<'_>, cart: CartId, item: CartItemId) -> Result<bool, DatabaseError> {
    let removed = tx.execute("DELETE FROM cart_items WHERE cart_id = $1 AND id = $2", params![cart, item])?;
    Ok(removed == 1)
}

/// Removes every line and every code.
pub(crate) fn clear(tx: &mut Tx<'_>, cart: CartId) -> Result<(), DatabaseError> {
    forget_offers(tx, cart)?;
    tx.execute("DELETE FROM cart_items WHERE cart_id = $1", params![cart])?;
    Ok(())
}

/// Removes carts, whatever lies in them.
pub(crate) fn remove(tx: &mut Tx<'_>, carts: &[CartId]) -> Result<(), DatabaseError> {
    for cart in carts {
        tx.execute("DELETE FROM cart_items WHERE cart_id = $1", params![*cart])?;
        tx.execute("DELETE FROM carts WHERE id = $1", params![*cart])?;
    }
    Ok(())
}

fn forget_offers(tx: &mut Tx<'_>, cart: CartId) -> Result<(), DatabaseError> {
    tx.execute("UPDATE carts SET codes = NULL, offers = NULL WHERE id = $1", params![cart])?;
    Ok(())
}

/// Sets the codes of a cart.
pub(crate) fn set_codes(tx: &mut Tx<'_>, cart: CartId, codes: &[String]) -> Result<(), DatabaseError> {
    tx.execute("UPDATE carts SET codes = $2 WHERE id = $1", params![cart, list_to_json(codes)?])?;
    Ok(())
}

/// Sets the offers a cart is shown with.
pub(crate) fn set_shown(tx: &mut Tx<'_>, cart: CartId, offers: &[AppliedOffer]) -> Result<(), DatabaseError> {
    tx.execute("UPDATE carts SET offers = $2 WHERE id = $1", params![cart, offers_to_json(offers)?])?;
    Ok(())
}
