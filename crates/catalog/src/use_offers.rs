//! Offers at work: what they take off a basket, and counting how often they are used.

use std::collections::HashMap;

use stoa_contracts::catalog::{BasketLine, CodeTrouble, Discounts, OfferError, OfferId, ProductId, Ware};
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events,
};

use crate::{
    Catalogue, OFFERS,
    category::CategoryId,
    discount::{self, Asked, Line},
    events::OfferUpdated,
    offer::{Offer, Target},
    product::folded,
    store::{categories, offers},
};

impl Catalogue {
    /// What offers do for a basket: one query in a shop that has none, when no code is given.
    pub(crate) fn weigh(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        basket: &[BasketLine],
        codes: &[String],
    ) -> Result<Discounts, DatabaseError> {
        let targets = discount::targets(basket.iter().map(|line| line.ware));
        let automatic = offers::automatic(connection, at, &targets, self.currency())?;
        let asked = self.asked(connection, at, codes)?;
        let for_a_category = |offer: &Offer| matches!(offer.target, Target::Category(_));
        let asked_for = asked.iter().filter_map(|(_, offer)| offer.as_ref().ok());
        let ask_categories = automatic.iter().chain(asked_for).any(for_a_category);
        let mut categories: HashMap<ProductId, Vec<CategoryId>> = HashMap::new();
        if ask_categories {
            let products: Vec<ProductId> = basket.iter().filter_map(|line| line.ware.product()).collect();
            categories = categories::around(connection, &products)?;
        }
        let line = |line: &BasketLine| Line {
            ware: line.ware,
            price: line.price,
            pieces: line.pieces,
            categories: categories_of(&categories, line.ware),
        };
        let lines: Vec<Line> = basket.iter().map(line).collect();
        Ok(discount::discounts(&lines, &automatic, asked, self.currency()))
    }

    /// Each code with its offer, or why there is none to use.
    fn asked(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        codes: &[String],
    ) -> Result<Vec<Asked>, DatabaseError> {
        let written: Vec<String> = codes.iter().map(|code| folded(code.trim())).collect();
        let found = offers::with_codes(connection, &written, self.currency())?;
        let by_code: HashMap<String, Offer> = found
            .into_iter()
            .filter_map(|offer| offer.code.as_deref().map(folded).map(|code| (code, offer)))
            .collect();
        let of = |written: &String| {
            let offer = by_code.get(written).ok_or(CodeTrouble::Unknown)?;
            discount::state(offer, at).map(|()| offer.clone())
        };
        Ok(codes.iter().zip(&written).map(|(code, written)| (code.clone(), of(written))).collect())
    }

    /// Uses each offer once, in the order of their ids.
    pub(crate) fn take_uses(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        used: &[OfferId],
    ) -> Result<(), OfferError> {
        for id in in_order(used) {
            let taken = offers::take_use(tx, occasion.at, id)?.ok_or(OfferError::Ended(id))?;
            self.tell_of_uses(tx, occasion, id, taken)?;
        }
        Ok(())
    }

    /// Gives a use of each offer back; those of offers that are gone are forgotten.
    pub(crate) fn return_uses(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        returned: &[OfferId],
    ) -> Result<(), DatabaseError> {
        for id in in_order(returned) {
            if let Some(left) = offers::return_use(tx, id)? {
                self.tell_of_uses(tx, occasion, id, left)?;
            }
        }
        Ok(())
    }

    fn tell_of_uses(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        offer_id: OfferId,
        (version, uses): (i64, i64),
    ) -> Result<(), DatabaseError> {
        events::append(tx, occasion, &OfferUpdated { offer_id, version, uses })?;
        self.forget(tx, vec![OFFERS]);
        Ok(())
    }
}

fn categories_of(categories: &HashMap<ProductId, Vec<CategoryId>>, ware: Ware) -> Vec<CategoryId> {
    ware.product().and_then(|product| categories.get(&product)).cloned().unwrap_or_default()
}

/// Each id once, so that no two orders wait for each other in a circle.
fn in_order(offers: &[OfferId]) -> Vec<OfferId> {
    let mut sorted = offers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}
