//! Pictures in other sizes and shapes: `?w=&h=&fit=&format=`.

use stoa_testing::{at_once, each_engine};

use crate::{all_agrees, samples, sends, sent, stored, text};

each_engine! {
    async fn a_picture_comes_in_other_sizes_and_formats(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "photo.png", "image/png", &samples::png(600, 300)).await.expect(201).body;
        let url = text(&file, "url");
        let square = app.anon().get(&format!("{url}?w=100&h=100&fit=cover&format=png")).await.expect(200);
        assert_eq!((square.said("content-type"), square.said("content-disposition")), ("image/png", "inline; filename=\"photo.png\""));
        let picture = image::load_from_memory(&square.bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (100, 100));
        let narrow = app.anon().get(&format!("{url}?w=200&format=jpeg")).await.expect(200);
        let picture = image::load_from_memory(&narrow.bytes).unwrap();
        assert_eq!((picture.width(), picture.height(), narrow.said("content-type")), (200, 100, "image/jpeg"));
        assert_ne!(square.said("etag"), narrow.said("etag"));
        assert_eq!(narrow.said("cache-control"), "public, max-age=31536000, immutable");
        let again = app.anon().get(&format!("{url}?w=200&format=jpeg")).await.expect(200);
        assert_eq!((&again.bytes, again.header("etag")), (&narrow.bytes, narrow.header("etag")));
        let known = app.anon().with_header("if-none-match", narrow.said("etag")).get(&format!("{url}?w=200&format=jpeg")).await;
        known.expect(304);
        let made = stored(app).await.into_iter().filter(|key| key.starts_with("renditions/")).count();
        assert_eq!(made, 2);
        all_agrees(app).await;
    }

    async fn sizes_that_are_not_made_are_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "photo.png", "image/png", &samples::png(60, 30)).await.expect(201).body;
        let url = text(&file, "url");
        for (query, field) in [("w=63", "w"), ("w=100&h=0", "h"), ("w=100&fit=stretch", "fit"), ("format=bmp", "format"), ("w=100&w=200", "w")] {
            let refused = app.anon().get(&format!("{url}?{query}")).await.refused(400, "INVALID_QUERY");
            assert_eq!(refused.fields(), [field], "{query}");
        }
        let words = sent(&ann, "words").await;
        app.anon().get(&format!("{}?w=100", text(&words, "url"))).await.refused(422, "NOT_A_PICTURE");
    }

    async fn many_who_want_the_same_get_one(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "photo.jpg", "image/jpeg", &samples::jpeg(900, 900)).await.expect(201).body;
        let url = format!("{}?w=400&h=400", text(&file, "url"));
        let answers = at_once((0..16).map(|_| {
            let (anon, url) = (app.anon(), url.clone());
            async move { anon.get(&url).await.expect(200).bytes }
        }))
        .await;
        assert!(answers.windows(2).all(|two| two[0] == two[1]));
    }

    async fn renditions_go_with_their_file(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "photo.png", "image/png", &samples::png(60, 30)).await.expect(201).body;
        app.anon().get(&format!("{}?w=64", text(&file, "url"))).await.expect(200);
        ann.delete(&format!("/api/files/{}", text(&file, "id"))).await.expect(204);
        app.settle().await;
        assert_eq!(stored(app).await, Vec::<String>::new());
        app.anon().get(&format!("{}?w=64", text(&file, "url"))).await.expect(404);
    }
}
