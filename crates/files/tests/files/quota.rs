//! What somebody may keep altogether.

use stoa_testing::{at_once, each_engine, json};

use crate::{all_agrees, samples, sends, sent, text};

each_engine! {
    async fn nobody_keeps_more_than_their_quota(app: TestApp, |settings| settings.files.quota = Some(1_000)) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let first = sent(&ann, &"x".repeat(600)).await;
        let refused = sends(&ann, "a.txt", "text/plain", &[b'x'; 401]).await.refused(413, "QUOTA_EXCEEDED");
        assert_eq!((&refused.body["used"], &refused.body["quota"]), (&json!(600), &json!(1_000)));
        let body = json!({"filename": "a.txt", "contentType": "text/plain", "size": 401});
        ann.post("/api/files/presign", body).await.refused(413, "QUOTA_EXCEEDED");
        sent(&ann, &"x".repeat(400)).await;
        sent(&bob, &"x".repeat(1_000)).await;
        ann.delete(&format!("/api/files/{}", text(&first, "id"))).await.expect(204);
        sent(&ann, &"x".repeat(600)).await;
        all_agrees(app).await;
    }

    async fn what_is_made_of_pictures_counts_too(app: TestApp, |settings| settings.files.quota = Some(300)) {
        let ann = app.shopper("ann").await;
        sends(&ann, "a.png", "image/png", &samples::png(600, 600)).await.refused(413, "QUOTA_EXCEEDED");
        all_agrees(app).await;
    }

    async fn race_many_at_once_do_not_pass_it_together(app: TestApp, |settings| settings.files.quota = Some(1_000)) {
        let ann = app.shopper("ann").await;
        let answers = at_once((0..12).map(|_| {
            let ann = ann.clone();
            async move { sends(&ann, "a.txt", "text/plain", &[b'x'; 300]).await.status }
        }))
        .await;
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 3, "{answers:?}");
        all_agrees(app).await;
    }
}
