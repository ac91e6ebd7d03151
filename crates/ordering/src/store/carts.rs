//! Carts and their lines.
//!
//! Whoever changes a cart touches its row first, so changes of one cart wait for each other and bounds on the whole
//! cart can be judged after the change.

use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Tx, Value},
    params,
};

use crate::cart::{CartId, CartItemId, KeptLine};

const LINE: &str = "id, product_id, name, quantity, price";

fn line(row: &Row<'_>, currency: Currency) -> Result<KeptLine, DatabaseError> {
    Ok(KeptLine {
        id: row.read()?,
        product: row.read()?,
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

/// When the cart was last changed, if ever.
pub(crate) fn updated_at(
    connection: &mut Connection<'_>,
    cart: CartId,
) -> Result<Option<Timestamp>, DatabaseError> {
    connection.find("SELECT updated_at FROM carts WHERE id = $1", params![cart], |row| row.read())
}

/// The lines of a cart in the order they were added.
pub(crate) fn lines(
    connection: &mut Connection<'_>,
    cart: CartId,
    currency: Currency,
) -> Result<Vec<KeptLine>, DatabaseError> {
    let sql = format!("SELECT {LINE} FROM cart_items WHERE cart_id = $1 ORDER BY line");
    connection.query(&sql, params![cart], |row| line(row, currency))
}

/// Takes every line out of a cart, in the order they were added. Of two who try at once one gets them.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    cart: CartId,
    currency: Currency,
    at: Timestamp,
) -> Result<Vec<KeptLine>, DatabaseError> {
    tx.execute("UPDATE carts SET updated_at = $2 WHERE id = $1", params![cart, at])?;
    let sql = format!("DELETE FROM cart_items WHERE cart_id = $1 RETURNING line, {LINE}");
    let mut lines = tx.query(&sql, params![cart], |row| Ok((row.read::<i64>()?, line(row, currency)?)))?;
    lines.sort_unstable_by_key(|(place, _)| *place);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// Adds a line; a product that is there already gets more pieces and keeps the price it was shown at.
pub(crate) fn add(tx: &mut Tx<'_>, cart: CartId, line: &KeptLine) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO cart_items (id, cart_id, line, product_id, name, quantity, price)
         VALUES ($1, $2, (SELECT COALESCE(MAX(line), 0) + 1 FROM cart_items WHERE cart_id = $2), $3, $4, $5, $6)
         ON CONFLICT (cart_id, product_id)
         DO UPDATE SET quantity = cart_items.quantity + excluded.quantity",
        params![line.id, cart, line.product, &line.name, line.quantity, line.price],
    )?;
    Ok(())
}

/// Puts lines back into a cart; a product that was added meanwhile stays as it was added.
pub(crate) fn put_back(tx: &mut Tx<'_>, cart: CartId, lines: &[KeptLine]) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO cart_items (id, cart_id, line, product_id, name, quantity, price)
         VALUES ($1, $2, (SELECT COALESCE(MAX(line), 0) + 1 FROM cart_items WHERE cart_id = $2), $3, $4, $5, $6)
         ON CONFLICT (cart_id, product_id) DO NOTHING";
    for line in lines {
        let values: [Value<'_>; 6] = [
            line.id.into(),
            cart.into(),
            line.product.into(),
            (&line.name).into(),
            line.quantity.into(),
            line.price.into(),
        ];
        tx.execute(SQL, &values)?;
    }
    Ok(())
}

/// Sets a line's pieces; the product it holds, or `None` when there is no such line.
pub(crate) fn set_quantity(
    tx: &mut Tx<'_>,
    cart: CartId,
    item: CartItemId,
    quantity: i64,
) -> Result<Option<stoa_contracts::catalog::ProductId>, DatabaseError> {
    tx.find(
        "UPDATE cart_items SET quantity = $3 WHERE cart_id = $1 AND id = $2 RETURNING product_id",
        params![cart, item, quantity],
        |row| row.read(),
    )
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
pub(crate) fn remove(tx: &mut Tx<'_>, cart: CartId, item: CartItemId) -> Result<bool, DatabaseError> {
    let removed = tx.execute("DELETE FROM cart_items WHERE cart_id = $1 AND id = $2", params![cart, item])?;
    Ok(removed == 1)
}

/// Removes every line.
pub(crate) fn clear(tx: &mut Tx<'_>, cart: CartId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM cart_items WHERE cart_id = $1", params![cart])?;
    Ok(())
}
