//! Paying an order after it was placed: one whose payment was deferred, or whose method needs a second step.
//!
//! The buyer may try as often as they like until the hold of the stock ends. All attempts are at one intent, which the
//! provider captures once.

use stoa_contracts::{
    ordering::OrderId,
    payments::{Charge, ChargeOutcome},
};
use stoa_http::{Begun, Once, Reply};
use stoa_kernel::{FieldError, Refusal, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    failpoint,
};
use tracing::Instrument;

use crate::{
    Ordering,
    cancel_order::as_it_stands,
    charge_order::confirm,
    error::OrderError,
    order::Order,
    payment_views::{ConfirmationView, IntentView},
    provider::attempt_key,
    settle_payment::Listener,
    status::{OrderStatus, PaymentStatus},
    store::{
        orders::{self, Scope},
        payments::{self, Payment, PaymentState},
    },
    views::NextAction,
};

/// A buyer who wants to pay.
#[derive(Clone, Debug)]
pub(crate) struct Confirmation {
    pub(crate) buyer: UserId,
    /// The provider's name of the payment.
    pub(crate) intent: String,
    /// By what; none when the second step was taken, or the buyer's client has paid by itself.
    pub(crate) method: Option<String>,
}

/// How a confirmation begins.
enum Begin {
    /// Nothing is to be done; this is the answer.
    Answered(Box<Reply>),
    /// The provider is to be asked.
    Ask { order: Box<Order>, payment: Payment, question: Question },
}

/// What the provider is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Question {
    /// To take the money by this method.
    Pay(String),
    /// How it stands.
    Look,
}

impl Ordering {
    /// What a buyer's client needs to pay an order; the same each time.
    pub(crate) async fn payment_intent(
        &self,
        buyer: UserId,
        id: OrderId,
        now: Timestamp,
    ) -> Result<IntentView, OrderError> {
        let found = self.platform.database.read(move |connection| {
            let Some(order) = orders::find(connection, Scope::Of(buyer), id)? else { return Ok(None) };
            let payment = payments::of_order(connection, id, order.totals.total.currency())?;
            Ok::<_, DatabaseError>(payment.map(|payment| (order, payment)))
        });
        let (order, payment) = found.await?.ok_or(OrderError::UnknownOrder)?;
        self.check_payable(&order, &payment, now)?;
        if payment.state == PaymentState::Charging && !order.is_paid_later() {
            return Err(OrderError::PaymentInProgress);
        }
        let intent = match self.intent_of(order.id, &payment) {
            Ok(intent) => {
                self.keep(&order, &payment, &intent).await?;
                intent
            }
            Err(_) => self.open_intent(&order, &payment).await?,
        };
        let client_secret = self.providers.of_payment(&payment.provider)?.client_secret(&intent).await?;
        Ok(IntentView { payment_intent_id: intent, client_secret })
    }

    /// From now on the order is found by the name of its payment.
    async fn keep(&self, order: &Order, payment: &Payment, intent: &str) -> Result<(), OrderError> {
        if payment.intent.is_some() {
            return Ok(());
        }
        let (id, state, name) = (order.id, payment.state, intent.to_owned());
        let kept = self.platform.database.write(move |tx| payments::keep_intent(tx, id, state, &name));
        if kept.await? { Ok(()) } else { Err(OrderError::PaymentInProgress) }
    }

    fn check_payable(&self, order: &Order, payment: &Payment, now: Timestamp) -> Result<(), OrderError> {
        let in_time = payment.state != PaymentState::Waiting || now < self.end_of_hold(order);
        if order.status == OrderStatus::Pending && payment.state.is_open() && in_time {
            Ok(())
        } else {
            Err(OrderError::NotPayable(order.status))
        }
    }

    /// Tries to pay. A refusal is an answer as well: the order waits for another method until its hold ends.
    pub(crate) async fn confirm_payment(
        &self,
        confirmation: Confirmation,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        let (ordering, key, at) = (self.clone(), once.clone(), occasion.clone());
        let begun =
            self.platform.database.write(move |tx| ordering.begin_attempt(tx, &confirmation, &key, &at));
        match begun.await? {
            Begin::Answered(reply) => Ok(*reply),
            Begin::Ask { order, payment, question } => {
                // A buyer who hangs up now may have paid, so it is carried on without them.
                let ordering = self.clone();
                let asking =
                    async move { ordering.finish_attempt((*order, payment), question, once, occasion).await };
                let answered = tokio::spawn(asking.in_current_span()).await;
                answered.unwrap_or_else(|error| Err(OrderError::Refused(Refusal::internal(error))))
            }
        }
    }

