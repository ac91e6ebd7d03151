//! What is sent by mistake or in bad faith: refused with a code, and nothing of it stays.

use reqwest::Method;
use stoa_testing::{Answer, Client, Form, each_engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{nothing_is_left, samples, sends, sent, spooled, stored};

const UPLOAD: &str = "/api/files/upload";

async fn raw(who: &Client, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    who.raw(Method::POST, UPLOAD, content_type, body).await
}

/// What a client hears that says and sends exactly this.
async fn told(address: &str, head: &str, body: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A server that has heard enough may close the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn token(who: &Client) -> &str {
    who.session["accessToken"].as_str().unwrap()
}

each_engine! {
    async fn a_body_that_is_no_form_is_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        let form = || Form::new().file("file", "a.txt", "text/plain", b"hello");
        raw(&ann, "application/json", "{}").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        raw(&ann, "text/plain", "hello").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        raw(&ann, "multipart/mixed; boundary=x", "--x--").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        raw(&ann, "multipart/form-data", form().body()).await.refused(400, "MISSING_BOUNDARY");
        raw(&ann, "multipart/form-data; boundary=other", form().body()).await.refused(400, "INCOMPLETE_BODY");
        raw(&ann, &Form::content_type(), form().open()).await.refused(400, "INCOMPLETE_BODY");
        raw(&ann, &Form::content_type(), "").await.refused(400, "INCOMPLETE_BODY");
        raw(&ann, &Form::content_type(), Form::new().body()).await.refused(422, "VALIDATION_FAILED");
        let broken = format!("--{0}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nno header\r\n\r\nx\r\n--{0}--\r\n", Form::BOUNDARY);
        raw(&ann, &Form::content_type(), broken).await.refused(400, "MALFORMED_MULTIPART");
        nothing_is_left(app).await;
    }

    async fn a_form_without_a_file_or_with_odd_fields_is_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        for (form, field) in [
            (Form::new().text("room", "general"), "file"),
            (Form::new().text("file", "no file"), "file"),
            (Form::new().text("visibility", "secret").file("file", "a.txt", "text/plain", b"x"), "visibility"),
            (Form::new().text("content", "a\0b").file("file", "a.txt", "text/plain", b"x"), "content"),
            (Form::new().text("content", &"x".repeat(20_000)).file("file", "a.txt", "text/plain", b"x"), "content"),
            (Form::new().text("room", "general").text("content", &"x".repeat(4_001)).file("file", "a.txt", "text/plain", b"x"), "content"),
            (Form::new().part("form-data; name=\"room\"", b"\xff").file("file", "a.txt", "text/plain", b"x"), "room"),
        ] {
            let refused = ann.post_form(UPLOAD, form).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.fields(), [field]);
        }
        let two = Form::new().file("file", "a.txt", "text/plain", b"x").file("file", "b.txt", "text/plain", b"x");
        ann.post_form(UPLOAD, two).await.refused(422, "TOO_MANY_FILES");
        nothing_is_left(app).await;
    }

    async fn more_parts_or_longer_heads_than_any_form_needs_are_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        let many = (0..10_000).fold(Form::new(), |form, number| form.text(&format!("field{number}"), "x"));
        ann.post_form(UPLOAD, many).await.refused(400, "TOO_MANY_PARTS");
        let long = Form::new().part(&format!("form-data; name=\"file\"; filename=\"{}\"", "x".repeat(200_000)), b"x");
        ann.post_form(UPLOAD, long).await.refused(400, "TOO_MANY_PARTS");
        let before = [vec![b'x'; 200_000], b"\r\n".to_vec(), Form::new().file("file", "a.txt", "text/plain", b"x").body()].concat();
        raw(&ann, &Form::content_type(), before).await.refused(400, "TOO_MANY_PARTS");
        nothing_is_left(app).await;
    }

    async fn what_is_too_large_is_refused_as_soon_as_that_is_seen(app: TestApp, |settings| {
        settings.files.limit = 100_000;
        settings.files.limits.insert(stoa_files::Kind::Txt, 1_000);
        settings.files.limits.insert(stoa_files::Kind::Pdf, 200_000);
    }) {
        let ann = app.shopper("ann").await;
        let refused = sends(&ann, "a.txt", "text/plain", &[b'x'; 1_001]).await.refused(413, "FILE_TOO_LARGE");
        assert_eq!(refused.body["limit"], 1_000);
        sends(&ann, "a.txt", "text/plain", &[b'x'; 1_000]).await.expect(201);
        let pdf = |size: usize| [samples::PDF, &vec![b' '; size - samples::PDF.len()]].concat();
        sends(&ann, "a.pdf", "application/pdf", &pdf(200_001)).await.refused(413, "FILE_TOO_LARGE");
        sends(&ann, "a.pdf", "application/pdf", &pdf(200_000)).await.expect(201);
        sends(&ann, "a.png", "image/png", &[samples::png(10, 10), vec![0; 100_000]].concat()).await.refused(413, "FILE_TOO_LARGE");
        assert_eq!((stored(app).await.len(), spooled(app)), (2, 0));
    }

    async fn a_declared_length_beyond_all_limits_is_refused_at_once(app: TestApp) {
        let ann = app.shopper("ann").await;
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: 5368709120\r\nConnection: close\r\n",
            token(&ann), Form::content_type()
        );
        let waiting = told(&app.address(), &format!("{head}Expect: 100-continue\r\n\r\n"), b"").await;
        assert!(waiting.starts_with("HTTP/1.1 413") && waiting.contains("FILE_TOO_LARGE"), "{waiting}");
        let sending = told(&app.address(), &format!("{head}\r\n"), b"--between").await;
        assert!(sending.starts_with("HTTP/1.1 413"), "{sending}");
        nothing_is_left(app).await;
    }

    async fn whoever_goes_away_midway_leaves_nothing(app: TestApp) {
        let ann = app.shopper("ann").await;
        let body = Form::new().file("file", "a.txt", "text/plain", &vec![b'x'; 500_000]).body();
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            token(&ann), Form::content_type(), body.len()
        );
        told(&app.address(), &head, &body[..400_000]).await;
        while spooled(app) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        nothing_is_left(app).await;
    }

    async fn files_that_are_not_what_they_are_called_are_refused(app: TestApp) {
        let ann = app.shopper("ann").await;
        let png = samples::png(8, 8);
        for (name, declared, bytes, code) in [
            ("a.png", "image/png", samples::PROGRAM.to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.exe", "application/octet-stream", samples::PROGRAM.to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.html", "text/html", b"<!doctype html><script>alert(1)</script>".to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.txt", "text/plain", b"<html><script>alert(1)</script>".to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.pdf", "application/pdf", b"%PDF-1.4\n<html><script>alert(1)</script>".to_vec(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.zip", "application/zip", samples::archive(&["a.txt"], 1), "FILE_TYPE_NOT_ALLOWED"),
            ("a.docx", "application/zip", samples::archive(&["a.txt"], 1), "FILE_TYPE_NOT_ALLOWED"),
            ("a.txt", "text/plain", [b"text ".repeat(1_000), vec![0], b"x".to_vec()].concat(), "FILE_TYPE_NOT_ALLOWED"),
            ("a.jpg", "image/jpeg", png.clone(), "FILE_TYPE_MISMATCH"),
            ("a.png", "image/jpeg", png.clone(), "FILE_TYPE_MISMATCH"),
            ("a.exe", "image/png", png.clone(), "FILE_TYPE_MISMATCH"),
            ("a.html", "text/plain", b"just words".to_vec(), "FILE_TYPE_MISMATCH"),
            ("a.txt", "text/html", b"just words".to_vec(), "FILE_TYPE_MISMATCH"),
            ("a.xlsx", "application/zip", samples::document(), "FILE_TYPE_MISMATCH"),
        ] {
            let refused = sends(&ann, name, declared, &bytes).await;
            refused.refused(415, code);
        }
        nothing_is_left(app).await;
    }

    async fn names_are_made_harmless(app: TestApp) {
        let ann = app.shopper("ann").await;
        for (given, shown) in [
            ("../../etc/cron.d/evil.txt", "evil.txt"),
            ("C:\\\\temp\\\\a.txt", "a.txt"),
            ("photo\u{202e}txt.gpj.txt", "phototxt.gpj.txt"),
            ("..", "file.txt"),
            ("", "file.txt"),
        ] {
            let file = sends(&ann, given, "text/plain", b"x").await.expect(201).body;
            assert_eq!(file["originalName"], shown, "{given:?}");
        }
        let long = sends(&ann, &format!("{}.txt", "x".repeat(4_000)), "text/plain", b"x").await.expect(201).body;
        assert_eq!(long["originalName"].as_str().unwrap().len(), 255);
        let longer = sends(&ann, &format!("{}.txt", "x".repeat(4_100)), "text/plain", b"x").await.refused(422, "VALIDATION_FAILED");
        assert_eq!(longer.fields(), ["file"]);
        let nul = Form::new().part("form-data; name=\"file\"; filename=\"a\0.txt\"", b"x");
        let refused = ann.post_form(UPLOAD, nul).await;
        assert!(matches!(refused.status, 400 | 422), "{}", refused.text);
        assert!(stored(app).await.iter().all(|key| key.starts_with("2026/01/15/")));
    }

    async fn pictures_beyond_bounds_are_refused_and_not_decoded(app: TestApp) {
        let ann = app.shopper("ann").await;
        sends(&ann, "a.png", "image/png", &samples::huge_png()).await.refused(422, "PICTURE_TOO_LARGE");
        sends(&ann, "a.gif", "image/gif", &samples::long_gif()).await.refused(422, "PICTURE_TOO_MANY_FRAMES");
        let png = samples::png(300, 300);
        sends(&ann, "a.png", "image/png", &png[..png.len() / 2]).await.refused(422, "PICTURE_DAMAGED");
        nothing_is_left(app).await;
    }

    async fn a_document_that_would_unpack_to_a_gigabyte_is_kept_and_not_opened(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sends(&ann, "bomb.docx", "application/octet-stream", &samples::document()).await.expect(201).body;
        assert_eq!(file["size"], samples::document().len());
    }

    async fn as_many_are_received_at_once_as_there_are_places(app: TestApp, |settings| {
        settings.files.uploads_at_once = 1;
    }) {
        let ann = app.shopper("ann").await;
        let body = Form::new().file("file", "a.txt", "text/plain", &vec![b'x'; 300_000]).body();
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            token(&ann), Form::content_type(), body.len()
        );
        let address = app.address();
        let mut slow = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        slow.write_all(head.as_bytes()).await.unwrap();
        slow.write_all(&body[..200_000]).await.unwrap();
        while spooled(app) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        sends(&ann, "b.txt", "text/plain", b"x").await.refused(503, "SERVICE_UNAVAILABLE");
        slow.write_all(&body[200_000..]).await.unwrap();
        let mut begun = [0; 12];
        slow.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 201");
        sent(&ann, "after").await;
    }
}
