//! Parts of content: `Range` and `If-Range`.

use stoa_testing::{Answer, TestApp, each_engine};

use crate::{sent, text};

async fn part(app: &TestApp, url: &str, range: &str) -> Answer {
    app.anon().with_header("range", range).get(url).await
}

/// A text of which each eight letters are another, too long to be kept in memory or not.
fn words(count: usize) -> String {
    (0..count).map(|number| format!("{number:07} ")).collect::<Vec<_>>().concat()
}

each_engine! {
    async fn a_part_is_sent_when_a_part_is_wanted(app: TestApp) {
        let ann = app.shopper("ann").await;
        for count in [100, 50_000] {
            let words = words(count);
            let (file, size) = (sent(&ann, &words).await, words.len());
            let url = text(&file, "url");
            for (range, start, end) in [
                ("bytes=0-7", 0, 8),
                ("bytes=8-15", 8, 16),
                ("bytes=700-", 700, size),
                ("bytes=-9", size - 9, size),
                ("bytes=790-99999999", 790, size),
            ] {
                let answer = part(app, url, range).await.expect(206);
                assert_eq!(answer.text, words[start..end], "{range}");
                assert_eq!(answer.said("content-range"), format!("bytes {start}-{}/{size}", end - 1));
                assert_eq!(answer.said("content-length"), (end - start).to_string());
                assert_eq!(answer.said("content-type"), "text/plain; charset=utf-8");
                assert!(answer.header("etag").is_some() && answer.header("cache-control").is_some());
            }
        }
    }

    async fn several_parts_come_as_one_body(app: TestApp) {
        let ann = app.shopper("ann").await;
        for count in [100, 50_000] {
            let words = words(count);
            let file = sent(&ann, &words).await;
            let answer = part(app, text(&file, "url"), "bytes=0-6, 400-406,-8").await.expect(206);
            let kind = answer.said("content-type").to_owned();
            let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
            assert_eq!(answer.said("content-length"), answer.bytes.len().to_string());
            assert_eq!(answer.header("content-range"), None);
            let size = words.len();
            let expected: String = [(0, 7), (400, 407), (size - 8, size)]
                .map(|(start, end)| format!(
                    "\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {start}-{}/{size}\r\n\r\n{}",
                    end - 1, &words[start..end]
                ))
                .concat();
            assert_eq!(answer.text, format!("{expected}\r\n--{boundary}--\r\n"));
        }
    }

    async fn what_is_not_there_is_told_and_what_is_odd_gets_the_whole(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "0123456789").await;
        let url = text(&file, "url");
        let refused = part(app, url, "bytes=10-").await.refused(416, "RANGE_NOT_SATISFIABLE");
        assert_eq!(refused.said("content-range"), "bytes */10");
        for odd in ["lines=0-1", "bytes=5-1", "bytes=0-5,3-7", "bytes=x"] {
            assert_eq!(part(app, url, odd).await.expect(200).text, "0123456789", "{odd}");
        }
        let post = app.anon().with_header("range", "bytes=0-1").head(url).await.expect(200);
        assert_eq!(post.said("content-length"), "10");
    }

    async fn a_part_is_of_the_state_that_it_is_asked_of(app: TestApp) {
        let ann = app.shopper("ann").await;
        let file = sent(&ann, "0123456789").await;
        let url = text(&file, "url");
        let etag = app.anon().get(url).await.said("etag").to_owned();
        let asked = async |condition: &str| {
            let client = app.anon().with_header("range", "bytes=0-1").with_header("if-range", condition);
            client.get(url).await.status
        };
        assert_eq!(asked(&etag).await, 206);
        assert_eq!(asked("Thu, 15 Jan 2026 12:00:00 GMT").await, 206);
        assert_eq!(asked("\"other\"").await, 200);
        assert_eq!(asked("Thu, 15 Jan 2026 11:00:00 GMT").await, 200);
    }
}
