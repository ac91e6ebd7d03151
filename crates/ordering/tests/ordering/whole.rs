//! Ordering inside a whole node, over real HTTP, with the real catalogue and the real accounts.

use std::time::Duration;

use stoa_kernel::{Actor, Authenticator, Credentials, RefusalKind, actor::Machine};
use stoa_testing::{Answer, Client, TestApp, at_once, json};

use crate::stage::order_by;

async fn pays(client: &Client, method: &str) -> Answer {
    client.post("/api/orders", order_by(method)).await
}

async fn wants(client: &Client, product: &str, quantity: i64) {
    client.post("/api/cart/items", json!({"productId": product, "quantity": quantity})).await.expect(200);
}

/// Who a client is, as whoever stays for longer than a request is known.
async fn actor(app: &TestApp, client: &Client) -> Actor {
    let credentials = Credentials::Bearer(client.session["accessToken"].as_str().unwrap());
    app.domains().accounts.authenticate(credentials, [127, 0, 0, 1].into()).await.unwrap()
}

/// Where an order is, for whoever follows it; the code of the refusal otherwise.
async fn followed(app: &TestApp, client: &Client, order: &str) -> Result<&'static str, &'static str> {
    let found = app.domains().ordering.status_of(&actor(app, client).await, order.parse().unwrap()).await;
    found.map(stoa_ordering::OrderStatus::name).map_err(|refusal| refusal.code)
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

stoa_testing::each_engine! {
    async fn two_hundred_shoppers_and_fifty_pieces(app: TestApp) {
        let tea = app.product("1.00", 50).await;
        let mut shoppers = Vec::new();
        for number in 0..200 {
            let shopper = app.shopper(&format!("shopper{number}")).await;
            wants(&shopper, &tea, 1).await;
            shoppers.push(shopper);
        }
        let orders = shoppers.into_iter().map(|shopper| async move { pays(&shopper, "pm_card_visa").await });
        let answers = at_once(orders).await;
        assert_eq!((count(&answers, 201), count(&answers, 422)), (50, 150));
        let refused = answers.iter().filter(|answer| answer.status == 422);
        assert!(refused.clone().all(|answer| answer.code() == Some("INSUFFICIENT_STOCK")));
        let product = app.anon().get(&format!("/api/products/{tea}")).await.expect(200);
        assert_eq!(product.body["stock"], 0);
        let sums = "SELECT CAST((SELECT SUM(amount - refunded) FROM test_provider_charges WHERE state = 'captured')
                    AS BIGINT), CAST(SUM(total) AS BIGINT) FROM orders";
        let (captured, ordered): (i64, i64) = app
            .read(move |connection| connection.find(sums, &[], |row| Ok((row.read()?, row.read()?))))
            .await
            .unwrap();
        assert_eq!((captured, ordered), (50 * 1_110, 50 * 1_110));
        assert_eq!(app.events("order.placed").await.len(), 50);
        assert_eq!(app.events("product.out_of_stock").await.len(), 1);
    }

    async fn what_an_order_takes_and_gives_back_is_told_of_each_product(app: TestApp) {
        let (tea, pot) = (app.product("1.00", 50).await, app.product("2.00", 5).await);
        let bob = app.shopper("bob").await;
        wants(&bob, &tea, 3).await;
        wants(&bob, &pot, 1).await;
        let order = pays(&bob, "pm_card_visa").await.expect(201).id();
        bob.post(&format!("/api/orders/{order}/cancel"), json!({})).await.expect(200);
        let told = app.events("product.stock_changed").await;
        let seen = |product: &str| -> Vec<_> {
            let of = told.iter().filter(|event| event["productId"] == product);
            of.map(|event| json!([event["version"], event["stock"], event["change"], event["reason"]])).collect()
        };
        assert_eq!(seen(&tea), [json!([2, 47, -3, "sold"]), json!([3, 50, 3, "returned"])]);
        assert_eq!(seen(&pot), [json!([2, 4, -1, "sold"]), json!([3, 5, 1, "returned"])]);
        assert_eq!(told.len(), 4);
    }

    async fn an_order_is_followed_by_its_buyer_and_by_clerks(app: TestApp) {
        let tea = app.product("1.00", 50).await;
        let (bob, ann, admin) = (app.shopper("bob").await, app.shopper("ann").await, app.admin().await);
        wants(&bob, &tea, 1).await;
        let order = pays(&bob, "pm_card_visa").await.expect(201).id();
        assert_eq!(followed(app, &bob, &order).await, Ok("confirmed"));
        admin.patch(&format!("/api/orders/{order}/status"), json!({"status": "processing"})).await.expect(200);
        assert_eq!(followed(app, &bob, &order).await, Ok("processing"));
        assert_eq!(followed(app, &admin, &order).await, Ok("processing"));
        // Refused as by REST.
        ann.get(&format!("/api/orders/{order}")).await.refused(404, "ORDER_NOT_FOUND");
        assert_eq!(followed(app, &ann, &order).await, Err("ORDER_NOT_FOUND"));
        assert_eq!(followed(app, &admin, ann.user_id()).await, Err("ORDER_NOT_FOUND"), "no order has that id");
        let till = Actor::Machine(Machine { name: "till".into(), permissions: std::sync::Arc::default() });
        for (somebody, kind) in [(Actor::Guest, RefusalKind::Unauthenticated), (till, RefusalKind::Forbidden)] {
            let refused = app.domains().ordering.status_of(&somebody, order.parse().unwrap()).await;
            assert_eq!(refused.unwrap_err().kind, kind);
        }
    }

    async fn twenty_times_the_same_key(app: TestApp) {
        let tea = app.product("1.00", 50).await;
        let bob = app.shopper("bob").await;
        wants(&bob, &tea, 1).await;
        let bob = bob.with_header("idempotency-key", "order-1");
        let tries = (0..20).map(|_| bob.clone()).map(|bob| async move { pays(&bob, "pm_card_visa").await });
        let answers = at_once(tries).await;
        let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(!placed.is_empty() && placed.iter().all(|answer| answer.text == placed[0].text));
        assert_eq!(placed.len() + count(&answers, 409), 20);
        assert_eq!(app.events("order.placed").await.len(), 1);
        assert_eq!(app.events("payment.processed").await.len(), 1);
    }

    async fn the_scheduled_sweep_gives_up_what_nobody_pays(app: TestApp) {
        let tea = app.product("1.00", 5).await;
        let bob = app.shopper("bob").await;
        wants(&bob, &tea, 2).await;
        let order = pays(&bob, "pm_card_authenticationRequired").await.expect(201);
        let path = format!("/api/orders/{}", order.id());
        app.advance(Duration::from_mins(29)).await;
        // Access tokens are short-lived; the order is not.
        let bob = app.sign_in("bob@example.com").await;
        assert_eq!(bob.get(&path).await.expect(200).body["status"], "pending");
        app.advance(Duration::from_mins(2)).await;
        assert_eq!(bob.get(&path).await.expect(200).body["status"], "cancelled");
        let product = app.anon().get(&format!("/api/products/{tea}")).await.expect(200);
        assert_eq!(product.body["stock"], 5);
        assert!(app.mails().await.iter().any(|mail| mail.subject.ends_with("was cancelled")));
    }

    async fn a_shopper_orders_ten_times_an_hour(app: TestApp, |settings| settings.rate_limits = true) {
        let (bob, ann) = (app.shopper("bob").await, app.shopper("ann").await);
        for _ in 0..10 {
            pays(&bob, "pm_card_visa").await.refused(422, "CART_EMPTY");
        }
        pays(&bob, "pm_card_visa").await.refused(429, "RATE_LIMITED");
        pays(&ann, "pm_card_visa").await.refused(422, "CART_EMPTY");
        bob.get("/api/orders").await.expect(200);
    }

    async fn permissions_are_those_of_the_built_in_roles(app: TestApp) {
        let tea = app.product("1.00", 5).await;
        let (bob, admin) = (app.shopper("bob").await, app.admin().await);
        wants(&bob, &tea, 1).await;
        let order = pays(&bob, "pm_test_timeout").await.expect(201);
        assert_eq!(order.body["paymentStatus"], "captured");
        assert_eq!(admin.get("/api/orders").await.expect(200).entries().len(), 1);
        let status = format!("/api/orders/{}/status", order.id());
        bob.patch(&status, json!({"status": "processing"})).await.refused(403, "FORBIDDEN");
        admin.patch(&status, json!({"status": "processing"})).await.expect(200);
        let versions = [("/api/v1/orders", "/data/0/id"), ("/api/v2/orders", "/data/0/id")];
        for (path, place) in versions {
            let list = bob.get(path).await.expect(200);
            assert_eq!(list.body.pointer(place), Some(&order.body["id"]), "{path}");
        }
    }

    async fn a_hundred_shoppers_for_packages_of_shared_parts_and_an_offer_for_ten(app: TestApp) {
        let (tea, cup) = (app.product("3.00", 30).await, app.product("5.00", 30).await);
        let admin = app.admin().await;
        let of = |teas: i64, cups: i64| {
            json!({"name": "Tea set", "price": 10, "status": "ACTIVE",
                   "items": [{"productId": tea, "quantity": teas}, {"productId": cup, "quantity": cups}]})
        };
        let one = admin.post("/api/packages", of(1, 2)).await.expect(201).id();
        let other = admin.post("/api/packages", of(2, 1)).await.expect(201).id();
        let offer = json!({"name": "Ten", "code": "TEN", "kind": "percent", "value": 10,
                           "target": {"type": "cart"}, "maxUses": 10});
        let offer = admin.post("/api/offers", offer).await.expect(201).id();
        let mut shoppers = Vec::new();
        for number in 0..100 {
            let shopper = app.shopper(&format!("shopper{number}")).await;
            let package = if number % 2 == 0 { &one } else { &other };
            shopper.post("/api/cart/items", json!({"packageId": package, "quantity": 1})).await.expect(200);
            shopper.post("/api/cart/offers", json!({"code": "ten"})).await.expect(200);
            shoppers.push(shopper);
        }
        let orders = shoppers.into_iter().map(|shopper| async move {
            let first = pays(&shopper, "pm_card_visa").await;
            if first.status == 409 { pays(&shopper, "pm_card_visa").await } else { first }
        });
        let answers = at_once(orders).await;
        let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        let refused = answers.iter().filter(|answer| answer.status != 201);
        assert!(refused.clone().all(|answer| answer.code() == Some("INSUFFICIENT_STOCK")));
        let sold = |id: &str| i64::try_from(placed.iter().filter(|answer| answer.text.contains(id)).count()).unwrap();
        let (ones, others) = (sold(&one), sold(&other));
        let stock = |id: String| {
            let anon = app.anon();
            async move { anon.get(&format!("/api/products/{id}")).await.expect(200).body["stock"].as_i64().unwrap() }
        };
        let (teas, cups) = (stock(tea.clone()).await, stock(cup.clone()).await);
        assert_eq!((teas, cups), (30 - ones - 2 * others, 30 - 2 * ones - others));
        assert!(teas >= 0 && cups >= 0 && !(teas >= 1 && cups >= 2) && !(teas >= 2 && cups >= 1), "{teas} {cups}");
        assert_eq!(sold(&offer), 10);
        assert_eq!(admin.get(&format!("/api/offers/{offer}")).await.expect(200).body["uses"], 10);
    }

    async fn a_part_archived_between_cart_and_checkout_is_told(app: TestApp) {
        let (tea, cup) = (app.product("3.00", 9).await, app.product("5.00", 9).await);
        let (admin, bob) = (app.admin().await, app.shopper("bob").await);
        let package = json!({"name": "Tea set", "price": 7, "status": "ACTIVE",
                             "items": [{"productId": tea, "quantity": 1}, {"productId": cup, "quantity": 2}]});
        let package = admin.post("/api/packages", package).await.expect(201).id();
        bob.post("/api/cart/items", json!({"packageId": package, "quantity": 2})).await.expect(200);
        admin.patch(&format!("/api/products/{cup}"), json!({"status": "ARCHIVED"})).await.expect(200);
        let told = pays(&bob, "pm_card_visa").await.refused(409, "PRODUCT_UNAVAILABLE");
        assert_eq!(told.body["errors"][0]["message"], "Tea set is no longer offered.");
        assert_eq!(bob.get("/api/cart").await.expect(200).body["items"][0]["available"], false);
        admin.patch(&format!("/api/products/{cup}"), json!({"status": "ACTIVE"})).await.expect(200);
        let order = pays(&bob, "pm_card_visa").await.expect(201);
        let path = format!("/api/orders/{}/cancel", order.id());
        bob.post(&path, json!({})).await.expect(200);
        for product in [tea, cup] {
            assert_eq!(app.anon().get(&format!("/api/products/{product}")).await.expect(200).body["stock"], 9);
        }
    }

    async fn a_guests_cart_comes_along_after_registering(app: TestApp) {
        let tea = app.product("3.00", 9).await;
        let first = app.anon().post("/api/cart/items", json!({"productId": tea, "quantity": 2})).await.expect(200);
        let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let guest = app.anon().with_header("cookie", &cookie);
        assert_eq!(guest.get("/api/cart").await.expect(200).body["items"][0]["quantity"], 2);
        pays(&guest, "pm_card_visa").await.refused(401, "AUTHENTICATION_REQUIRED");
        let bob = app.shopper("bob").await.with_header("cookie", &cookie);
        let cart = bob.get("/api/cart").await.expect(200);
        assert_eq!(cart.body["items"][0]["quantity"], 2);
        assert!(cart.header("set-cookie").unwrap().starts_with("stoa_cart=; Max-Age=0"));
        assert_eq!(guest.get("/api/cart").await.expect(200).body["items"], json!([]));
    }
}
