//! Carts of guests and of people, and what becomes of an order.

use stoa_testing::{Value, json};

use super::{
    super::recorder::{Person, Recorder, Told},
    catalogue::{package, product},
};

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let kettle = product(admin, "Kettle", 500).await;
    is_filled_by_a_guest(shop, &kettle).await;
    let ann = shop.shopper("ann").await;
    is_filled_by_somebody(&ann, admin, &kettle).await;
    is_not_as_it_was_shown(&ann, admin).await;
    let order = is_bought(&ann, &kettle).await;
    is_sent(&ann, admin, &order).await;
    is_called_off(&ann, &kettle).await;
    ann.get("/api/orders", 200).await;
    admin.get("/api/orders?status=delivered&page=1", 200).await;
}

pub(super) fn address() -> Value {
    json!({
        "fullName": "Ann Buyer", "street": "1 Stoa Lane", "city": "Athens", "state": "", "zipCode": "10555",
        "country": "GR", "phone": "+30 210 0000000",
    })
}

pub(super) async fn wants(who: &Person<'_>, product: &str) -> Told {
    who.post("/api/cart/items", json!({"productId": product, "quantity": 1}), 200).await
}

pub(super) async fn pays(who: &Person<'_>, method: &str, status: u16) -> Told {
    let body = json!({"shippingAddress": address(), "paymentMethod": method});
    who.post("/api/orders", body, status).await
}

/// Puts a product into the cart and pays; answers the path of the order.
pub(super) async fn buys(who: &Person<'_>, product: &str) -> String {
    wants(who, product).await;
    format!("/api/orders/{}", pays(who, "pm_card_visa", 201).await.id())
}

async fn is_filled_by_a_guest(shop: &Recorder<'_>, kettle: &str) {
    let guest = shop.anon();
    guest.get("/api/cart", 200).await;
    let cart = wants(&guest, kettle).await;
    let cookie = cart.answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let guest = guest.with("cookie", &cookie);
    guest.get("/api/cart", 200).await;
    guest.act("/api/cart/validate", 200).await;
}

async fn is_filled_by_somebody(ann: &Person<'_>, admin: &Person<'_>, kettle: &str) {
    let mug = product(admin, "Mug", 0).await;
    let large = json!({"name": "Large", "sku": "MUG-L", "stock": 9});
    let large = admin.post(&format!("/api/products/{mug}/variants"), large, 201).await.id();
    let set = package(admin, "Kettle and more", kettle).await;
    let items = "/api/cart/items";
    wants(ann, kettle).await;
    ann.post(items, json!({"productId": mug, "variantId": large, "quantity": 1}), 200).await;
    let cart = ann.post(items, json!({"packageId": set, "quantity": 2}), 200).await;
    ann.post(items, json!({"productId": super::NOBODY, "quantity": 1}), 404).await;
    ann.post(items, json!({"productId": mug, "quantity": 1}), 422).await;
    let line = |number: usize| format!("{items}/{}", cart.data["items"][number]["id"].as_str().unwrap());
    ann.put(&line(0), json!({"quantity": 3}), 200).await;
    ann.post("/api/cart/offers", json!({"code": "SPRING"}), 200).await;
    ann.post("/api/cart/offers", json!({"code": "NONSENSE"}), 422).await;
    let wares = json!({
        "shippingAddress": address(), "billingAddress": address(), "paymentMethod": "pm_card_visa", "notes": "Ring twice.",
    });
    ann.get("/api/cart", 200).await;
    ann.post("/api/orders", wares, 201).await;
    let cart = wants(ann, kettle).await;
    ann.post("/api/cart/offers", json!({"code": "SPRING"}), 200).await;
    ann.delete("/api/cart/offers/SPRING", 200).await;
    ann.delete(&format!("{items}/{}", cart.data["items"][0]["id"].as_str().unwrap()), 200).await;
    ann.delete("/api/cart", 204).await;
}

async fn is_not_as_it_was_shown(ann: &Person<'_>, admin: &Person<'_>) {
    let bowl = product(admin, "Bowl", 3).await;
    wants(ann, &bowl).await;
    admin.patch(&format!("/api/products/{bowl}"), json!({"price": 11.5}), 200).await;
    ann.act("/api/cart/validate", 200).await;
    pays(ann, "pm_card_visa", 409).await;
    admin.patch(&format!("/api/products/{bowl}/stock"), json!({"quantityChange": -3}), 200).await;
    ann.act("/api/cart/validate", 200).await;
    pays(ann, "pm_card_visa", 422).await;
    admin.delete(&format!("/api/products/{bowl}"), 204).await;
    ann.act("/api/cart/validate", 200).await;
    ann.delete("/api/cart", 204).await;
}

async fn is_bought(ann: &Person<'_>, kettle: &str) -> String {
    wants(ann, kettle).await;
    pays(ann, "pm_card_chargeDeclined", 402).await;
    pays(ann, "cash", 422).await;
    ann.delete("/api/cart", 204).await;
    let order = buys(ann, kettle).await;
    ann.get_twice(&order).await;
    ann.get(&format!("{order}/invoice"), 200).await;
    ann.get(&format!("{order}/invoice?format=json"), 200).await;
    order
}

async fn is_sent(ann: &Person<'_>, admin: &Person<'_>, order: &str) {
    let (status, tracking) = (format!("{order}/status"), format!("{order}/tracking"));
    ann.patch(&status, json!({"status": "shipped"}), 403).await;
    admin.patch(&status, json!({"status": "delivered"}), 409).await;
    admin.patch(&status, json!({"status": "processing", "details": "It is being packed."}), 200).await;
    let parcel =
        json!({"trackingNumber": "GR123", "carrier": "Hermes", "estimatedDelivery": "2026-01-20T12:00:00Z"});
    admin.put(&tracking, parcel, 200).await;
    admin.with("if-match", "\"0\"").put(&tracking, json!({"trackingNumber": "GR124"}), 412).await;
    admin.with("if-match", "\"0\"").patch(&status, json!({"status": "shipped"}), 412).await;
    for next in ["shipped", "delivered"] {
        admin.patch(&status, json!({"status": next}), 200).await;
    }
    ann.act(&format!("{order}/cancel"), 409).await;
    ann.get(order, 200).await;
}

async fn is_called_off(ann: &Person<'_>, kettle: &str) {
    let order = buys(ann, kettle).await;
    let cancel = format!("{order}/cancel");
    ann.with("if-match", "\"0\"").act(&cancel, 412).await;
    ann.act(&cancel, 200).await;
    ann.act(&cancel, 409).await;
    ann.get(&format!("{order}/refunds"), 200).await;
}
