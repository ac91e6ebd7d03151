//! What an order took beside money, given back when it comes to nothing.

use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Ordering,
    cart::KeptLine,
    edit_cart::CartPlace,
    guest_cart::join_codes,
    order::Order,
    status::PaymentStatus,
    store::carts::{self, Doubled},
};

impl Ordering {
    /// Gives back what an order took from shelves, exactly, and the uses of its offers unless it was paid for: whoever
    /// buys and then calls off has used an offer.
    pub(crate) fn give_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
    ) -> Result<(), DatabaseError> {
        self.catalog.return_stock(tx, occasion, &order.parts())?;
        let unpaid = matches!(
            order.payment_status,
            PaymentStatus::Pending | PaymentStatus::Authorized | PaymentStatus::Failed
        );
        if unpaid && !order.offers.is_empty() {
            self.catalog.return_offers(tx, occasion, &order.used_offers())?;
        }
        Ok(())
    }

    /// Gives back what an order took, and fills its buyer's cart again as it was. The cart before the stock, as in
    /// checking out, so that the two never wait for each other in a circle.
    pub(crate) fn undo_placing(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        order: &Order,
    ) -> Result<(), DatabaseError> {
        let place = CartPlace::of(order.buyer);
        carts::touch(tx, place.id, occasion.at)?;
        for line in lines_of(order, occasion) {
            // A ware that was added meanwhile stays as it was added.
            carts::put(tx, place.id, &line, Doubled::LeftOut)?;
        }
        let codes: Vec<String> = order.offers.iter().filter_map(|offer| offer.code.clone()).collect();
        if !codes.is_empty() {
            let (head, _) = self.kept(tx, place)?;
            carts::set_codes(tx, place.id, &join_codes(head.codes, codes))?;
        }
        self.give_back(tx, occasion, order)?;
        // After that, for a use that came back may be the one that the code wants.
        self.show_offers(tx, place, occasion.at)
    }
}

fn lines_of(order: &Order, occasion: &Occasion) -> Vec<KeptLine> {
    let lines = order.items.iter().map(|item| KeptLine {
        id: occasion.id(),
        ware: item.ware,
        name: item.name.clone(),
        quantity: item.quantity,
        price: item.price,
    });
    lines.collect()
}
