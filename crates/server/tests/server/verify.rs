//! `stoa verify` on a shop that has sold of everything: it says nothing while the shop is whole, and names each kind of
//! damage that is done to it.

use stoa_platform::{
    database::DatabaseError,
    verify::{Findings, verify},
};
use stoa_server::wiring;
use stoa_testing::{Client, TestApp, each_engine, json};

/// What is done to the shop, what undoes it, and the checks that must notice.
type Damage = (&'static str, &'static str, &'static [&'static str]);

/// The names of the orders below are their notes.
const DAMAGES: &[Damage] = &[
    (
        "INSERT INTO file_usage (owner_id, bytes, files) SELECT id, 1, 0 FROM users ORDER BY id LIMIT 1",
        "DELETE FROM file_usage WHERE bytes = 1",
        &["file-usage"],
    ),
    (
        "INSERT INTO file_messages (message_id, place, file_id, room_id)
         SELECT id, 0, id, room_id FROM messages ORDER BY id LIMIT 1",
        "DELETE FROM file_messages WHERE file_id = message_id",
        &["file-messages"],
    ),
    (
        "UPDATE products SET stock = stock + 1 WHERE name = 'Tea'",
        "UPDATE products SET stock = stock - 1 WHERE name = 'Tea'",
        &["stock-movements"],
    ),
    (
        "UPDATE variants SET stock = stock - 1 WHERE sku = 'CUP-L'",
        "UPDATE variants SET stock = stock + 1 WHERE sku = 'CUP-L'",
        &["stock-of-variants", "stock-sums"],
    ),
    (
        "UPDATE products SET variant_count = variant_count + 1 WHERE name = 'Cup'",
        "UPDATE products SET variant_count = variant_count - 1 WHERE name = 'Cup'",
        &["stock-sums"],
    ),
    (
        "INSERT INTO stock_movements (product_id, version, change, reason, at, actor)
         VALUES ((SELECT id FROM users ORDER BY id LIMIT 1), 1, 7, 'set', 1, 'system:test')",
        "DELETE FROM stock_movements WHERE change = 7 AND reason = 'set' AND at = 1",
        &["stock-of-the-gone"],
    ),
    (
        "UPDATE products SET version = version - 1000 WHERE name = 'Tea'",
        "UPDATE products SET version = version + 1000 WHERE name = 'Tea'",
        &["stock-versions"],
    ),
    (
        "UPDATE offers SET max_uses = 1 WHERE code = 'TEN'",
        "UPDATE offers SET max_uses = 10 WHERE code = 'TEN'",
        &["offer-limits"],
    ),
    (
        "UPDATE offers SET uses = uses + 1 WHERE code = 'TEN'",
        "UPDATE offers SET uses = uses - 1 WHERE code = 'TEN'",
        &["offers-of-orders"],
    ),
    (
        "UPDATE product_search SET status = 'DRAFT' WHERE words = 'tea'",
        "UPDATE product_search SET status = 'ACTIVE' WHERE words = 'tea'",
        &["product-search"],
    ),
    (
        "UPDATE stock_movements SET reason = 'adjusted' WHERE reason = 'sold'",
        "UPDATE stock_movements SET reason = 'sold' WHERE reason = 'adjusted'",
        &["stock-of-orders"],
    ),
    (
        "UPDATE order_items SET price = price + 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        "UPDATE order_items SET price = price - 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        &["order-lines"],
    ),
    (
        "UPDATE order_items SET quantity = quantity + 1, price = price * quantity / (quantity + 1)
         WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        "UPDATE order_items SET quantity = quantity - 1, price = price * quantity / (quantity - 1)
         WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        &["stock-of-orders"],
    ),
    (
        "UPDATE orders SET tax = tax + 1 WHERE notes = 'plain'",
        "UPDATE orders SET tax = tax - 1 WHERE notes = 'plain'",
        &["order-totals"],
    ),
    (
        "UPDATE orders SET tax = tax + 1, discount = discount + 1 WHERE notes = 'coded'",
        "UPDATE orders SET tax = tax - 1, discount = discount - 1 WHERE notes = 'coded'",
        &["order-offers"],
    ),
    (
        "UPDATE orders SET status = 'processing' WHERE notes = 'plain'",
        "UPDATE orders SET status = 'confirmed' WHERE notes = 'plain'",
        &["order-history"],
    ),
    (
        "INSERT INTO order_history (order_id, version, status, at, actor)
         VALUES ((SELECT id FROM users ORDER BY id LIMIT 1), 1, 'pending', 1, 'system:test')",
        "DELETE FROM order_history WHERE at = 1",
        &["order-rows"],
    ),
    (
        "UPDATE payments SET amount = amount + 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        "UPDATE payments SET amount = amount - 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        &["payment-amounts", "payment-captures"],
    ),
    (
        "UPDATE payments SET captured = captured - 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        "UPDATE payments SET captured = captured + 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        &["payment-captures"],
    ),
    (
        "UPDATE payments SET returned = returned + 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'in part')",
        "UPDATE payments SET returned = returned - 1 WHERE order_id = (SELECT id FROM orders WHERE notes = 'in part')",
        &["payment-refunds"],
    ),
    (
        "UPDATE orders SET payment_status = 'captured' WHERE notes = 'in part'",
        "UPDATE orders SET payment_status = 'partially_refunded' WHERE notes = 'in part'",
        &["payment-statuses"],
    ),
    (
        "UPDATE orders SET status = 'cancelled' WHERE notes = 'plain'",
        "UPDATE orders SET status = 'confirmed' WHERE notes = 'plain'",
        &["stock-of-orders", "order-history", "payment-money"],
    ),
    (
        "UPDATE orders SET payment_status = 'failed' WHERE notes = 'plain';
         UPDATE payments SET state = 'declined', captured = 0 WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        "UPDATE orders SET payment_status = 'captured' WHERE notes = 'plain';
         UPDATE payments SET state = 'captured', captured = amount WHERE order_id = (SELECT id FROM orders WHERE notes = 'plain')",
        &["payment-money"],
    ),
    (
        "UPDATE payments SET due_at = NULL, updated_at = due_at WHERE state = 'waiting'",
        "UPDATE payments SET due_at = updated_at WHERE state = 'waiting'",
        &["payment-sweep"],
    ),
    (
        "UPDATE rooms SET last_seq = last_seq + 1 WHERE slug = 'tea-room'",
        "UPDATE rooms SET last_seq = last_seq - 1 WHERE slug = 'tea-room'",
        &["chat-numbers"],
    ),
    (
        "UPDATE room_members SET read_seq = read_seq + 100 WHERE room_id = (SELECT id FROM rooms WHERE slug = 'tea-room')",
        "UPDATE room_members SET read_seq = read_seq - 100 WHERE room_id = (SELECT id FROM rooms WHERE slug = 'tea-room')",
        &["chat-marks"],
    ),
    (
        "UPDATE rooms SET member_count = member_count + 1 WHERE slug = 'tea-room'",
        "UPDATE rooms SET member_count = member_count - 1 WHERE slug = 'tea-room'",
        &["chat-members"],
    ),
    (
        "UPDATE room_members SET role = 'member' WHERE role = 'owner'",
        "UPDATE room_members SET role = 'owner' WHERE room_id = (SELECT id FROM rooms WHERE slug = 'tea-room')",
        &["chat-owners"],
    ),
    (
        "UPDATE rooms SET pair = pair || '?' WHERE kind = 'direct'",
        "UPDATE rooms SET pair = substr(pair, 1, 73) WHERE kind = 'direct'",
        &["chat-pairs"],
    ),
    (
        "UPDATE messages SET reaction_count = reaction_count + 1 WHERE content = 'Hello'",
        "UPDATE messages SET reaction_count = reaction_count - 1 WHERE content = 'Hello'",
        &["chat-reactions"],
    ),
    (
        "INSERT INTO message_mentions (message_id, user_id, room_id, seq)
         SELECT id, id, id, 1 FROM users ORDER BY id LIMIT 1",
        "DELETE FROM message_mentions WHERE message_id = user_id",
        &["chat-mentions"],
    ),
    (
        "UPDATE messages SET content = 'Not quite gone' WHERE deleted_at IS NOT NULL",
        "UPDATE messages SET content = '' WHERE deleted_at IS NOT NULL",
        &["chat-deleted"],
    ),
    (
        "INSERT INTO room_members (room_id, user_id, role, joined_at, read_seq)
         SELECT id, id, 'member', 1, 0 FROM users ORDER BY id LIMIT 1",
        "DELETE FROM room_members WHERE room_id = user_id",
        &["chat-rows"],
    ),
    (
        "UPDATE messages SET deleted_at = 1 WHERE content = 'Hello'",
        "UPDATE messages SET deleted_at = NULL WHERE content = 'Hello'",
        &["chat-deleted", "chat-search"],
    ),
];