    fn begin_attempt(
        &self,
        tx: &mut Tx<'_>,
        wanted: &Confirmation,
        once: &Once,
        occasion: &Occasion,
    ) -> Result<Begin, OrderError> {
        if let Begun::Replay(reply) = once.begin(tx, occasion.at)? {
            return Ok(Begin::Answered(reply));
        }
        let id = payments::order_of_intent(tx, &wanted.intent)?.ok_or(OrderError::UnknownPayment)?;
        let order = orders::lock(tx, Scope::Of(wanted.buyer), id)?.ok_or(OrderError::UnknownPayment)?;
        let (_, mut payment) = as_it_stands(tx, id)?;
        if payment.state == PaymentState::Captured && order.payment_status == PaymentStatus::Captured {
            let reply = Reply::ok(&ConfirmationView::paid(payment.charge.as_deref()))?;
            once.finish(tx, &reply, occasion.at)?;
            return Ok(Begin::Answered(Box::new(reply)));
        }
        self.check_payable(&order, &payment, occasion.at)?;
        let Some(method) = wanted.method.clone().filter(|_| payment.state != PaymentState::Charging) else {
            return Ok(Begin::Ask { order: Box::new(order), payment, question: Question::Look });
        };
        let trying = order.next_version(occasion);
        let due = occasion.at + self.settings.settle_after;
        let attempt = payments::attempt(tx, id, (payment.state, due), occasion.at)?;
        match attempt {
            Some(attempt) if orders::save(tx, &trying, order.version)? => {
                payment.attempts = attempt;
                payment.state = PaymentState::Charging;
                failpoint::reach("payment.attempt.before_commit");
                Ok(Begin::Ask { order: Box::new(trying), payment, question: Question::Pay(method) })
            }
            _ => Err(DatabaseError::Conflict("an order changed under its lock".into()).into()),
        }
    }

    async fn finish_attempt(
        self,
        (order, payment): (Order, Payment),
        question: Question,
        once: Once,
        occasion: Occasion,
    ) -> Result<Reply, OrderError> {
        failpoint::reach("payment.after_attempt");
        let asked = self.ask(&order, &payment, &question).await;
        let outcome = match asked {
            Ok(Some(outcome)) => outcome,
            unknown => {
                // The key is free again, so that asking again looks again.
                self.platform.database.write(move |tx| once.forget(tx)).await?;
                return Err(unknown.err().unwrap_or(OrderError::PaymentInProgress));
            }
        };
        failpoint::reach("payment.after_confirm");
        let (ordering, id, later) = (self.clone(), order.id, self.later(&occasion));
        let settled = self.platform.database.write(move |tx| {
            let order = ordering.settle(tx, &later, (&order, &payment), &outcome, Listener::Buyer)?;
            let told = ordering.confirmation(&order, &payment, &outcome);
            let answered = told.and_then(|view| Ok(Reply::ok(&view)?));
            match &answered {
                Ok(reply) => once.finish(tx, reply, later.at)?,
                Err(_) => once.forget(tx)?,
            }
            Ok::<_, OrderError>(answered)
        });
        let answered = settled.await?;
        failpoint::reach("payment.after_attempt_settled");
        self.finish_return(id, &occasion).await;
        answered
    }

    async fn ask(
        &self,
        order: &Order,
        payment: &Payment,
        question: &Question,
    ) -> Result<Option<ChargeOutcome>, OrderError> {
        let provider = self.providers.of_payment(&payment.provider)?;
        let intent = self.intent_of(order.id, payment)?;
        let key = attempt_key(order.id, payment.attempts);
        let charge = Charge { intent: &intent, key: &key, amount: order.totals.total, method: None };
        match (question, payment.state) {
            (Question::Pay(method), _) => {
                let charge = Charge { method: Some(method), ..charge };
                confirm(provider.as_ref(), (order.id, payment.attempts), charge).await
            }
            (Question::Look, PaymentState::Action) => Ok(Some(provider.confirm(charge).await?)),
            // An attempt is under way, or its answer was lost. What it came to is told; that it came to nothing is not
            // known before the sweep.
            (Question::Look, PaymentState::Charging) => {
                let found = provider.find(&intent).await?;
                Ok(found.filter(|found| *found != ChargeOutcome::Declined))
            }
            // The buyer's client may have paid by itself.
            (Question::Look, _) => match provider.find(&intent).await? {
                None => {
                    let field = FieldError::new("paymentMethod", "REQUIRED", "Say by what it is to be paid.");
                    Err(OrderError::Refused(Refusal::invalid(vec![field])))
                }
                found => Ok(found),
            },
        }
    }

    /// What the buyer hears of an attempt.
    fn confirmation(
        &self,
        order: &Order,
        payment: &Payment,
        outcome: &ChargeOutcome,
    ) -> Result<ConfirmationView, OrderError> {
        match outcome {
            ChargeOutcome::Captured { charge, .. } if order.payment_status == PaymentStatus::Captured => {
                Ok(ConfirmationView::paid(Some(charge)))
            }
            ChargeOutcome::Declined => Ok(ConfirmationView::declined(order)),
            ChargeOutcome::ActionNeeded { kind, client_secret } => {
                Ok(ConfirmationView::one_more_step(NextAction {
                    kind: kind.clone(),
                    client_secret: client_secret.clone(),
                    payment_intent_id: self.intent_of(order.id, payment)?,
                }))
            }
            _ => Err(OrderError::NotPayable(order.status)),
        }
    }
}
