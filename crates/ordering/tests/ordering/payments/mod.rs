//! `/api/payments`, and what follows from it.

mod confirm;
mod refunds;
mod stripe;
mod stripe_shop;
mod webhooks;

use serde_json::{Value, json};
use stoa_contracts::ordering::OrderId;
use stoa_platform::{database::DatabaseError, params};

use crate::stage::{Person, Seen, Stage};

impl Person {
    /// Fills the cart and places an order that is to be paid later.
    pub(crate) async fn defers(&self, product: &str, quantity: i64) -> Seen {
        self.wants(product, quantity).await;
        self.pays("deferred").await.expect(201)
    }

    pub(crate) async fn opens_intent(&self, order: &str) -> Seen {
        self.post("/api/payments/intents", json!({"orderId": order})).await
    }

    /// The name of the payment of an order.
    pub(crate) async fn intent(&self, order: &str) -> String {
        text(&self.opens_intent(order).await.expect(200).body["paymentIntentId"])
    }

    pub(crate) async fn confirms(&self, intent: &str, method: &str) -> Seen {
        self.post(&format!("/api/payments/{intent}/confirm"), json!({"paymentMethod": method})).await
    }

    /// Confirms without a body: the second step is taken.
    pub(crate) async fn has_authenticated(&self, intent: &str) -> Seen {
        self.send("POST", &format!("/api/payments/{intent}/confirm"), None, "").await
    }

    pub(crate) async fn refunds(&self, order: &str, body: Value) -> Seen {
        self.post(&format!("/api/orders/{order}/refunds"), body).await
    }

    pub(crate) async fn sees_refunds(&self, order: &str) -> Value {
        self.get(&format!("/api/orders/{order}/refunds")).await.expect(200).body["data"].clone()
    }

    /// An order's status and payment status.
    pub(crate) async fn sees(&self, order: &str) -> (String, String) {
        let order = self.order(order).await.expect(200).body;
        (text(&order["status"]), text(&order["paymentStatus"]))
    }
}

/// What an order's two statuses are to be.
pub(crate) fn both(status: &str, payment: &str) -> (String, String) {
    (status.to_owned(), payment.to_owned())
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Stage {
    /// The provider's name of an order's payment.
    pub(crate) async fn intent_of(&self, order: &str) -> String {
        let order: OrderId = order.parse().unwrap();
        let sql = "SELECT intent FROM payments WHERE order_id = $1";
        let read = self.platform.database.read(move |c| c.find(sql, params![order], |row| row.read()));
        read.await.map_err(|error: DatabaseError| error).unwrap().unwrap()
    }

    /// What the provider holds, in cents.
    pub(crate) async fn held(&self) -> i64 {
        self.number(
            "SELECT CAST(COALESCE(SUM(amount - refunded), 0) AS BIGINT) FROM test_provider_charges
             WHERE state = 'captured'",
        )
        .await
    }
}
