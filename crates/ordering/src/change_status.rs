//! Moving an order along its machine by hand.

use stoa_contracts::ordering::{OrderId, OrderShipped};
use stoa_http::IfMatch;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
};

use crate::{
    Ordering,
    cancel_order::{End, Ending},
    error::OrderError,
    jobs::{Notice, NotifyBuyer},
    order::Order,
    status::OrderStatus,
    store::{
        orders::{self, Scope},
        payments::{self, PaymentState},
    },
};

/// Which order goes where.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) order: OrderId,
    pub(crate) to: OrderStatus,
    pub(crate) details: Option<String>,
    pub(crate) if_match: IfMatch,
}

impl Ordering {
    /// Moves an order. Cancelling and paying back return its money, so they go their own way.
    pub(crate) async fn change_status(&self, change: Move, occasion: Occasion) -> Result<Order, OrderError> {
        let ending = match change.to {
            OrderStatus::Cancelled => Some(Ending::Cancelled),
            OrderStatus::Refunded => Some(Ending::PaidBack),
            _ => None,
        };
        if let Some(ending) = ending {
            let Move { order, details, if_match, .. } = change;
            return self
                .end_order(End { scope: Scope::All, order, ending, details, if_match }, occasion)
                .await;
        }
        self.platform.database.write(move |tx| move_on(tx, &change, &occasion)).await
    }
}

fn move_on(tx: &mut Tx<'_>, change: &Move, occasion: &Occasion) -> Result<Order, OrderError> {
    let before = orders::lock(tx, Scope::All, change.order)?.ok_or(OrderError::UnknownOrder)?;
    change.if_match.check(before.version)?;
    if !before.status.may_become(change.to) {
        return Err(OrderError::IllegalMove { from: before.status, to: change.to });
    }
    if before.status == OrderStatus::Pending {
        check_not_charging(tx, &before)?;
    }
    let mut moved = before.next_version(occasion);
    moved.enter(change.to, occasion, change.details.clone());
    if !orders::save(tx, &moved, before.version)? {
        return Err(DatabaseError::Conflict("an order changed under its lock".into()).into());
    }
    events::append(tx, occasion, &moved.status_changed(before.status))?;
    if moved.status == OrderStatus::Shipped {
        events::append(tx, occasion, &shipped(&moved))?;
    }
    if let Some(notice) = notice_of(moved.status) {
        jobs::enqueue(tx, occasion, &NotifyBuyer::of(moved.id, notice))?;
    }
    Ok(moved)
}

/// An order may be confirmed by hand while it waits for its buyer, but not while its charge is under way.
fn check_not_charging(tx: &mut Tx<'_>, order: &Order) -> Result<(), OrderError> {
    match payments::of_order(tx, order.id, order.totals.total.currency())? {
        Some(payment) if payment.state == PaymentState::Charging => Err(OrderError::PaymentInProgress),
        _ => Ok(()),
    }
}

fn shipped(order: &Order) -> OrderShipped {
    OrderShipped {
        order_id: order.id,
        user_id: order.buyer,
        version: order.version,
        tracking_number: order.tracking_number.clone(),
    }
}

fn notice_of(status: OrderStatus) -> Option<Notice> {
    match status {
        OrderStatus::Confirmed => Some(Notice::Confirmation),
        OrderStatus::Shipped => Some(Notice::Shipped),
        OrderStatus::Delivered => Some(Notice::Delivered),
        _ => None,
    }
}
