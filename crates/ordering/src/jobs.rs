//! Work done later: mails to buyers, and the sweep.

use serde::{Deserialize, Serialize};
use stoa_contracts::{
    notifications::{Channel, Kind},
    ordering::OrderId,
};
use stoa_platform::jobs::{Job, JobContext, JobFailure};

use crate::{
    Ordering,
    error::OrderError,
    store::orders::{self, Scope},
    views::OrderView,
};

/// What a buyer is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// The order is paid.
    Confirmation,
    /// It is on its way.
    Shipped,
    /// It has arrived.
    Delivered,
    /// It is cancelled.
    Cancelled,
    /// Where it can be followed.
    Tracking,
    /// It is paid back.
    Refunded,
}

impl Notice {
    /// The template it is written from.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Confirmation => "order_confirmation",
            Self::Shipped => "order_shipped",
            Self::Delivered => "order_delivered",
            Self::Cancelled => "order_cancelled",
            Self::Tracking => "order_tracking",
            Self::Refunded => "order_refunded",
        }
    }

    /// What its buyer may choose not to be told by mail.
    const fn kind(self) -> Kind {
        match self {
            Self::Confirmation => Kind::OrderConfirmed,
            Self::Shipped => Kind::OrderShipped,
            Self::Delivered => Kind::OrderDelivered,
            Self::Cancelled => Kind::OrderCancelled,
            Self::Tracking => Kind::OrderTracking,
            Self::Refunded => Kind::OrderRefunded,
        }
    }
}

/// Writes to the buyer of an order. Address and order are looked up when it is sent, so neither lies in the job table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NotifyBuyer {
    /// The order.
    pub order: OrderId,
    /// What is told.
    pub notice: Notice,
}

impl NotifyBuyer {
    pub(crate) const fn of(order: OrderId, notice: Notice) -> Self {
        Self { order, notice }
    }
}

impl Job for NotifyBuyer {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "notify-buyer";
}

/// Settles orders left between two steps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SweepOrders {}

impl Job for SweepOrders {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "sweep-orders";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

/// What the templates may use.
#[derive(Serialize)]
struct Letter {
    name: String,
    order: OrderView,
}

impl Ordering {
    /// Sends the mail under the job's id, so that a job that runs twice is one mail.
    pub(crate) async fn notify_buyer(&self, job: NotifyBuyer, context: JobContext) -> Result<(), JobFailure> {
        let (ordering, id) = (self.clone(), job.order);
        let looked_up = self.platform.database.read(move |connection| {
            let Some(order) = orders::find(connection, Scope::All, id)? else { return Ok(None) };
            let (buyer, kind) = (order.buyer, job.notice.kind());
            let wanted = ordering.preferences.as_ref();
            if !wanted.map_or(Ok(true), |people| people.wants(connection, buyer, kind, Channel::Mail))? {
                return Ok(None);
            }
            let contact = ordering.accounts.contact(connection, order.buyer)?;
            Ok::<_, OrderError>(contact.map(|contact| (order, contact)))
        });
        let Some((order, contact)) = looked_up.await? else {
            tracing::info!(order.id = %id, "an order has nobody to write to");
            return Ok(());
        };
        let letter = Letter { name: contact.name, order: OrderView::from(order) };
        let mail = context.id.to_string();
        self.platform.mailer.send(&mail, &contact.email, job.notice.template(), letter).await?;
        Ok(())
    }
}
