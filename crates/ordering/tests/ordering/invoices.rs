//! `/api/orders/{id}/invoice`.

use serde_json::json;
use stoa_platform::each_engine;

use crate::stage::{Stage, address, migrations};

each_engine! { &migrations();
    async fn a_paid_order_has_an_invoice_to_print(db: TestDatabase) {
        let stage = Stage::open(&db);
        let (pot, shirt) = (stage.product(123_456, 9).await, stage.product(2_000, 9).await);
        let red = stage.variant(&shirt, "red", 2_100, 5).await;
        stage.offer(None, 10, 9).await;
        stage.offer(Some("TEN"), 10, 9).await;
        let bob = stage.bob();
        bob.wants(&pot, 2).await;
        bob.adds_variant(&shirt, &red, 1).await.expect(200);
        bob.brings("TEN").await.expect(200);
        let order = bob.pays("pm_card_visa").await.expect(201).id();
        let path = format!("/api/orders/{order}/invoice");
        let seen = bob.get(&path).await.expect(200);
        assert_eq!(seen.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(seen.header("content-disposition"), "inline; filename=\"INV-000001.html\"");
        assert_eq!(seen.header("cache-control"), "no-store");
        for text in [
            "<h1>Invoice</h1>", "INV-000001", "STOA-000001", "15 January 2026", ">Paid<", "Rue &lt;Pot&gt; &amp; Sons",
            "1 Market Square", "Tax id GB 123", "Bob Buyer", "10555 Athens", "Pot, red", "<td>2</td>", "<td>1,234.56</td>",
            "<td>2,469.12</td>", "<td>2,490.12</td>", "Sale (TEN)", "<td>−249.01</td>", "2,191.31", "USD",
        ] {
            assert!(seen.text.contains(text), "{text} is not in {}", seen.text);
        }
        assert!(!seen.text.contains("Refunded on"));
        let told = bob.get(&format!("{path}?format=json")).await.expect(200);
        assert_eq!(told.body["number"], "INV-000001");
        assert_eq!(told.body["issuedAt"], "2026-01-15T12:00:00.000Z");
        assert_eq!(told.body["seller"], json!({"name": "Rue <Pot> & Sons", "address": ["1 Market Square", "London"], "taxId": "GB 123"}));
        assert_eq!(told.body["order"], bob.order(&order).await.body);
        assert_eq!((&told.body["refunds"], &told.body["refunded"]), (&json!([]), &json!(0.0)));
        assert_eq!(told.body["paid"], told.body["order"]["total"]);
        let v1 = bob.get(&format!("/api/v1/orders/{order}/invoice?format=json")).await.expect(200);
        assert_eq!(v1.body["data"]["number"], "INV-000001");
        stage.close().await;
    }

    async fn money_that_went_back_is_on_it(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let bob = stage.bob();
        let order = bob.buys(&pot, 1).await.id();
        bob.cancels(&order).await.expect(200);
        let path = format!("/api/orders/{order}/invoice");
        let seen = bob.get(&path).await.expect(200);
        for text in [">Refunded<", "Refunded on 15 January 2026", "−21.00", "Total after refunds", "0.00 USD"] {
            assert!(seen.text.contains(text), "{text} is not in {}", seen.text);
        }
        let told = bob.get(&format!("{path}?format=json")).await.expect(200);
        assert_eq!(told.body["refunds"], json!([{"amount": 21.0, "at": "2026-01-15T12:00:00.000Z"}]));
        assert_eq!((&told.body["refunded"], &told.body["paid"]), (&json!(21.0), &json!(0.0)));
        stage.close().await;
    }

    async fn whoever_may_not_see_the_order_sees_no_invoice(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let order = stage.bob().buys(&pot, 1).await.id();
        let path = format!("/api/orders/{order}/invoice");
        stage.clerk().get(&path).await.expect(200);
        stage.person("ann").get(&path).await.refused(404, "ORDER_NOT_FOUND");
        stage.person("stranger").get(&path).await.refused(403, "FORBIDDEN");
        stage.person("nobody").get(&path).await.refused(401, "AUTHENTICATION_REQUIRED");
        stage.bob().get("/api/orders/x/invoice").await.refused(400, "INVALID_ID");
        stage.bob().get(&format!("{path}?format=pdf")).await.refused(400, "INVALID_QUERY");
        stage.close().await;
    }

    async fn what_was_not_paid_has_none(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        let order = bob.pays("pm_card_authenticationRequired").await.expect(201).id();
        let path = format!("/api/orders/{order}/invoice");
        bob.get(&path).await.refused(409, "ORDER_NOT_PAID");
        bob.cancels(&order).await.expect(200);
        bob.get(&path).await.refused(409, "ORDER_NOT_PAID");
        stage.close().await;
    }

    async fn nothing_that_buyers_or_clerks_write_becomes_markup(db: TestDatabase) {
        const HOSTILE: &str = "<script>alert(1)</script>'\"&{{ 7*7 }}{% raw %}</style><b onclick=x>";
        let stage = Stage::open(&db);
        let pot = stage.product(1_000, 9).await;
        let quoted = HOSTILE.replace('\'', "''");
        stage.set(&pot, "name", &format!("'{quoted}'")).await;
        let sale = stage.offer(Some("TEN"), 10, 9).await;
        stage.set_in("shelf_offers", &sale, "name", &format!("'{quoted}'")).await;
        let bob = stage.bob();
        bob.wants(&pot, 1).await;
        bob.brings("TEN").await.expect(200);
        let mut written = address();
        for field in ["fullName", "street", "city", "state", "country"] {
            written[field] = json!(HOSTILE);
        }
        let body = json!({"shippingAddress": written, "billingAddress": written, "paymentMethod": "pm_card_visa"});
        let order = bob.post("/api/orders", body).await.expect(201).id();
        let seen = bob.get(&format!("/api/orders/{order}/invoice")).await.expect(200);
        for markup in ["<script", "<b onclick", "49"] {
            assert!(!seen.text.contains(markup), "{markup} is in {}", seen.text);
        }
        assert_eq!(seen.text.matches("</style>").count(), 1);
        assert!(seen.text.matches("&lt;script&gt;").count() >= 10);
        let policy = seen.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        stage.close().await;
    }
}
