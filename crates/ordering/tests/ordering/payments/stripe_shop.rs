//! A shop that is paid at Stripe: the real driver against localstripe in a process of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request};
use stoa_drivers::{
    stripe::{Stripe, StripeSettings},
    testing::{Sent, StripeServer},
};
use stoa_platform::{database::DatabaseError, testing::TestDatabase};

use super::text;
use crate::stage::{Seen, Stage};

/// How long the sweep leaves a payment alone.
const MINUTE: Duration = Duration::from_mins(1);

/// A shop, and the Stripe it is paid at.
pub(super) struct Shop {
    pub(super) stage: Stage,
    pub(super) stripe: StripeServer,
    pub(super) pot: String,
}

impl Shop {
    pub(super) async fn open(db: &TestDatabase) -> Self {
        Self::with_patience(db, StripeServer::PATIENCE).await
    }

    /// The same, that waits so long for an answer of Stripe's.
    pub(super) async fn with_patience(db: &TestDatabase, patience: Duration) -> Self {
        let stripe = StripeServer::start();
        let settings = StripeSettings { patience, ..stripe.settings() };
        let stage = Stage::paid_at(db, Arc::new(Stripe::new(settings).unwrap()));
        let pot = stage.product(100, 1_000).await;
        Self { stage, stripe, pot }
    }

    /// Bob wants a pot and pays by `method`.
    pub(super) async fn order(&self, method: &str) -> Seen {
        self.stage.bob().wants(&self.pot, 1).await;
        self.stage.bob().pays(method).await
    }

    pub(super) async fn sees(&self, order: &str) -> (String, String) {
        self.stage.bob().sees(order).await
    }

    /// Everything is well again, and the sweep comes by as often as it takes.
    pub(super) async fn settles(&self) {
        self.stripe.is_well().await;
        for _ in 0..3 {
            self.stage.sweep_after(MINUTE * 2).await;
        }
    }

    /// Stripe delivers an event.
    pub(super) async fn delivers(&self, sent: &Sent) -> Seen {
        self.delivers_as(&sent.signature, &sent.body).await
    }

    pub(super) async fn delivers_as(&self, signature: &str, body: &str) -> Seen {
        let request = Request::post("/api/payments/webhooks/stripe")
            .header("content-type", "application/json; charset=utf-8");
        let request = request.header("stripe-signature", signature).body(Body::from(body.to_owned()));
        self.stage.person("nobody").request(request.unwrap()).await
    }

    /// Order, payment and stock agree with what Stripe holds: one charge at most to an order, of its total, less what went
    /// back; and nothing is left to do.
    pub(super) async fn agrees(&self) {
        let mut taken: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let intents = self.stripe.objects("payment_intent").await;
        for intent in intents.iter().filter(|intent| intent["status"] == "succeeded") {
            let order = text(&intent["metadata"]["order"]).split(':').nth(1).unwrap().to_owned();
            let before = taken.insert(order.clone(), (intent["amount"].as_i64().unwrap(), 0));
            assert_eq!(before, None, "order {order} is paid twice");
        }
        for refund in self.stripe.objects("refund").await {
            let intent = intents.iter().find(|intent| intent["id"] == refund["payment_intent"]).unwrap();
            let order = text(&intent["metadata"]["order"]).split(':').nth(1).unwrap().to_owned();
            taken.get_mut(&order).unwrap().1 += refund["amount"].as_i64().unwrap();
        }
        let rows = self.stage.platform.database.read(|connection| {
            let sql =
                "SELECT orders.id, orders.status, orders.payment_status, orders.total, payments.captured,
                           payments.returned, (payments.due_at IS NOT NULL), (SELECT CAST(SUM(quantity) AS BIGINT)
                           FROM order_items WHERE order_id = orders.id)
                       FROM orders JOIN payments ON payments.order_id = orders.id";
            connection.query(sql, &[], |row| {
                let id: uuid::Uuid = row.read()?;
                let statuses: (String, String) = (row.read()?, row.read()?);
                let money: (i64, i64, i64) = (row.read()?, row.read()?, row.read()?);
                Ok((id.to_string(), statuses, money, row.read::<bool>()?, row.read::<i64>()?))
            })
        });
        let mut sold = 0;
        for (id, (status, payment), (total, captured, returned), due, pieces) in
            rows.await.map_err(|error: DatabaseError| error).unwrap()
        {
            let (at_stripe, back) = taken.remove(&id).unwrap_or_default();
            let expected = match payment.as_str() {
                "captured" => (total, 0),
                "refunded" => (total, total),
                "partially_refunded" => (total, returned),
                _ => (0, 0),
            };
            assert_eq!((at_stripe, back), expected, "order {id} is {status}, {payment}");
            assert_eq!((captured, returned), (at_stripe, back), "order {id} is {status}, {payment}");
            assert!(!due, "order {id} is {status}, {payment}, and left to the sweep");
            assert_ne!((status.as_str(), payment.as_str()), ("cancelled", "captured"), "{id}");
            sold += if status == "cancelled" { 0 } else { pieces };
        }
        assert_eq!(taken, BTreeMap::new(), "paid for no order");
        assert_eq!(self.stage.stock(&self.pot).await, 1_000 - sold);
        assert_eq!(self.stage.number("SELECT COUNT(*) FROM refunds WHERE state = 'pending'").await, 0);
    }
}
