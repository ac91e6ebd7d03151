//! GET /api/orders and GET /api/orders/{id}.

use std::time::Duration;

use stoa_platform::each_engine;

use crate::stage::{Person, Seen, Stage, migrations};

fn ids(seen: &Seen) -> Vec<String> {
    let entries = seen.body["data"].as_array().unwrap_or_else(|| panic!("no list in {}", seen.text));
    entries.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

/// Five orders of Bob's, a minute apart from 12:01 on, then one of Ann's.
async fn filled(stage: &Stage) -> Vec<String> {
    let pot = stage.product(100, 100).await;
    let mut placed = Vec::new();
    for name in ["bob", "bob", "bob", "bob", "bob", "ann"] {
        stage.clock.advance(Duration::from_mins(1));
        placed.push(stage.person(name).buys(&pot, 1).await.id());
    }
    placed
}

async fn lists(person: &Person, query: &str) -> Vec<String> {
    ids(&person.get(&format!("/api/orders?{query}")).await.expect(200))
}

each_engine! { &migrations();
    async fn everybody_sees_their_own_and_clerks_see_all(db: TestDatabase) {
        let stage = Stage::open(&db);
        let placed = filled(&stage).await;
        let latest_first: Vec<_> = placed.iter().rev().cloned().collect();
        assert_eq!(lists(&stage.bob(), "").await, latest_first[1..]);
        assert_eq!(lists(&stage.clerk(), "").await, latest_first);
        assert_eq!(lists(&stage.clerk(), &format!("userId={}", stage.person("ann").id())).await, placed[5..]);
        assert_eq!(lists(&stage.bob(), &format!("userId={}", stage.bob().id())).await, latest_first[1..]);
        let anns = format!("/api/orders?userId={}", stage.person("ann").id());
        stage.bob().get(&anns).await.refused(403, "FORBIDDEN");
        stage.person("nobody").get("/api/orders").await.refused(401, "AUTHENTICATION_REQUIRED");
        stage.person("stranger").get("/api/orders").await.refused(403, "FORBIDDEN");

        stage.bob().order(&placed[0]).await.expect(200);
        stage.clerk().order(&placed[0]).await.expect(200);
        stage.person("ann").order(&placed[0]).await.refused(404, "ORDER_NOT_FOUND");
        stage.person("nobody").order(&placed[0]).await.refused(401, "AUTHENTICATION_REQUIRED");
        stage.bob().order("0198c1a0-0000-7000-8000-000000000000").await.refused(404, "ORDER_NOT_FOUND");
        stage.bob().order("x").await.refused(400, "INVALID_ID");
        stage.close().await;
    }

    async fn pages_go_on_by_cursor_while_orders_come_in(db: TestDatabase) {
        let stage = Stage::open(&db);
        let placed = filled(&stage).await;
        let bob = stage.bob();
        let first = bob.get("/api/orders?limit=2").await.expect(200);
        assert_eq!(ids(&first), [placed[4].clone(), placed[3].clone()]);
        stage.clock.advance(Duration::from_mins(1));
        bob.buys(&stage.product(100, 1).await, 1).await;
        let cursor = first.body["nextCursor"].as_str().unwrap();
        let second = bob.get(&format!("/api/orders?limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!(ids(&second), [placed[2].clone(), placed[1].clone()]);
        let cursor = second.body["nextCursor"].as_str().unwrap();
        let third = bob.get(&format!("/api/orders?limit=2&cursor={cursor}")).await.expect(200);
        assert_eq!(ids(&third), [placed[0].clone()]);
        assert!(third.body["nextCursor"].is_null());
        let other_way = format!("/api/orders?cursor={cursor}&sortOrder=asc");
        bob.get(&other_way).await.refused(400, "INVALID_QUERY");
        let ascending = lists(&bob, "sortBy=createdAt&sortOrder=asc&limit=3").await;
        assert_eq!(ascending, placed[..3]);
        stage.close().await;
    }

    async fn pages_have_numbers_and_totals_when_asked(db: TestDatabase) {
        let stage = Stage::open(&db);
        let placed = filled(&stage).await;
        let seen = stage.bob().get("/api/orders?page=2&size=2").await.expect(200);
        assert_eq!(ids(&seen), [placed[2].clone(), placed[1].clone()]);
        assert_eq!(seen.body["total"], 5);
        assert_eq!(stage.clerk().get("/api/orders?total=true&limit=1").await.body["total"], 6);
        stage.close().await;
    }

    async fn filters_are_by_status_payment_and_time(db: TestDatabase) {
        let stage = Stage::open(&db);
        let placed = filled(&stage).await;
        stage.bob().cancels(&placed[1]).await.expect(200);
        let bob = stage.bob();
        assert_eq!(lists(&bob, "status=cancelled").await, placed[1..2]);
        assert_eq!(lists(&bob, "paymentStatus=refunded").await, placed[1..2]);
        assert_eq!(lists(&bob, "status=confirmed&paymentStatus=refunded").await, [""; 0]);
        assert_eq!(lists(&stage.clerk(), "status=confirmed").await.len(), 5);
        let span = "from=2026-01-15T12:02:00Z&to=2026-01-15T12:03:00Z";
        assert_eq!(lists(&bob, span).await, [placed[2].clone(), placed[1].clone()]);
        assert_eq!(lists(&bob, "from=2026-01-15T12:05:00.000001Z").await, [""; 0]);
        assert_eq!(lists(&bob, "to=2026-01-15T12:00:59.999Z").await, [""; 0]);
        for bad in
            ["status=lost", "paymentStatus=x", "from=yesterday", "userId=x", "sortBy=total", "limit=0", "cursor=x"]
        {
            bob.get(&format!("/api/orders?{bad}")).await.refused(400, "INVALID_QUERY");
        }
        stage.close().await;
    }
}
