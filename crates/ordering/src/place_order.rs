//! Checking out: the cart becomes an order, the order is charged, the charge is settled.

use stoa_contracts::{
    catalog::{OfferError, OfferId},
    ordering::OrderId,
};
use stoa_http::{Begun, Once, Reply};
use stoa_kernel::{Refusal, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, failpoint,
};
use tracing::Instrument;

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    cart::{Cart, CartHead},
    charge_order::Attempt,
    complaint::{Complaint, Subject, Trouble},
    edit_cart::CartPlace,
    error::OrderError,
    order::{Checkout, Order},
    store::{
        carts,
        orders::{self, Scope},
        payments::{self, Payment, PaymentState},
    },
};

/// How a checkout begins.
enum Opened {
    /// It was done before: this was the answer.
    Answered(Box<Reply>),
    /// There is an order; its payment stands so.
    Order { order: Box<Order>, payment: Payment, attempt: Attempt },
}

impl Ordering {
    /// Makes an order of the buyer's cart and charges it.
    ///
    /// Answers 201 when it is paid, and also when that is not known yet: then `paymentStatus` is `pending`, and the buyer
    /// takes a second step (`nextAction`), or the sweep settles it. A declined charge is 402, the order is cancelled and
    /// the cart is filled again.
    pub(crate) async fn place_order(
        &self,
        checkout: Checkout,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        match self.open_order(checkout, once.clone(), occasion.clone()).await? {
            Opened::Answered(reply) => Ok(*reply),
            Opened::Order { order, payment, attempt } => {
                // A buyer who hangs up now still has an order, so it is carried on without them.
                let ordering = self.clone();
                let paying = async move { ordering.pay(*order, payment, attempt, once, occasion).await };
                let paid = tokio::spawn(paying.in_current_span()).await;
                paid.unwrap_or_else(|error| Err(OrderError::Refused(Refusal::internal(error))))
            }
        }
    }

    async fn open_order(
        &self,
        checkout: Checkout,
        once: Once,
        occasion: Occasion,
    ) -> Result<Opened, OrderError> {
        let (ordering, buyer, at) = (self.clone(), checkout.buyer, occasion.at);
        let opened =
            self.platform.database.write(move |tx| ordering.open(tx, &checkout, &once, &occasion)).await;
        if let Err(OrderError::NotAsShown(complaints)) = &opened {
            self.show_news(buyer, complaints.clone(), at).await?;
        }
        opened
    }

    fn open(
        &self,
        tx: &mut Tx<'_>,
        checkout: &Checkout,
        once: &Once,
        occasion: &Occasion,
    ) -> Result<Opened, OrderError> {
        match once.begin(tx, occasion.at)? {
            Begun::Replay(reply) => Ok(Opened::Answered(reply)),
            Begun::Resume(order) => self.reopen(tx, checkout.buyer, &order, occasion.at),
            Begun::Fresh => {
                let order = Box::new(self.write_order(tx, checkout, occasion)?);
                let payment = self.open_payment(tx, &order)?;
                once.mark(tx, &order.id.to_string())?;
                if order.is_paid_later() {
                    let reply = self.answer(*order, &payment, None)?;
                    once.finish(tx, &reply, occasion.at)?;
                    return Ok(Opened::Answered(Box::new(reply)));
                }
                failpoint::reach("order.place.before_commit");
                Ok(Opened::Order { order, payment, attempt: Attempt::First })
            }
        }
    }

    fn write_order(
        &self,
        tx: &mut Tx<'_>,
        checkout: &Checkout,
        occasion: &Occasion,
    ) -> Result<Order, OrderError> {
        let place = CartPlace::of(checkout.buyer);
        let taken = carts::take(tx, place.id, self.settings.currency, occasion.at)?;
        let sellables = self.sellables(tx, &taken.lines)?;
        let head = CartHead {
            codes: taken.codes,
            shown: taken.shown,
            ..CartHead::untouched(place.id, place.owner, occasion.at)
        };
        let cart = Cart::assemble(head, taken.lines, sellables, &self.settings)?;
        let discounts = self.discounts(tx, occasion.at, &cart)?;
        cart.check_out(&discounts)?;
        let unpacked = self.catalog.take_stock(tx, occasion, &cart.pieces())?;
        self.use_offers(tx, occasion, &cart.head)?;
        let mut order = Order::of_cart(cart, unpacked, checkout, occasion);
        orders::insert(tx, &mut order)?;
        events::append(tx, occasion, &order.placed()?)?;
        Ok(order)
    }

    fn use_offers(&self, tx: &mut Tx<'_>, occasion: &Occasion, cart: &CartHead) -> Result<(), OrderError> {
        let offers: Vec<OfferId> = cart.shown.iter().map(|offer| offer.id).collect();
        if offers.is_empty() {
            return Ok(());
        }
        self.catalog.use_offers(tx, occasion, &offers).map_err(|error| match error {
            OfferError::Ended(offer) => OrderError::NotAsShown(vec![cart.used_up(offer)]),
            OfferError::Database(error) => error.into(),
        })
    }

    /// Goes on with the order of an earlier try. The sweep leaves it alone for a while.
    fn reopen(
        &self,
        tx: &mut Tx<'_>,
        buyer: UserId,
        order: &str,
        at: Timestamp,
    ) -> Result<Opened, OrderError> {
        let id = order.parse::<OrderId>().map_err(|_| lost(order))?;
        let order = orders::lock(tx, Scope::Of(buyer), id)?.ok_or_else(|| lost(order))?;
        let (_, payment) = as_it_stands(tx, id)?;
        if payment.state == PaymentState::Charging {
            payments::postpone(tx, id, at + self.settings.settle_after)?;
        }
        Ok(Opened::Order { order: Box::new(order), payment, attempt: Attempt::Again })
    }

    /// The refusal rolled everything back, so what it tells is shown by a transaction of its own.
    async fn show_news(
        &self,
        buyer: UserId,
        complaints: Vec<Complaint>,
        at: Timestamp,
    ) -> Result<(), DatabaseError> {
        if !complaints.iter().any(Complaint::is_news) {
            return Ok(());
        }
        let (ordering, place) = (self.clone(), CartPlace::of(buyer));
        let shown = self.platform.database.write(move |tx| {
            carts::touch(tx, place.id, at)?;
            for complaint in &complaints {
                if let (Subject::Line(item, _), Trouble::PriceChanged { now, .. }) =
                    (complaint.about, complaint.trouble)
                {
                    carts::reprice(tx, place.id, item, now)?;
                }
            }
            let refused = complaints.iter().filter(|complaint| complaint.about == Subject::Code);
            let refused: Vec<&str> = refused.map(|complaint| complaint.name.as_str()).collect();
            ordering.drop_codes(tx, place, &refused)?;
            ordering.show_offers(tx, place, at)
        });
        shown.await
    }
}

fn lost(what: &str) -> DatabaseError {
    DatabaseError::Decode(format!("what an idempotency key points at is gone: {what}"))
}