#[test]
fn every_check_has_a_damage_that_it_must_notice() {
    let noticed: Vec<&str> =
        DAMAGES.iter().flat_map(|(_, _, noticed_by)| noticed_by.iter().copied()).collect();
    for check in wiring::checks() {
        // Those of the event log are tried where the log is; numbers from a sequence below.
        let elsewhere = check.name.starts_with("event-") || check.name == "order-numbers";
        assert!(elsewhere || noticed.contains(&check.name), "{} notices nothing", check.name);
    }
    assert!(DAMAGES.len() >= 20);
}

each_engine! {
    async fn every_kind_of_damage_is_named_and_a_whole_shop_is_clean(app: TestApp) {
        sell_of_everything(app).await;
        talk_of_everything(app).await;
        assert_eq!(unhappy(app).await, Vec::<String>::new());
        for (damage, repair, noticed_by) in DAMAGES {
            change(app, damage).await;
            let mut expected: Vec<String> = noticed_by.iter().map(ToString::to_string).collect();
            expected.sort_unstable();
            assert_eq!(unhappy(app).await, expected, "after {damage}");
            change(app, repair).await;
            assert_eq!(unhappy(app).await, Vec::<String>::new(), "after {repair}");
        }
        // Where the numbers of orders come from a sequence, it can fall behind.
        if app.platform().database.engine() == stoa_testing::Engine::Postgres {
            change(app, "SELECT setval('orders_number_seq', 1)").await;
            assert_eq!(unhappy(app).await, ["order-numbers"]);
            change(app, "SELECT setval('orders_number_seq', 1000)").await;
        }
    }
}

