//! Looking at a cart and changing it.

use stoa_contracts::catalog::{BasketLine, Discounts, Sellable, Ware};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
};

use crate::{
    Ordering,
    cart::{Cart, CartHead, CartId, CartItemId, KeptLine, MOST_CODES, cart_of, check_offering},
    error::OrderError,
    store::carts::{self, Doubled},
};

/// Where a cart is kept, and whose it is; nobody's when it is a guest's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CartPlace {
    pub(crate) id: CartId,
    pub(crate) owner: Option<UserId>,
}

impl CartPlace {
    pub(crate) fn of(user: UserId) -> Self {
        Self { id: cart_of(user), owner: Some(user) }
    }
}

impl Ordering {
    /// The cart as it stands, beside what the catalogue says now.
    pub(crate) fn cart(&self, connection: &mut Connection<'_>, place: CartPlace) -> Result<Cart, OrderError> {
        let (head, kept) = self.kept(connection, place)?;
        let sellables = self.sellables(connection, &kept)?;
        Cart::assemble(head, kept, sellables, &self.settings)
    }

    /// What a guest sees who has put nothing into a cart.
    pub(crate) fn nobodys_cart(&self, at: Timestamp) -> Result<Cart, OrderError> {
        let head = CartHead::untouched(uuid::Uuid::nil().into(), None, at);
        Cart::assemble(head, Vec::new(), Vec::new(), &self.settings)
    }

    /// A cart as it is kept.
    pub(crate) fn kept(
        &self,
        connection: &mut Connection<'_>,
        place: CartPlace,
    ) -> Result<(CartHead, Vec<KeptLine>), DatabaseError> {
        let CartPlace { id, owner } = place;
        let kept = carts::lines(connection, id, self.settings.currency)?;
        let head = carts::head(connection, (id, owner), self.settings.currency)?;
        // A cart that was never touched is as old as its owner, whose id says when that was.
        let head = head.unwrap_or_else(|| CartHead::untouched(id, owner, beginning_of(id)));
        Ok((head, kept))
    }

    /// What the catalogue says of the wares of these lines.
    pub(crate) fn sellables(
        &self,
        connection: &mut Connection<'_>,
        lines: &[KeptLine],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<Ware> = lines.iter().map(|line| line.ware).collect();
        self.catalog.sellables(connection, &wanted)
    }

    /// What offers do for a cart at `at`, at the prices it shows.
    pub(crate) fn discounts(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        cart: &Cart,
    ) -> Result<Discounts, DatabaseError> {
        let (lines, codes) = (&cart.lines, &cart.head.codes);
        if lines.is_empty() && codes.is_empty() {
            return Ok(Discounts::default());
        }
        let basket: Vec<BasketLine> = lines.iter().map(|line| line.kept.in_basket()).collect();
        self.catalog.discounts(connection, at, &basket, codes)
    }

    /// Adds pieces of a ware, at the price it has now.
    pub(crate) fn add_to_cart(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        ware: Ware,
        quantity: i64,
        occasion: &Occasion,
    ) -> Result<Cart, OrderError> {
        let found = self.catalog.sellables(tx, &[ware])?.into_iter().find(|found| found.ware == ware);
        let found = found.ok_or(OrderError::NotOffered(ware))?;
        check_offering(&found)?;
        let line = KeptLine { id: occasion.id(), ware, name: found.name, quantity, price: found.price };
        carts::put(tx, place.id, &line, Doubled::Added)?;
        self.changed(tx, place, Some(ware), occasion.at)
    }

    /// Sets how many pieces a line has; none removes it.
    pub(crate) fn set_quantity(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        item: CartItemId,
        quantity: i64,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        if quantity == 0 {
            return self.remove_from_cart(tx, place, item, at);
        }
        let ware = carts::set_quantity(tx, place.id, item, quantity)?;
        self.changed(tx, place, Some(ware.ok_or(OrderError::UnknownItem)?), at)
    }

