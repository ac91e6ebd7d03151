//! Looking at a cart and changing it.

use stoa_contracts::catalog::{ProductId, Sellable};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    Ordering,
    cart::{Cart, CartItemId, KeptLine, cart_of},
    error::OrderError,
    store::carts,
};

impl Ordering {
    /// The cart as it stands, beside what the catalogue says now.
    pub(crate) fn cart(&self, connection: &mut Connection<'_>, owner: UserId) -> Result<Cart, OrderError> {
        let cart = cart_of(owner);
        let kept = carts::lines(connection, cart, self.settings.currency)?;
        // A cart that was never touched is as old as its owner, whose id says when that was.
        let updated_at = carts::updated_at(connection, cart)?.unwrap_or_else(|| beginning_of(owner));
        let offers = self.offers(connection, &kept)?;
        Cart::assemble(owner, updated_at, kept, offers, &self.settings)
    }

    /// What the catalogue says of the products of these lines.
    pub(crate) fn offers(
        &self,
        connection: &mut Connection<'_>,
        lines: &[KeptLine],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<ProductId> = lines.iter().map(|line| line.product).collect();
        self.catalog.sellables(connection, &wanted)
    }

    /// Adds pieces of a product, at the price it has now.
    pub(crate) fn add_to_cart(
        &self,
        tx: &mut Tx<'_>,
        owner: UserId,
        product: ProductId,
        quantity: i64,
        occasion: &Occasion,
    ) -> Result<Cart, OrderError> {
        let offers = self.catalog.sellables(tx, &[product])?;
        let offer = offers.into_iter().find(|offer| offer.id == product && offer.active);
        let offer = offer.ok_or(OrderError::UnknownProduct(product))?;
        let line = KeptLine { id: occasion.id(), product, name: offer.name, quantity, price: offer.price };
        carts::touch(tx, cart_of(owner), occasion.at)?;
        carts::add(tx, cart_of(owner), &line)?;
        self.changed(tx, owner, product)
    }

    /// Sets how many pieces a line has; none removes it.
    pub(crate) fn set_quantity(
        &self,
        tx: &mut Tx<'_>,
        owner: UserId,
        item: CartItemId,
        quantity: i64,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        if quantity == 0 {
            return self.remove_from_cart(tx, owner, item, at);
        }
        carts::touch(tx, cart_of(owner), at)?;
        let product = carts::set_quantity(tx, cart_of(owner), item, quantity)?;
        self.changed(tx, owner, product.ok_or(OrderError::UnknownItem)?)
    }

    /// Removes a line.
    pub(crate) fn remove_from_cart(
        &self,
        tx: &mut Tx<'_>,
        owner: UserId,
        item: CartItemId,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        carts::touch(tx, cart_of(owner), at)?;
        if carts::remove(tx, cart_of(owner), item)? {
            self.cart(tx, owner)
        } else {
            Err(OrderError::UnknownItem)
        }
    }

    /// The changed cart, if its bounds hold and `product` is there in that quantity.
    fn changed(&self, tx: &mut Tx<'_>, owner: UserId, product: ProductId) -> Result<Cart, OrderError> {
        let cart = self.cart(tx, owner)?;
        cart.check_bounds()?;
        cart.check_stock_of(product)?;
        Ok(cart)
    }
}

/// When an id of version 7 was made.
fn beginning_of(owner: UserId) -> Timestamp {
    let millis = i64::try_from(owner.uuid().as_u128() >> 80).unwrap_or(0);
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Random;

    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        let at = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(beginning_of(UserId::new(at, &Random::system())), at);
    }
}
