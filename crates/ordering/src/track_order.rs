//! Saying where a parcel can be followed.

use stoa_contracts::ordering::{OrderId, OrderTracked};
use stoa_http::IfMatch;
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
};

use crate::{
    Ordering,
    error::OrderError,
    jobs::{Notice, NotifyBuyer},
    order::Order,
    store::orders::{self, Scope},
};

/// What is known of a parcel.
#[derive(Clone, Debug)]
pub(crate) struct Tracking {
    pub(crate) order: OrderId,
    pub(crate) number: String,
    pub(crate) carrier: Option<String>,
    pub(crate) estimated_delivery: Option<Timestamp>,
    pub(crate) if_match: IfMatch,
}

impl Ordering {
    /// Keeps the carrier's number and tells the buyer.
    pub(crate) async fn track_order(
        &self,
        tracking: Tracking,
        occasion: Occasion,
    ) -> Result<Order, OrderError> {
        self.platform.database.write(move |tx| track(tx, &tracking, &occasion)).await
    }
}

fn track(tx: &mut Tx<'_>, tracking: &Tracking, occasion: &Occasion) -> Result<Order, OrderError> {
    let before = orders::lock(tx, Scope::All, tracking.order)?.ok_or(OrderError::UnknownOrder)?;
    tracking.if_match.check(before.version)?;
    if !before.status.is_trackable() {
        return Err(OrderError::NotTrackable(before.status));
    }
    let mut tracked = before.next_version(occasion);
    tracked.tracking_number = Some(tracking.number.clone());
    tracked.carrier.clone_from(&tracking.carrier);
    tracked.estimated_delivery = tracking.estimated_delivery.or(before.estimated_delivery);
    if !orders::save(tx, &tracked, before.version)? {
        return Err(DatabaseError::Conflict("an order changed under its lock".into()).into());
    }
    let event = OrderTracked {
        order_id: tracked.id,
        user_id: tracked.buyer,
        version: tracked.version,
        tracking_number: tracking.number.clone(),
        carrier: tracking.carrier.clone(),
    };
    events::append(tx, occasion, &event)?;
    jobs::enqueue(tx, occasion, &NotifyBuyer::of(tracked.id, Notice::Tracking))?;
    Ok(tracked)
}