    /// Removes a line.
    pub(crate) fn remove_from_cart(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        item: CartItemId,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        if carts::remove_line(tx, place.id, item)? {
            self.changed(tx, place, None, at)
        } else {
            Err(OrderError::UnknownItem)
        }
    }

    /// Puts a code on the cart, if it takes something off. One that is there already stays.
    pub(crate) fn add_code(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        code: &str,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        let mut cart = self.cart(tx, place)?;
        let codes = &mut cart.head.codes;
        codes.retain(|there| !there.eq_ignore_ascii_case(code));
        if codes.len() >= MOST_CODES {
            return Err(OrderError::TooManyCodes);
        }
        codes.push(code.to_owned());
        let discounts = self.discounts(tx, at, &cart)?;
        let refused = discounts.refused.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(code));
        if let Some((_, trouble)) = refused {
            return Err(OrderError::CodeRefused { code: code.to_owned(), trouble: *trouble });
        }
        // It is kept as its offer writes it, however it was typed.
        let written = discounts.applied.iter().filter_map(|offer| offer.code.as_ref());
        if let Some(written) = written.into_iter().find(|written| written.eq_ignore_ascii_case(code)) {
            cart.head.codes.pop();
            cart.head.codes.push(written.clone());
        }
        carts::set_codes(tx, place.id, &cart.head.codes)?;
        self.changed(tx, place, None, at)
    }

    /// Takes a code off the cart.
    pub(crate) fn remove_code(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        code: &str,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        let (head, _) = self.kept(tx, place)?;
        let mut codes = head.codes;
        let before = codes.len();
        codes.retain(|there| !there.eq_ignore_ascii_case(code));
        if codes.len() == before {
            return Err(OrderError::UnknownCode);
        }
        carts::set_codes(tx, place.id, &codes)?;
        self.changed(tx, place, None, at)
    }

    /// Takes codes off the cart that hold no longer; one that was taken off meanwhile is no failure.
    pub(crate) fn drop_codes(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        codes: &[&str],
    ) -> Result<(), DatabaseError> {
        if codes.is_empty() {
            return Ok(());
        }
        let (head, _) = self.kept(tx, place)?;
        let mut left = head.codes;
        left.retain(|there| !codes.iter().any(|code| code.eq_ignore_ascii_case(there)));
        carts::set_codes(tx, place.id, &left)
    }

    /// The changed cart, shown with what offers do now; if its bounds hold and `added` is there in that quantity.
    fn changed(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        added: Option<Ware>,
        at: Timestamp,
    ) -> Result<Cart, OrderError> {
        let (mut head, kept) = self.kept(tx, place)?;
        let shown = std::mem::take(&mut head.shown);
        let sellables = self.sellables(tx, &kept)?;
        let cart = Cart::assemble(head, kept, sellables, &self.settings)?;
        cart.check_bounds()?;
        if let Some(ware) = added {
            cart.check_stock_of(ware)?;
        }
        let applied = self.discounts(tx, at, &cart)?.applied;
        if applied != shown {
            carts::set_shown(tx, place.id, &applied)?;
        }
        cart.shown_with(applied, &self.settings)
    }

    /// Shows a cart that was changed without its owner asking with what offers do for it now.
    pub(crate) fn show_offers(
        &self,
        tx: &mut Tx<'_>,
        place: CartPlace,
        at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let (mut head, kept) = self.kept(tx, place)?;
        let shown = std::mem::take(&mut head.shown);
        let applied = match Cart::assemble(head, kept, Vec::new(), &self.settings) {
            Ok(cart) => self.discounts(tx, at, &cart)?.applied,
            // What is beyond all sums is told when the cart is looked at.
            Err(_) => Vec::new(),
        };
        if applied == shown { Ok(()) } else { carts::set_shown(tx, place.id, &applied) }
    }
}

/// When an id of version 7 was made.
fn beginning_of(cart: CartId) -> Timestamp {
    let millis = i64::try_from(cart.uuid().as_u128() >> 80).unwrap_or(0);
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Random;

    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        let at = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(beginning_of(CartId::new(at, &Random::system())), at);
    }
}
