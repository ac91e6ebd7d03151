//! Carts of people who have not signed in.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_platform::each_engine;

use crate::stage::{Person, Stage, migrations};

const CARTS: &str = "SELECT COUNT(*) FROM guest_carts";

fn quantities(cart: &Value) -> Vec<(&str, i64)> {
    let line = |item: &'_ Value| item["quantity"].as_i64().unwrap();
    cart["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["productId"].as_str().unwrap(), line(item)))
        .collect()
}

/// The path of the first line of somebody's cart.
async fn first_line(person: &Person) -> String {
    format!("/api/cart/items/{}", person.cart().await.body["items"][0]["id"].as_str().unwrap())
}

each_engine! { &migrations();
    async fn a_guest_has_a_cart_from_the_first_change_on(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_999, 9).await;
        stage.offer(Some("TEN"), 10, 9).await;
        let guest = stage.guest();
        let seen = guest.cart().await;
        assert_eq!(seen.header("set-cookie"), "");
        assert_eq!(seen.body["id"], "00000000-0000-0000-0000-000000000000");
        assert!(seen.body.get("userId").is_none());
        assert_eq!(guest.validates().await.codes(), ["CART_EMPTY"]);
        guest.send("DELETE", "/api/cart", None, "").await.expect(204);
        guest.send("PUT", "/api/cart/items/0198c1a0-0000-7000-8000-000000000000", Some(json!({"quantity": 1})), "")
            .await.refused(404, "CART_ITEM_NOT_FOUND");
        guest.send("DELETE", "/api/cart/offers/TEN", None, "").await.refused(404, "CART_OFFER_NOT_FOUND");
        guest.brings("TEN").await.refused(422, "OFFER_NOT_APPLICABLE");
        guest.adds("0198c1a0-0000-7000-8000-000000000000", 1).await.refused(404, "PRODUCT_NOT_FOUND");
        assert_eq!((stage.number(CARTS).await, guest.cookie().as_str()), (0, ""));

        let cart = guest.adds(&pot, 2).await.expect(200);
        let cookie = cart.header("set-cookie").to_owned();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
        let secret = pair.strip_prefix("stoa_cart=").unwrap();
        assert_eq!(secret.len(), 43, "256 bits");
        assert!(!cart.text.contains(secret), "the answer does not hold the secret");
        guest.brings("TEN").await.expect(200);
        let line = first_line(&guest).await;
        let cart = guest.send("PUT", &line, Some(json!({"quantity": 3})), "").await.expect(200);
        assert_eq!((guest.cookie().as_str(), cart.sums().as_str()), (pair, "59.97 5.99 5.4 10.0 69.38"));
        assert_eq!(guest.cart().await.text, cart.text);
        assert_eq!(guest.validates().await.body["valid"], true);
        guest.send("DELETE", &line, None, "").await.expect(200);
        guest.send("DELETE", "/api/cart", None, "").await.expect(204);
        assert_eq!((stage.number(CARTS).await, guest.cookie().as_str()), (1, pair));
        stage.close().await;
    }

    async fn a_guest_cannot_order(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let guest = stage.guest();
        guest.wants(&pot, 1).await;
        guest.pays("pm_card_visa").await.refused(401, "AUTHENTICATION_REQUIRED");
        assert_eq!(quantities(&guest.cart().await.body), [(pot.as_str(), 1)]);
        stage.close().await;
    }

    async fn guests_do_not_see_each_others_carts(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let (one, two, bob) = (stage.guest(), stage.guest(), stage.bob());
        one.wants(&pot, 1).await;
        bob.wants(&pot, 5).await;
        assert_eq!(two.cart().await.body["items"], json!([]));
        let (line, bobs) = (first_line(&one).await, first_line(&bob).await);
        two.wants(&pot, 2).await;
        for line in [line, bobs] {
            two.send("DELETE", &line, None, "").await.refused(404, "CART_ITEM_NOT_FOUND");
        }
        // Made-up values, a user's id among them, are no cart, and are not taken over.
        let cart_id = one.cart().await.body["id"].as_str().unwrap().to_owned();
        for made_up in [&"a".repeat(43), &bob.id(), &cart_id, "'; DROP TABLE carts"] {
            two.set_cookie(&format!("stoa_cart={made_up}"));
            assert_eq!(two.cart().await.expect(200).body["items"], json!([]));
            two.wants(&pot, 1).await;
            assert!(!two.cookie().contains(made_up));
        }
        assert_eq!(quantities(&one.cart().await.body), [(pot.as_str(), 1)]);
        assert_eq!(quantities(&bob.cart().await.body), [(pot.as_str(), 5)]);
        stage.close().await;
    }

    async fn guests_share_no_idempotency_keys(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 99).await;
        let (one, two) = (stage.guest().with_key("k"), stage.guest().with_key("k"));
        let first = one.adds(&pot, 1).await.expect(200);
        let other = two.adds(&pot, 1).await.expect(200);
        assert_ne!(first.body["id"], other.body["id"]);
        // From the second change on the guest is known, and the key holds.
        one.adds(&pot, 2).await.expect(200);
        let again = one.adds(&pot, 2).await.expect(200);
        assert_eq!(again.header("idempotent-replayed"), "true");
        one.adds(&pot, 3).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        two.adds(&pot, 2).await.expect(200);
        for guest in [one, two] {
            assert_eq!(quantities(&guest.cart().await.body), [(pot.as_str(), 3)]);
        }
        stage.close().await;
    }

    async fn signing_in_brings_the_cart_along(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, pan, cup) =
            (stage.product(100, 2_000).await, stage.product(200, 9).await, stage.product(300, 9).await);
        stage.offer(Some("TEN"), 10, 9).await;
        stage.offer(Some("FIVE"), 5, 9).await;
        stage.bob().wants(&pan, 1).await;
        stage.bob().wants(&pot, 900).await;
        stage.bob().brings("FIVE").await.expect(200);
        let guest = stage.guest();
        guest.wants(&pot, 500).await;
        guest.wants(&cup, 2).await;
        guest.brings("TEN").await.expect(200);
        let secret = guest.cookie();

        let bob = guest.signed_in_as("bob");
        let cart = bob.cart().await;
        assert_eq!(cart.header("set-cookie"), "stoa_cart=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(quantities(&cart.body), [(pan.as_str(), 1), (pot.as_str(), 1_000), (cup.as_str(), 2)]);
        let codes: Vec<_> = cart.body["offers"].as_array().unwrap().iter().map(|offer| &offer["code"]).collect();
        assert_eq!(codes, ["FIVE", "TEN"]);
        assert_eq!(bob.validates().await.body["valid"], true);
        assert_eq!(bob.cart().await.text, cart.text, "once");
        // The secret is worth nothing any more, to anybody.
        guest.set_cookie(&secret);
        assert_eq!(guest.cart().await.body["items"], json!([]));
        let ann = guest.signed_in_as("ann").cart().await;
        assert_eq!((&ann.body["items"], ann.header("set-cookie").contains("Max-Age=0")), (&json!([]), true));
        assert_eq!(stage.number(CARTS).await, 0);
        stage.close().await;
    }

    async fn prices_the_guest_was_shown_stay_shown(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let guest = stage.guest();
        guest.wants(&pot, 1).await;
        stage.set(&pot, "price", "150").await;
        let bob = guest.signed_in_as("bob");
        assert_eq!(bob.validates().await.codes(), ["PRICE_CHANGED"]);
        bob.pays("pm_card_visa").await.refused(409, "PRICE_CHANGED");
        bob.pays("pm_card_visa").await.expect(201);
        stage.close().await;
    }

    async fn ordering_at_once_buys_the_guests_cart(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let guest = stage.guest();
        guest.wants(&pot, 2).await;
        let order = guest.signed_in_as("bob").pays("pm_card_visa").await.expect(201);
        assert_eq!((order.body["items"][0]["quantity"].as_i64(), guest.cookie().as_str()), (Some(2), ""));
        stage.close().await;
    }

    async fn two_carts_that_became_one_are_looked_at_before_they_are_bought(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, pan) = (stage.product(100, 9).await, stage.product(200, 9).await);
        stage.bob().wants(&pan, 1).await;
        let guest = stage.guest();
        guest.wants(&pot, 2).await;
        let bob = guest.signed_in_as("bob");
        bob.pays("pm_card_visa").await.refused(409, "CART_MERGED");
        let order = bob.pays("pm_card_visa").await.expect(201);
        assert_eq!(order.body["items"].as_array().unwrap().len(), 2);
        stage.close().await;
    }

    async fn two_requests_at_once_join_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 999).await;
        for round in 1..=10 {
            let guest = stage.guest();
            guest.wants(&pot, 3).await;
            let cookie = guest.cookie();
            let tries = (0..8).map(|number| {
                // Each at a browser of its own, so that all send the cookie.
                let bob = stage.guest().signed_in_as("bob");
                bob.set_cookie(&cookie);
                tokio::spawn(async move {
                    if number % 2 == 0 { bob.cart().await } else { bob.validates().await }
                })
            });
            for seen in tries.collect::<Vec<_>>() {
                seen.await.unwrap().expect(200);
            }
            assert_eq!(quantities(&stage.bob().cart().await.body), [(pot.as_str(), 3 * round)]);
        }
        stage.close().await;
    }

    async fn a_change_raced_by_signing_in_is_not_lost(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9_999).await;
        let mut expected = 0;
        for _ in 0..10 {
            let guest = stage.guest();
            guest.wants(&pot, 1).await;
            let (adding, bob) = (stage.guest(), stage.guest().signed_in_as("bob"));
            adding.set_cookie(&guest.cookie());
            bob.set_cookie(&guest.cookie());
            let (added, joined) = tokio::join!(
                tokio::spawn({ let (adding, pot) = (adding.clone(), pot.clone()); async move { adding.adds(&pot, 2).await } }),
                tokio::spawn(async move { bob.cart().await }),
            );
            joined.unwrap().expect(200);
            added.unwrap().expect(200);
            // Either it was in time, or it began a new cart for the guest, which the next sign-in brings along.
            expected += 3;
            adding.signed_in_as("bob").cart().await;
            assert_eq!(quantities(&stage.bob().cart().await.body), [(pot.as_str(), expected)]);
        }
        stage.close().await;
    }

    async fn carts_that_nobody_comes_back_to_are_removed(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let (gone, back, bob) = (stage.guest(), stage.guest(), stage.bob());
        for person in [&gone, &back, &bob] {
            person.wants(&pot, 1).await;
        }
        let day = Duration::from_hours(24);
        stage.clock.advance(day * 29);
        back.wants(&pot, 1).await;
        stage.clock.advance(day * 2);
        stage.remove_abandoned_carts().await;
        assert_eq!(stage.number(CARTS).await, 1);
        assert_eq!(stage.number("SELECT COUNT(*) FROM carts").await, 2);
        assert_eq!(stage.number("SELECT COUNT(*) FROM cart_items").await, 2);
        assert_eq!(gone.cart().await.body["items"], json!([]));
        assert_eq!(quantities(&back.cart().await.body), [(pot.as_str(), 2)]);
        assert_eq!(quantities(&bob.cart().await.body), [(pot.as_str(), 1)]);
        stage.close().await;
    }
}
