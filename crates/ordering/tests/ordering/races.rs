//! Many at once.

use std::sync::Arc;

use stoa_platform::each_engine;

use crate::stage::{Person, Seen, Stage, migrations};

async fn at_once(futures: Vec<impl Future<Output = Seen> + Send + 'static>) -> Vec<Seen> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap());
    }
    seen
}

fn count(seen: &[Seen], status: u16) -> usize {
    seen.iter().filter(|seen| seen.status == status).count()
}

each_engine! { &migrations();
    async fn two_hundred_buyers_and_fifty_pieces(db: TestDatabase) {
        let stage = Arc::new(Stage::open(&db));
        let pot = stage.product(100, 50).await;
        for number in 0..200 {
            stage.person(&format!("buyer {number}")).wants(&pot, 1).await;
        }
        let buyers = (0..200).map(|number| stage.person(&format!("buyer {number}")));
        let seen = at_once(buyers.map(|buyer| async move { buyer.pays("pm_card_visa").await }).collect()).await;
        assert_eq!((count(&seen, 201), count(&seen, 422)), (50, 150), "{:?}", seen.iter().map(|seen| seen.status).collect::<Vec<_>>());
        assert!(seen.iter().filter(|seen| seen.status == 422).all(|seen| seen.body["code"] == "INSUFFICIENT_STOCK"));
        assert_eq!(stage.stock(&pot).await, 0);
        let captures = "SELECT CAST(SUM(amount) AS BIGINT) FROM test_provider_charges WHERE state = 'captured'";
        assert_eq!(stage.number(captures).await, 50 * 1_110);
        assert_eq!(stage.number("SELECT CAST(SUM(total) AS BIGINT) FROM orders").await, 50 * 1_110);
        Arc::into_inner(stage).unwrap().close().await;
    }

    async fn one_key_twenty_times_is_one_order(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 50).await;
        stage.bob().wants(&pot, 1).await;
        let bob = stage.bob().with_key("order");
        let tries = (0..20).map(|_| bob.clone()).map(|bob| async move { bob.pays("pm_card_visa").await });
        let seen = at_once(tries.collect()).await;
        let paid: Vec<_> = seen.iter().filter(|seen| seen.status == 201).collect();
        assert_eq!(paid.len() + count(&seen, 409), 20, "{:?}", seen.iter().map(|seen| &seen.text).collect::<Vec<_>>());
        assert!(!paid.is_empty() && paid.iter().all(|seen| seen.text == paid[0].text));
        assert!(seen.iter().filter(|seen| seen.status == 409).all(|seen| seen.body["code"] == "IDEMPOTENCY_IN_PROGRESS"));
        assert_eq!(stage.number("SELECT COUNT(*) FROM orders").await, 1);
        assert_eq!((stage.outside.charges_asked(), stage.stock(&pot).await), (1, 49));
        stage.close().await;
    }

    async fn one_cart_is_bought_once(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 50).await;
        stage.bob().wants(&pot, 1).await;
        let tries = (0..10).map(|_| stage.bob()).map(|bob| async move { bob.pays("pm_card_visa").await });
        let seen = at_once(tries.collect()).await;
        assert_eq!((count(&seen, 201), count(&seen, 422)), (1, 9));
        assert_eq!((stage.outside.charges_asked(), stage.stock(&pot).await), (1, 49));
        stage.close().await;
    }

    async fn of_a_cancellation_and_a_change_of_status_one_wins(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 100).await;
        for _ in 0..10 {
            let id = stage.bob().buys(&pot, 1).await.id();
            let (bob, clerk, cancelled, moved) = (stage.bob(), stage.clerk(), id.clone(), id.clone());
            let (cancelled, moved) = tokio::join!(
                tokio::spawn(async move { bob.cancels(&cancelled).await }),
                tokio::spawn(async move { clerk.moves(&moved, "processing").await }),
            );
            let (cancelled, moved) = (cancelled.unwrap().status, moved.unwrap().status);
            assert!(matches!((cancelled, moved), (200, 409) | (409, 200)), "{cancelled} and {moved}");
            let status = stage.bob().order(&id).await.body["status"].clone();
            assert_eq!(status, if cancelled == 200 { "cancelled" } else { "processing" });
        }
        let held = stage.number("SELECT COUNT(*) FROM orders WHERE status = 'processing'").await;
        assert_eq!(stage.stock(&pot).await, 100 - held);
        stage.close().await;
    }

    async fn ten_cancellations_are_one_refund(db: TestDatabase) {
        let stage = Stage::open(&db);
        let pot = stage.product(100, 9).await;
        let id = stage.bob().buys(&pot, 1).await.id();
        let tries = (0..10).map(|_| (stage.bob(), id.clone()));
        let seen = at_once(tries.map(|(bob, id)| async move { bob.cancels(&id).await }).collect()).await;
        assert_eq!((count(&seen, 200), count(&seen, 409)), (1, 9));
        assert_eq!(stage.number("SELECT COUNT(*) FROM test_provider_refunds").await, 1);
        assert_eq!(stage.stock(&pot).await, 9);
        stage.close().await;
    }

    async fn carts_hold_under_many_hands(db: TestDatabase) {
        let stage = Stage::open(&db);
        let mut products = Vec::new();
        for _ in 0..10 {
            products.push(stage.product(100, 100).await);
        }
        let adds = (0..50).map(|number| (stage.bob(), products[number % 10].clone()));
        let seen = at_once(adds.map(|(bob, product)| async move { bob.adds(&product, 1).await }).collect()).await;
        assert_eq!(count(&seen, 200), 50);
        let cart = stage.bob().get("/api/cart").await.body;
        let quantities: Vec<_> = cart["items"].as_array().unwrap().iter().map(|item| &item["quantity"]).collect();
        assert_eq!(quantities.len(), 10);
        assert!(quantities.iter().all(|quantity| **quantity == 5));
        stage.close().await;
    }

    async fn two_hundred_buyers_of_packages_that_share_parts(db: TestDatabase) {
        let stage = Arc::new(Stage::open(&db));
        let (pot, lid) = (stage.product(100, 70).await, stage.product(100, 60).await);
        let one = stage.package(150, &[(&pot, None, 1), (&lid, None, 2)]).await;
        let other = stage.package(150, &[(&lid, None, 1), (&pot, None, 2)]).await;
        for number in 0..200 {
            let buyer = stage.person(&format!("buyer {number}"));
            match number % 3 {
                0 => buyer.adds_package(&one, 1).await,
                1 => buyer.adds_package(&other, 1).await,
                _ => buyer.adds(&lid, 1).await,
            }
            .expect(200);
        }
        let buyers = (0..200).map(|number| stage.person(&format!("buyer {number}")));
        let seen = at_once(buyers.map(|buyer| async move { buyer.pays("pm_card_visa").await }).collect()).await;
        let placed: Vec<_> = seen.iter().filter(|seen| seen.status == 201).collect();
        assert_eq!(placed.len() + count(&seen, 422), 200);
        assert!(seen.iter().filter(|seen| seen.status == 422).all(|seen| seen.body["code"] == "INSUFFICIENT_STOCK"));
        let of = |id: &str| i64::try_from(placed.iter().filter(|seen| seen.text.contains(id)).count()).unwrap();
        let (ones, others, lids) = (of(&one), of(&other), of(&lid));
        let (pots_left, lids_left) = (stage.stock(&pot).await, stage.stock(&lid).await);
        assert_eq!((pots_left, lids_left), (70 - ones - 2 * others, 60 - 2 * ones - others - lids));
        assert!(pots_left >= 0 && lids_left >= 0);
        // More of each was wanted than there was, and nobody was refused what was there.
        assert!(lids_left == 0 || lids == 66, "{lids_left} lids are left, {lids} were sold");
        assert!(lids_left < 2 || pots_left < 1, "one of the packages would still fit");
        Arc::into_inner(stage).unwrap().close().await;
    }

    async fn an_offer_for_ten_under_two_hundred_hands(db: TestDatabase) {
        let stage = Arc::new(Stage::open(&db));
        let pot = stage.product(1_000, 150).await;
        let ten = stage.offer(Some("TEN"), 10, 10).await;
        let sale = stage.offer(None, 50, 60).await;
        for number in 0..200 {
            let buyer = stage.person(&format!("buyer {number}"));
            buyer.wants(&pot, 1).await;
            if number % 2 == 0 {
                buyer.brings("TEN").await.expect(200);
            }
        }
        // Told what changed, everybody tries again until they have it or it is sold out.
        let insists = |buyer: Person| async move {
            let mut told = 0;
            loop {
                let seen = buyer.pays("pm_card_visa").await;
                if seen.status != 409 {
                    return seen;
                }
                assert_eq!(seen.body["code"], "OFFER_CHANGED", "{}", seen.text);
                told += 1;
                assert!(told <= 3, "a code and a sale can be lost once each, and a sale won back");
            }
        };
        let buyers = (0..200).map(|number| stage.person(&format!("buyer {number}")));
        let seen = at_once(buyers.map(insists).collect()).await;
        assert_eq!((count(&seen, 201), count(&seen, 422)), (150, 50));
        assert_eq!(stage.stock(&pot).await, 0);
        let with = |id: &str| seen.iter().filter(|seen| seen.status == 201 && seen.text.contains(id)).count();
        assert_eq!((with(&ten), with(&sale)), (10, 60));
        for (offer, uses) in [(&ten, 10), (&sale, 60)] {
            assert_eq!(stage.number_in("shelf_offers", offer, "uses").await, uses);
        }
        Arc::into_inner(stage).unwrap().close().await;
    }

    async fn uses_given_back_are_used_again(db: TestDatabase) {
        let stage = Arc::new(Stage::open(&db));
        let pot = stage.product(1_000, 1_000).await;
        let sale = stage.offer(None, 50, 5).await;
        let tries = (0..60).map(|number| {
            let buyer = stage.person(&format!("buyer {number}"));
            let (pot, method) = (pot.clone(), if number % 3 == 0 { "pm_card_visa" } else { "pm_card_chargeDeclined" });
            async move {
                buyer.wants(&pot, 1).await;
                loop {
                    let seen = buyer.pays(method).await;
                    if seen.status != 409 {
                        return seen;
                    }
                }
            }
        });
        let seen = at_once(tries.collect()).await;
        assert_eq!((count(&seen, 201), count(&seen, 402)), (20, 40));
        let with = seen.iter().filter(|seen| seen.status == 201 && seen.text.contains(&sale)).count();
        assert_eq!(stage.number_in("shelf_offers", &sale, "uses").await, i64::try_from(with).unwrap());
        assert!(with <= 5);
        assert_eq!(stage.stock(&pot).await, 980);
        Arc::into_inner(stage).unwrap().close().await;
    }
}
