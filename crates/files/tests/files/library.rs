//! `GET /api/files`, `/api/files/{id}` and its deletion.

use stoa_testing::{each_engine, json};

use crate::{all_agrees, nothing_is_left, samples, sends, sent, text};

each_engine! {
    async fn one_lists_ones_own_files_the_newest_first(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let mut ids = Vec::new();
        for number in 0..5 {
            app.clock.advance(std::time::Duration::from_millis(2));
            ids.insert(0, text(&sent(&ann, &number.to_string()).await, "id").to_owned());
        }
        sent(&bob, "mine").await;
        let listed = |answer: &stoa_testing::Answer| -> Vec<String> {
            answer.entries().iter().map(|file| text(file, "id").to_owned()).collect()
        };
        let first = ann.get("/api/files?limit=2&total=true").await.expect(200);
        assert_eq!((listed(&first), &first.body["total"]), (ids[..2].to_vec(), &json!(5)));
        let next = ann.get(&format!("/api/files?limit=2&cursor={}", text(&first.body, "nextCursor"))).await.expect(200);
        assert_eq!(listed(&next), ids[2..4]);
        let page = ann.get("/api/files?limit=2&page=3").await.expect(200);
        assert_eq!((listed(&page), &page.body["nextCursor"]), (ids[4..].to_vec(), &json!(null)));
        sends(&ann, "a.png", "image/png", &samples::png(9, 9)).await.expect(201);
        assert_eq!(ann.get("/api/files?type=image").await.entries().len(), 1);
        assert_eq!(ann.get("/api/files?type=document&total=true").await.body["total"], 5);
        ann.get("/api/files?type=music").await.refused(400, "INVALID_QUERY");
        ann.get("/api/files?sortOrder=asc").await.refused(400, "INVALID_QUERY");
        ann.get("/api/files?cursor=nonsense").await.refused(400, "INVALID_QUERY");
        app.anon().get("/api/files").await.refused(401, "AUTHENTICATION_REQUIRED");
    }

    async fn a_file_is_looked_at_by_its_id(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let address = format!("/api/files/{}", text(&file, "id"));
        let shown = app.anon().get(&address).await.expect(200);
        assert_eq!(shown.body, file);
        app.anon().with_header("if-none-match", shown.said("etag")).get(&address).await.expect(304);
        app.anon().get("/api/files/0198c2d1-0000-7000-8000-000000000001").await.refused(404, "FILE_NOT_FOUND");
        app.anon().get("/api/files/nonsense").await.refused(400, "INVALID_ID");
    }

    async fn whose_it_is_may_delete_it(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let file = sends(&ann, "a.png", "image/png", &samples::png(9, 9)).await.expect(201).body;
        let address = format!("/api/files/{}", text(&file, "id"));
        app.anon().delete(&address).await.refused(401, "AUTHENTICATION_REQUIRED");
        bob.delete(&address).await.refused(404, "FILE_NOT_FOUND");
        app.admin().await.delete(&address).await.refused(404, "FILE_NOT_FOUND");
        ann.delete(&address).await.expect(204);
        ann.delete(&address).await.refused(404, "FILE_NOT_FOUND");
        ann.get(&address).await.refused(404, "FILE_NOT_FOUND");
        ann.get(text(&file, "url")).await.refused(404, "FILE_NOT_FOUND");
        assert_eq!(app.events("file.deleted").await, [json!({"fileId": file["id"], "userId": ann.user_id(), "filename": file["filename"]})]);
        all_agrees(app).await;
        nothing_is_left(app).await;
    }
}
