//! Mails sent to a folder, and what is found there.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use stoa_kernel::ManualClock;

use super::*;

const SHIPPED: Template = Template {
    name: "order_shipped",
    subject: "Order {{ number }} for {{ name }} is on its way",
    html: "<p>{{ name }}, order <b>{{ number }}</b> is on its way.</p>",
    text: "{{ name }}, order {{ number }} is on its way.",
    sample: r#"{"name": "Ada", "number": 7}"#,
};

/// A folder of its own for one test, gone after it.
struct Post {
    dir: PathBuf,
    hand: ManualClock,
    mailer: Mailer,
}

impl Post {
    fn open() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("stoa-mail-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(unique);
        let hand = ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000));
        let mailer =
            Mailer::to_folder(dir.join("mails"), "Stoa <shop@example.com>", &[SHIPPED], hand.clock())
                .unwrap();
        Self { dir: dir.join("mails"), hand, mailer }
    }

    async fn send(&self, id: &str, to: &str, name: &str) -> Result<(), MailError> {
        self.mailer.send(id, to, "order_shipped", json!({ "name": name, "number": 1042 })).await
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.dir).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.dir.parent().unwrap());
    }
}

#[tokio::test]
async fn a_mail_sent_twice_is_one_file_with_the_first_date() {
    let post = Post::open();
    post.send("job-1", "bob@example.org", "Bob").await.unwrap();
    let first = post.mailer.read("job-1").await.unwrap().unwrap();
    post.hand.advance(std::time::Duration::from_mins(1));
    post.send("job-1", "bob@example.org", "Bob").await.unwrap();
    assert_eq!(post.files(), ["job-1.eml"]);
    assert_eq!(post.mailer.read("job-1").await.unwrap().unwrap(), first);
}

#[tokio::test]
async fn the_same_mail_sent_by_many_at_once_is_one_whole_file() {
    let post = std::sync::Arc::new(Post::open());
    let sends: Vec<_> = (0..16)
        .map(|_| {
            let post = std::sync::Arc::clone(&post);
            tokio::spawn(async move { post.send("job-1", "bob@example.org", "Bob").await })
        })
        .collect();
    for send in sends {
        send.await.unwrap().unwrap();
    }
    assert_eq!(post.files(), ["job-1.eml"]);
    let message = String::from_utf8(post.mailer.read("job-1").await.unwrap().unwrap()).unwrap();
    assert!(message.ends_with("--part_job-1--\r\n"), "{message}");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_neither_listed_nor_in_the_way() {
    let post = Post::open();
    fs::write(post.dir.join(".job-1.draft"), "From: half a ma").unwrap();
    assert_eq!(post.mailer.list(10).await.unwrap(), []);
    post.send("job-1", "bob@example.org", "Bob").await.unwrap();
    assert_eq!(post.files(), ["job-1.eml"]);
}

#[tokio::test]
async fn lists_newest_first_up_to_the_limit() {
    let post = Post::open();
    for (id, name) in [("c", "Ann"), ("a", "Bob"), ("b", "Grüße, 世界")] {
        post.send(id, "bob@example.org", name).await.unwrap();
        post.hand.advance(std::time::Duration::from_millis(10));
    }
    let listed = post.mailer.list(2).await.unwrap();
    let newest = SentMail {
        id: "b".into(),
        to: "bob@example.org".into(),
        subject: "Order 1042 for Grüße, 世界 is on its way".into(),
        sent_at: Timestamp::from_seconds(1_700_000_000),
    };
    assert_eq!(listed[0], newest);
    assert_eq!(listed.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

#[tokio::test]
async fn line_breaks_in_values_reach_no_header() {
    let post = Post::open();
    post.send("job-1", "bob@example.org", "Bob\r\nBcc: eve@example.com\r\n\r\n<script>").await.unwrap();
    let message = String::from_utf8(post.mailer.read("job-1").await.unwrap().unwrap()).unwrap();
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_lowercase().contains("\nbcc"), "{head}");
    assert!(!body.contains("<p>Bob\r\nBcc: eve@example.com\r\n\r\n<script>"), "{body}");
    assert_eq!(post.mailer.list(1).await.unwrap()[0].to, "bob@example.org");
}

#[tokio::test]
async fn what_cannot_be_sent_leaves_no_file() {
    let post = Post::open();
    assert!(matches!(post.send("job-1", "bob", "Bob").await, Err(MailError::BadAddress(_))));
    assert!(matches!(post.send("../job", "bob@example.org", "Bob").await, Err(MailError::BadId(_))));
    let missing = post.mailer.send("job-1", "bob@example.org", "order_shipped", json!({})).await;
    assert!(matches!(missing, Err(MailError::Template { .. })));
    let unknown = post.mailer.send("job-1", "bob@example.org", "nonsense", json!({})).await;
    assert!(matches!(unknown, Err(MailError::UnknownTemplate(_))));
    assert_eq!(post.files(), [""; 0]);
}

#[tokio::test]
async fn reading_tells_what_is_not_there() {
    let post = Post::open();
    assert_eq!(post.mailer.read("job-1").await.unwrap(), None);
    assert!(matches!(post.mailer.read("../secret").await, Err(MailError::BadId(_))));
}

#[tokio::test]
async fn a_folder_that_fails_is_told() {
    let post = Post::open();
    fs::remove_dir_all(&post.dir).unwrap();
    let failed = post.send("job-1", "bob@example.org", "Bob").await;
    assert!(matches!(failed, Err(MailError::Folder { path, .. }) if path == post.dir));
}

#[test]
fn folder_and_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let post = Post::open();
    let folder = Folder::open(&post.dir).unwrap();
    folder.write("job-1", Timestamp::from_seconds(1), b"To: bob\r\n\r\n").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&post.dir), 0o700);
    assert_eq!(mode(&post.dir.join("job-1.eml")), 0o600);
}

#[test]
fn a_preview_is_what_is_sent() {
    let post = Post::open();
    let preview = post.mailer.preview("order_shipped", json!({ "name": "<Ann>", "number": 7 })).unwrap();
    assert_eq!(preview.subject, "Order 7 for <Ann> is on its way");
    assert_eq!(preview.html, "<p>&lt;Ann&gt;, order <b>7</b> is on its way.</p>");
    assert_eq!(preview.text, "<Ann>, order 7 is on its way.");
}
