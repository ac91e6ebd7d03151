//! Where an order is, told live to whoever follows it.

use serde::{Deserialize, Serialize};
use stoa_contracts::ordering::{OrderId, OrderStatusChanged};
use stoa_kernel::{RefusalKind, Timestamp};
use stoa_platform::events::{Event, HandlerError, StoredEvent};
use stoa_realtime::{Call, Dialect, Done, Fault, Hearer, Said, Sockets, Topic};

use crate::Ordering;

/// What kind of topic an order's is.
const ORDER: &str = "order";

/// An order, as a word or as a field of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Followed {
    Plain(OrderId),
    Order {
        #[serde(rename = "orderId")]
        order_id: OrderId,
    },
}

/// The answer to `track_order`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tracking {
    order_id: OrderId,
    status: &'static str,
}

/// `order_status_update`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderStatusUpdate {
    order_id: OrderId,
    status: String,
    details: Option<String>,
    timestamp: Timestamp,
}

impl Ordering {
    /// What ordering says and hears on sockets.
    pub(crate) fn sockets(&self) -> Sockets {
        let (follow, permit) = (self.clone(), self.clone());
        Sockets::default()
            .on("track_order", move |call| {
                let ordering = follow.clone();
                async move { ordering.track(&call).await }
            })
            .on("untrack_order", |call| async move { untrack(&call).await })
            .permit(ORDER, move |actor, topic| {
                let ordering = permit.clone();
                async move {
                    let Ok(order) = topic.id().parse() else { return Ok(false) };
                    match ordering.status_of(&actor, order).await {
                        Ok(_) => Ok(true),
                        Err(refusal) if refusal.kind == RefusalKind::NotFound => Ok(false),
                        Err(refusal) => Err(refusal),
                    }
                }
            })
            .tell(OrderStatusChanged::TYPE, status_update)
    }

    async fn track(&self, call: &Call) -> Result<Done, Fault> {
        let order_id = followed(call)?;
        self.status_of(call.actor(), order_id).await?;
        call.peer().subscribe(Topic::of(ORDER, order_id), Dialect::Shop, None).await?;
        // Looked at once it is followed, so that no step falls between the two.
        let status = self.status_of(call.actor(), order_id).await?.name();
        Done::with(&Tracking { order_id, status })
    }
}

async fn untrack(call: &Call) -> Result<Done, Fault> {
    call.peer().unsubscribe(&Topic::of(ORDER, followed(call)?)).await?;
    Ok(Done::plain())
}

fn followed(call: &Call) -> Result<OrderId, Fault> {
    let followed = call.read().map_err(|_| Fault::bad_payload("the id of an order is expected"))?;
    Ok(match followed {
        Followed::Plain(order_id) | Followed::Order { order_id } => order_id,
    })
}

fn status_update(event: &StoredEvent, hearer: &Hearer<'_>) -> Result<Option<Said>, HandlerError> {
    if hearer.dialect != Dialect::Shop {
        return Ok(None);
    }
    let OrderStatusChanged { order_id, to, details, .. } = event.payload()?;
    let told = OrderStatusUpdate { order_id, status: to, details, timestamp: event.at };
    Said::new("order_status_update", &told).map(Some)
}
