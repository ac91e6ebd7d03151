//! Paying later, second steps, giving back, and what Stripe tells.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_drivers::stripe::StripeSettings;
use stoa_platform::testing::TestDatabase;
use stoa_testing::{START, TestApp, json};

use super::{
    super::recorder::{Person, Recorder},
    catalogue::product,
    orders::{buys, pays, wants},
};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let (kettle, ben) = (product(admin, "Another kettle", 500).await, shop.shopper("ben").await);
    is_paid_later(&ben, &kettle, admin).await;
    needs_a_second_step(&ben, &kettle).await;
    is_given_back(&ben, &kettle, admin).await;
    is_heard_from_stripe(shop).await;
}

async fn is_paid_later(ben: &Person<'_>, kettle: &str, admin: &Person<'_>) {
    wants(ben, kettle).await;
    let order = pays(ben, "deferred", 201).await.id();
    ben.get(&format!("/api/orders/{order}/invoice"), 409).await;
    let parcel = json!({"trackingNumber": "GR125"});
    admin.put(&format!("/api/orders/{order}/tracking"), parcel, 409).await;
    admin.post(&format!("/api/orders/{order}/refunds"), json!({"amount": 1}), 409).await;
    let intent =
        ben.post("/api/payments/intents", json!({"orderId": order}), 200).await.text("paymentIntentId");
    ben.post("/api/payments/intents", json!({"orderId": super::NOBODY}), 404).await;
    let confirm = format!("/api/payments/{intent}/confirm");
    for method in ["pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_card_visa"] {
        ben.post(&confirm, json!({"paymentMethod": method}), 200).await;
    }
    ben.post("/api/payments/intents", json!({"orderId": order}), 409).await;
    // Somebody who went away before paying.
    wants(ben, kettle).await;
    let order = pays(ben, "deferred", 201).await.id();
    let intent =
        ben.post("/api/payments/intents", json!({"orderId": order}), 200).await.text("paymentIntentId");
    ben.act(&format!("/api/orders/{order}/cancel"), 200).await;
    ben.post(&format!("/api/payments/{intent}/confirm"), json!({"paymentMethod": "pm_card_visa"}), 409).await;
}

async fn needs_a_second_step(ben: &Person<'_>, kettle: &str) {
    wants(ben, kettle).await;
    let order = pays(ben, "pm_card_authenticationRequired", 201).await;
    let intent = order.data["nextAction"]["paymentIntentId"].as_str().unwrap();
    ben.act(&format!("/api/payments/{intent}/confirm"), 200).await;
}

async fn is_given_back(ben: &Person<'_>, kettle: &str, admin: &Person<'_>) {
    let order = buys(ben, kettle).await;
    let refunds = format!("{order}/refunds");
    admin.post(&refunds, json!({"amount": 1.5, "reason": "A scratch."}), 201).await;
    admin.post(&refunds, json!({"amount": 1_000}), 422).await;
    admin.act(&refunds, 201).await;
    admin.act(&refunds, 409).await;
    ben.get(&refunds, 200).await;
    ben.get(&order, 200).await;
    ben.get(&format!("{order}/invoice?format=json"), 200).await;
    wants(ben, kettle).await;
    let order = pays(ben, "pm_card_refundFail", 201).await.id();
    admin.act(&format!("/api/orders/{order}/refunds"), 201).await;
    ben.get(&format!("/api/orders/{order}/refunds?page=1"), 200).await;
}

const WEBHOOK: &str = "/api/payments/webhooks/stripe";
const WEBHOOK_SECRET: &str = "whsec_of_a_test";

/// A shop that is paid at Stripe hears what concerns nobody there, when it is signed. The other shop hears nothing.
async fn is_heard_from_stripe(shop: &Recorder<'_>) {
    let event = json!({"id": "evt_1", "type": "account.updated", "data": {"object": {"id": "acct_1", "object": "account"}}});
    shop.anon().post(WEBHOOK, event.clone(), 404).await;
    let database =
        TestDatabase::new(shop.app.platform().database.engine(), &stoa_server::wiring::migrations());
    let at_stripe = TestApp::start(database, |settings| {
        super::super::settings(settings);
        settings.stripe = Some(StripeSettings {
            webhook_secret: Some(WEBHOOK_SECRET.to_owned()),
            ..StripeSettings::of("sk_test_of_a_test".to_owned())
        });
    })
    .await;
    let stripe = shop.person(at_stripe.anon());
    let signature = signature(START.to_datetime().timestamp(), &event.to_string());
    stripe.with("stripe-signature", &signature).post(WEBHOOK, event.clone(), 204).await;
    stripe.with("stripe-signature", "t=1,v1=00").post(WEBHOOK, event, 400).await;
    at_stripe.finish().await;
}

fn signature(seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().fold(format!("t={seconds},v1="), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
