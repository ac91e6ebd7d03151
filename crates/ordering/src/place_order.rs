//! Checking out: the cart becomes an order, the order is charged, the charge is settled.

use stoa_contracts::ordering::OrderId;
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
    cart::{Cart, Complaint, Trouble, cart_of},
    error::OrderError,
    order::{Checkout, Order},
    provider::{ChargeOutcome, charge_key},
    settle_payment::Listener,
    status::PaymentStatus,
    store::{
        carts,
        orders::{self, Scope},
        payments::{self, PaymentState},
    },
    views::{NextAction, OrderView},
};

/// How a checkout begins.
enum Opened {
    /// It was done before: this was the answer.
    Answered(Box<Reply>),
    /// There is an order; its payment stands so.
    Order { order: Box<Order>, payment: PaymentState, attempt: Attempt },
}

/// Whether a charge can have been asked for already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Attempt {
    First,
    /// An earlier try stopped on its way.
    Again,
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
            self.show_new_prices(buyer, complaints.clone(), at).await?;
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
                once.mark(tx, &order.id.to_string())?;
                failpoint::reach("order.place.before_commit");
                Ok(Opened::Order { order, payment: PaymentState::Charging, attempt: Attempt::First })
            }
        }
    }

    fn write_order(
        &self,
        tx: &mut Tx<'_>,
        checkout: &Checkout,
        occasion: &Occasion,
    ) -> Result<Order, OrderError> {
        let kept = carts::take(tx, cart_of(checkout.buyer), self.settings.currency, occasion.at)?;
        let offers = self.offers(tx, &kept)?;
        let cart = Cart::assemble(checkout.buyer, occasion.at, kept, offers, &self.settings)?;
        cart.check_out()?;
        self.catalog.take_stock(tx, occasion, &cart.pieces())?;
        let mut order = Order::of_cart(cart, checkout, occasion);
        orders::insert(tx, &mut order)?;
        payments::open(tx, &order, self.provider.name(), self.settings.settle_after)?;
        events::append(tx, occasion, &order.placed()?)?;
        Ok(order)
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
        let payment = payments::of_order(tx, id)?.ok_or_else(|| lost("payment"))?.state;
        if payment == PaymentState::Charging {
            payments::postpone(tx, id, at + self.settings.settle_after)?;
        }
        Ok(Opened::Order { order: Box::new(order), payment, attempt: Attempt::Again })
    }

    /// The refusal rolled everything back, so what it tells is shown by a transaction of its own.
    async fn show_new_prices(
        &self,
        buyer: UserId,
        complaints: Vec<Complaint>,
        at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let changed = |complaint: &Complaint| matches!(complaint.trouble, Trouble::PriceChanged { .. });
        if !complaints.iter().any(changed) {
            return Ok(());
        }
        let cart = cart_of(buyer);
        let shown = self.platform.database.write(move |tx| {
            carts::touch(tx, cart, at)?;
            for complaint in &complaints {
                if let Trouble::PriceChanged { now, .. } = complaint.trouble {
                    carts::reprice(tx, cart, complaint.item, now)?;
                }
            }
            Ok(())
        });
        shown.await
    }

    async fn pay(
        self,
        order: Order,
        payment: PaymentState,
        attempt: Attempt,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        failpoint::reach("order.after_place");
        let outcome = if payment.is_open() { self.charge(&order, attempt).await } else { None };
        if outcome.is_none() && payment.is_open() {
            // Nobody knows yet. The key stays open: a retry after its lease looks again, and so does the sweep.
            return answer(order, None);
        }
        failpoint::reach("order.after_charge");
        let (ordering, occasion) = (self.clone(), self.later(&occasion));
        let settled = self.platform.database.write(move |tx| {
            let order = match &outcome {
                Some(outcome) => ordering.settle(tx, &occasion, &order, payment, outcome, Listener::Buyer)?,
                None => order.clone(),
            };
            let answered = answer(order, outcome.as_ref());
            match &answered {
                Ok(reply) => once.finish(tx, reply, occasion.at)?,
                Err(_) => once.forget(tx)?,
            }
            failpoint::reach("order.settle.before_commit");
            Ok::<_, OrderError>(answered)
        });
        let answered = settled.await?;
        failpoint::reach("order.after_settle");
        answered
    }

    /// Asks the provider for the money; `None` when it is not known what came of it. The same charge is never asked for
    /// twice: one that may have been asked for before, or whose answer was lost, is looked up.
    async fn charge(&self, order: &Order, attempt: Attempt) -> Option<ChargeOutcome> {
        let key = charge_key(order.id);
        if attempt == Attempt::Again {
            match self.look_up(&key).await {
                Ok(None) => {}
                Ok(found) => return found,
                Err(()) => return None,
            }
        }
        match self.provider.charge(&key, order.totals.total, &order.payment_method).await {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                tracing::warn!(order.id = %order.id, %error, "no answer to a charge; looking it up");
                self.look_up(&key).await.unwrap_or(None)
            }
        }
    }

    async fn look_up(&self, key: &str) -> Result<Option<ChargeOutcome>, ()> {
        self.provider.find(key).await.map_err(|error| {
            tracing::warn!(key, %error, "a charge could not be looked up; the sweep will");
        })
    }
}

/// What the buyer hears of an order.
fn answer(order: Order, outcome: Option<&ChargeOutcome>) -> Result<Reply, OrderError> {
    if order.payment_status == PaymentStatus::Failed {
        return Err(OrderError::PaymentDeclined);
    }
    let next_action = match outcome {
        Some(ChargeOutcome::ActionNeeded { kind, client_secret, .. }) => {
            Some(NextAction { kind: kind.clone(), client_secret: client_secret.clone() })
        }
        _ => None,
    };
    let (path, version) = (format!("/api/orders/{}", order.id), order.version);
    let view = OrderView::from(order).asking_for(next_action);
    Ok(Reply::created(&view)?.at(&path).with_etag(version))
}

fn lost(what: &str) -> DatabaseError {
    DatabaseError::Decode(format!("what an idempotency key points at is gone: {what}"))
}