/// A shop with a plain product, one with variants, a package and a code, and orders of each, in each state that matters.
async fn sell_of_everything(app: &TestApp) {
    let admin = app.admin().await;
    let tea = app.product("3.00", 100).await;
    let cup = json!({"name": "Cup", "price": 5, "category": "cups", "status": "ACTIVE"});
    let cup = admin.post("/api/products", cup).await.expect(201).id();
    let large = json!({"name": "Large", "sku": "CUP-L", "price": 6, "stock": 40});
    let variants = format!("/api/products/{cup}/variants");
    let large = admin.post(&variants, large).await.expect(201).body["id"].clone();
    let set = json!({"name": "Tea set", "price": 8, "status": "ACTIVE",
                     "items": [{"productId": tea, "quantity": 2}, {"productId": cup, "variantId": large, "quantity": 1}]});
    let set = admin.post("/api/packages", set).await.expect(201).id();
    let offer = json!({"name": "Ten", "code": "TEN", "kind": "percent", "value": 10, "target": {"type": "cart"}, "maxUses": 10});
    admin.post("/api/offers", offer).await.expect(201);

    let bob = app.shopper("bob").await;
    let plain = json!({"productId": tea, "quantity": 1});
    let large = json!({"productId": cup, "variantId": large, "quantity": 2});
    let set = json!({"packageId": set, "quantity": 2});
    buys(&bob, &plain, None, "pm_card_visa", "plain").await.expect(201);
    buys(&bob, &large, Some("TEN"), "pm_card_visa", "coded").await.expect(201);
    buys(&bob, &set, Some("TEN"), "pm_card_visa", "packed").await.expect(201);
    buys(&bob, &plain, None, "deferred", "later").await.expect(201);
    buys(&bob, &set, Some("TEN"), "pm_card_chargeDeclined", "declined")
        .await
        .refused(402, "PAYMENT_DECLINED");
    bob.delete("/api/cart").await.expect(204);
    let called_off = buys(&bob, &set, None, "pm_card_visa", "called off").await.expect(201).id();
    bob.post(&format!("/api/orders/{called_off}/cancel"), json!({})).await.expect(200);
    let in_part = buys(&bob, &large, None, "pm_card_visa", "in part").await.expect(201).id();
    admin.post(&format!("/api/orders/{in_part}/refunds"), json!({"amount": 2})).await.expect(201);
    app.settle().await;
}

/// A room with what can be in one, and one between two people.
async fn talk_of_everything(app: &TestApp) {
    let (ann, bob) = (app.shopper("ann").await, app.sign_in("bob@example.com").await);
    ann.post("/api/rooms", json!({"slug": "tea-room"})).await.expect(201);
    let says = async |who: &Client, room: &str, content: &str| {
        who.post("/api/messages", json!({"room": room, "content": content})).await.expect(201).id()
    };
    let hello = says(&ann, "tea-room", "Hello").await;
    ann.post(&format!("/api/messages/{hello}/react"), json!({"emoji": "👍"})).await.expect(200);
    let gone = says(&ann, "tea-room", "Soon gone").await;
    ann.delete(&format!("/api/messages/{gone}")).await.expect(204);
    says(&bob, "general", "Hello, @ann").await;
    ann.post("/api/rooms", json!({"kind": "direct", "userId": bob.user_id()})).await.expect(201);
    app.settle().await;
}

async fn buys(
    who: &Client,
    what: &serde_json::Value,
    code: Option<&str>,
    method: &str,
    notes: &str,
) -> stoa_testing::Answer {
    who.post("/api/cart/items", what.clone()).await.expect(200);
    if let Some(code) = code {
        who.post("/api/cart/offers", json!({"code": code})).await.expect(200);
    }
    let address = json!({"fullName": "Bob", "street": "1 Main St", "city": "Springfield", "state": "IL",
                         "zipCode": "62701", "country": "US", "phone": "+1 555 0100"});
    who.post("/api/orders", json!({"shippingAddress": address, "paymentMethod": method, "notes": notes}))
        .await
}

async fn change(app: &TestApp, sql: &'static str) {
    let done: Result<(), DatabaseError> = app.platform().database.write(move |tx| tx.batch(sql)).await;
    done.unwrap();
}

/// The names of the checks that found something, in order.
async fn unhappy(app: &TestApp) -> Vec<String> {
    let found = verify(&app.platform().database, app.clock.clock().now(), wiring::checks()).await.unwrap();
    let damaged = |findings: &Findings| !findings.contradictions.is_empty();
    let mut names: Vec<String> = found.iter().filter(|f| damaged(f)).map(|f| f.check.to_owned()).collect();
    names.sort_unstable();
    names
}
