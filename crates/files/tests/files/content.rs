//! `GET` and `HEAD /files/{filename}` and `/uploads/{filename}`.

use std::time::Duration;

use stoa_testing::{each_engine, json};

use crate::{samples, sends, sent, sent_in_private, sha256, text};

each_engine! {
    async fn public_content_is_for_everybody_and_kept_for_ever(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let url = text(&file, "url");
        for address in [url.to_owned(), url.replace("/files/", "/uploads/")] {
            let content = app.anon().get(&address).await.expect(200);
            assert_eq!(content.bytes, b"hello");
            assert_eq!(content.said("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(content.said("content-length"), "5");
            assert_eq!(content.said("content-type"), "text/plain; charset=utf-8");
            assert_eq!(content.said("content-disposition"), "inline; filename=\"note.txt\"");
            assert_eq!(content.said("x-content-type-options"), "nosniff");
            assert_eq!(content.said("accept-ranges"), "bytes");
            assert_eq!(content.said("etag"), format!("\"{}\"", &text(&file, "checksum")[..32]));
            assert_eq!(content.said("last-modified"), "Thu, 15 Jan 2026 12:00:00 GMT");
            assert!(content.said("content-security-policy").contains("sandbox"));
            for none in ["api-version", "deprecation", "content-encoding"] {
                assert_eq!(content.header(none), None, "{none}");
            }
        }
        let bad_token = app.anon().bearing("nonsense");
        assert_eq!(bad_token.get(url).await.expect(200).bytes, b"hello");
    }

    async fn the_head_says_the_same_without_content(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let (whole, head) = (app.anon().get(text(&file, "url")).await, app.anon().head(text(&file, "url")).await.expect(200));
        assert!(head.bytes.is_empty());
        for name in ["content-length", "content-type", "etag", "last-modified", "cache-control", "accept-ranges", "content-disposition"] {
            assert_eq!(head.header(name), whole.header(name), "{name}");
        }
    }

    async fn files_are_not_compressed_on_their_way(app: TestApp) {
        let ann = app.shopper("ann").await;
        let words = "many words ".repeat(1_000);
        let file = sent(&ann, &words).await;
        let client = app.anon().with_header("accept-encoding", "gzip, br, zstd");
        let content = client.get(text(&file, "url")).await.expect(200);
        assert_eq!((content.header("content-encoding"), content.bytes.len()), (None, words.len()));
    }

    async fn who_has_it_is_not_sent_it_again(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let url = text(&file, "url");
        let etag = app.anon().get(url).await.said("etag").to_owned();
        let known = app.anon().with_header("if-none-match", &etag).get(url).await.expect(304);
        assert!(known.bytes.is_empty());
        assert_eq!((known.said("etag"), known.said("cache-control")), (etag.as_str(), "public, max-age=31536000, immutable"));
        app.anon().with_header("if-none-match", "\"other\"").get(url).await.expect(200);
        app.anon().with_header("if-modified-since", "Thu, 15 Jan 2026 12:00:00 GMT").get(url).await.expect(304);
        app.anon().with_header("if-modified-since", "Thu, 15 Jan 2026 11:59:59 GMT").get(url).await.expect(200);
        app.anon().with_header("if-match", "\"other\"").get(url).await.refused(412, "PRECONDITION_FAILED");
        app.anon().with_header("if-match", &etag).get(url).await.expect(200);
    }

    async fn what_could_do_harm_is_never_shown_in_place(app: TestApp) {
        let ann = app.shopper("ann").await;
        let document = sends(&ann, "Bericht für \"alle\".docx", "application/octet-stream", &samples::document()).await.expect(201).body;
        let content = app.anon().get(text(&document, "url")).await.expect(200);
        assert_eq!(
            content.said("content-disposition"),
            "attachment; filename=\"Bericht f_r _alle_.docx\"; filename*=UTF-8''Bericht%20f%C3%BCr%20%22alle%22.docx"
        );
        let picture = sends(&ann, "a.png", "image/png", &samples::png(9, 9)).await.expect(201).body;
        let url = text(&picture, "url");
        assert_eq!(app.anon().get(url).await.said("content-disposition"), "inline; filename=\"a.webp\"");
        assert_eq!(app.anon().get(&format!("{url}?download=1")).await.said("content-disposition"), "attachment; filename=\"a.webp\"");
    }

    async fn private_content_is_for_its_owner_or_by_signature(app: TestApp) {
        let (ann, bob) = (app.shopper("ann").await, app.shopper("bob").await);
        let file = sent_in_private(&ann, "secret").await;
        let (id, url) = (text(&file, "id"), text(&file, "url"));
        assert_eq!(file["visibility"], "private");
        let own = ann.get(url).await.expect(200);
        assert_eq!((own.bytes.as_slice(), own.said("cache-control")), (b"secret".as_slice(), "private, no-store"));
        for other in [&bob, &app.anon(), &app.admin().await] {
            other.get(url).await.refused(404, "FILE_NOT_FOUND");
            other.get(&format!("/api/files/{id}")).await.refused(404, "FILE_NOT_FOUND");
            other.get(&format!("/api/files/{id}/download")).await.refused(404, "FILE_NOT_FOUND");
        }
        let link = ann.get(&format!("/api/files/{id}/download")).await.expect(200).body;
        assert_eq!(link["expiresAt"], "2026-01-15T13:00:00.000Z");
        let link = text(&link, "downloadUrl");
        let by_link = app.anon().get(link).await.expect(200);
        assert_eq!(by_link.bytes, b"secret");
        assert!(by_link.said("content-disposition").starts_with("attachment"));
        app.clock.advance(Duration::from_hours(1));
        app.anon().get(link).await.refused(403, "LINK_EXPIRED");
        app.anon().bearing("nonsense").get(url).await.expect(401);
    }

    async fn altered_links_are_refused_and_tell_nothing(app: TestApp) {
        let ann = app.shopper("ann").await;
        let (file, other) = (sent_in_private(&ann, "secret").await, sent_in_private(&ann, "another").await);
        let link = ann.get(&format!("/api/files/{}/download", text(&file, "id"))).await.expect(200).body;
        let link = text(&link, "downloadUrl").to_owned();
        app.anon().get(&link).await.expect(200);
        let later = link.replace("expires=17684", "expires=27684");
        let elsewhere = link.replace(text(&file, "id"), text(&other, "id"));
        let nowhere = link.replace(text(&file, "id"), "0198c2d1-0000-7000-8000-000000000001");
        let without = link.split("&signature").next().unwrap().to_owned();
        for altered in [later, elsewhere, nowhere, without, link.replace("signature=", "signature=A")] {
            assert_ne!(altered, link);
            app.anon().get(&altered).await.refused(403, "INVALID_SIGNATURE");
        }
        let public = sent(&ann, "open").await;
        app.anon().get(&format!("{}?expires=1&signature=x", text(&public, "url"))).await.expect(200);
    }

    async fn addresses_of_nothing_are_not_found(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "hello").await;
        let id = text(&file, "id");
        for nothing in [
            "/files/0198c2d1-0000-7000-8000-000000000001.txt".to_owned(),
            "/files/..%2f..%2fetc%2fpasswd".to_owned(),
            "/files/nothing".to_owned(),
            format!("/files/{id}"),
            format!("/files/{id}.pdf"),
            format!("/files/{id}_thumb.webp"),
            format!("/files/{id}_original.txt"),
            format!("/files/{}.txt", id.to_uppercase()),
        ] {
            app.anon().get(&nothing).await.refused(404, "FILE_NOT_FOUND");
        }
        app.anon().post(&format!("/files/{id}.txt"), json!({})).await.expect(405);
    }

    async fn links_begin_with_the_public_address(app: TestApp, |settings| {
        settings.files.public_url = Some("https://shop.example".into());
        settings.public_url = Some("https://shop.example".into());
    }) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "a.png", "image/png", &samples::png(9, 9)).await.expect(201).body;
        let id = text(&file, "id");
        assert_eq!(text(&file, "url"), format!("https://shop.example/files/{id}.webp"));
        assert_eq!(text(&file, "thumbnailUrl"), format!("https://shop.example/files/{id}_thumb.webp"));
        let link = ann.get(&format!("/api/files/{id}/download")).await.expect(200).body;
        assert!(text(&link, "downloadUrl").starts_with("https://shop.example/files/"));
        assert!(text(&link, "thumbnailUrl").contains("_thumb.webp?expires="));
    }

    async fn large_content_is_the_same_again(app: TestApp) {
        let ann = app.shopper("ann").await;
        let words = (0..60_000).map(|number| format!("{number:07}")).collect::<Vec<_>>().join(" ");
        let file = sent(&ann, &words).await;
        for _ in 0..2 {
            let content = app.anon().get(text(&file, "url")).await.expect(200);
            assert_eq!(sha256(&content.bytes), text(&file, "checksum"));
        }
    }
}
