//! Counts stay exact while everything happens at once.

use stoa_testing::{at_once, each_engine, json};

use crate::{announced, buys, told, unread};

each_engine! {
    async fn unread_counts_are_exact_after_a_storm(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let tea = app.product("9.90", 100).await;
        for _ in 0..6 {
            buys(&ann, &tea).await;
        }
        for round in 0..4 {
            announced(&admin, &format!("Announcement {round}")).await;
        }
        let told_before = told(app, &ann).await;
        assert_eq!(told_before.len(), 10);
        let storm = told_before.iter().enumerate().flat_map(|(index, one)| {
            let path = format!("/api/notifications/{}", one["id"].as_str().unwrap());
            (0..3).map(move |turn| (index, turn, path.clone()))
        });
        let storm = storm.map(|(index, turn, path)| {
            let (ann, admin) = (ann.clone(), admin.clone());
            async move {
                match (index % 3, turn) {
                    (0, _) => drop(ann.post(&format!("{path}/read"), json!({})).await.expect(200)),
                    // Removing races with itself: one of them is told so.
                    (1, _) => assert!([204, 404].contains(&ann.delete(&path).await.status)),
                    (_, 0) => drop(announced(&admin, "Meanwhile").await),
                    _ => {
                        let page = ann.get("/api/notifications?limit=100&total=true").await.expect(200);
                        let unread = page.entries().iter().filter(|one| one["read"] == false).count();
                        assert!(unread <= 13);
                    }
                }
            }
        });
        at_once(storm).await;
        let told = told(app, &ann).await;
        // Ten there were, three new ones came, three were removed, four were read.
        assert_eq!(told.len(), 10);
        let recounted = told.iter().filter(|one| one["read"] == false).count() as u64;
        assert_eq!((recounted, unread(&ann).await), (6, 6));
        let only = ann.get("/api/notifications?unread=true&limit=100&total=true").await.expect(200);
        assert_eq!((only.entries().len(), &only.body["total"]), (6, &json!(6)));
    }

    async fn read_all_against_reads_and_arrivals_loses_nothing(app: TestApp) {
        let (ann, admin) = (app.shopper("ann").await, app.admin().await);
        let tea = app.product("9.90", 100).await;
        for _ in 0..5 {
            buys(&ann, &tea).await;
        }
        app.settle().await;
        let moves = (0..12).map(|turn| {
            let (ann, admin) = (ann.clone(), admin.clone());
            async move {
                if turn % 3 == 0 {
                    announced(&admin, "Meanwhile").await;
                    0
                } else {
                    ann.post("/api/notifications/read-all", json!({})).await.expect(200).body["read"].as_u64().unwrap()
                }
            }
        });
        let read: u64 = at_once(moves).await.into_iter().sum();
        assert_eq!(read + unread(&ann).await, 9, "each was read once or is unread still");
        ann.post("/api/notifications/read-all", json!({})).await.expect(200);
        assert_eq!(unread(&ann).await, 0);
    }
}
