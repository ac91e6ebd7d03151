//! S3, against a server of its API in a process of its own, directly and through a line that fails on demand.

mod faults;
mod line;

use std::time::Duration;

use stoa_drivers::s3::{S3, S3Address, S3Credentials, S3Settings};
use stoa_kernel::Random;
use stoa_platform::{
    database::Engine,
    storage::{ObjectKey, Storage},
    storage_contract,
    testing::{
        engines_under_test,
        storage::{contents, key, listed, noise},
    },
};

/// A machine that is busy with other tests is no outage.
const GENEROUS: Duration = Duration::from_mins(1);
const MIB: usize = 1 << 20;

/// A folder of a test's own in the bucket of the test run; `None` where the run has none.
fn settings() -> Option<S3Settings> {
    if !engines_under_test().contains(&Engine::Postgres) {
        return None;
    }
    let url = std::env::var("STOA_TEST_S3_URL");
    let url = url.expect("STOA_TEST_ENGINES asks for S3, and STOA_TEST_S3_URL does not say where");
    let mut address = S3Address::parse(&url).unwrap();
    let folder = format!("test-{:x}", u128::from_le_bytes(Random::system().bytes()));
    address.folder = Some(key(&folder));
    let (key_id, secret) = ("AKIATEST".to_owned(), "hush".to_owned());
    let credentials = Some(S3Credentials { key_id, secret, session_token: None });
    Some(S3Settings { credentials, patience: GENEROUS, ..S3Settings::of(address) })
}

fn open(settings: &S3Settings) -> Storage {
    Storage::over(S3::new(settings).unwrap())
}

#[expect(clippy::unused_async, reason = "other stores have to be waited for")]
async fn store() -> Option<(Storage, ())> {
    settings().map(|settings| (open(&settings), ()))
}

storage_contract!(store);

/// An object's address, at which this server takes what anybody puts.
fn address_of(settings: &S3Settings, at: &ObjectKey) -> String {
    let S3Address { endpoint, bucket, folder, .. } = &settings.address;
    format!("{}/{bucket}/{}/{at}", endpoint.as_ref().unwrap(), folder.as_ref().unwrap())
}

/// A header that an object is served with.
async fn head(storage: &Storage, at: &ObjectKey, name: &str) -> String {
    let link = storage.signed_get(at, Duration::from_mins(5), "x").await.unwrap().unwrap();
    let answer = reqwest::get(link).await.unwrap().error_for_status().unwrap();
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[tokio::test]
async fn small_files_go_up_whole_and_large_ones_in_parts_each_with_its_type() {
    let Some(settings) = settings() else { return };
    let (storage, folder) = (open(&settings), tempfile::tempdir().unwrap());
    for (name, size, parts) in [("small", 5 * MIB, 0), ("large", 5 * MIB + 1, 2), ("largest", 10 * MIB, 2)] {
        let source = folder.path().join(name);
        std::fs::write(&source, noise(size, 7)).unwrap();
        storage.put_file(&key(name), &source, "image/webp").await.unwrap();
        assert_eq!(head(&storage, &key(name), "content-type").await, "image/webp");
        let etag = head(&storage, &key(name), "etag").await;
        let in_parts = etag.trim_matches('"').split_once('-').map_or(0, |(_, parts)| parts.parse().unwrap());
        assert_eq!(in_parts, parts, "{name}: {etag}");
    }
    storage.put(&key("thumb"), "x".into(), "image/png").await.unwrap();
    assert_eq!(head(&storage, &key("thumb"), "content-type").await, "image/png");
}

#[tokio::test]
async fn what_others_put_under_names_that_are_no_keys_is_not_listed() {
    let Some(settings) = settings() else { return };
    let storage = open(&settings);
    storage.put(&key("ours"), "x".into(), "text/plain").await.unwrap();
    let theirs = format!("{} of others", address_of(&settings, &key("theirs")));
    let put = reqwest::Client::new().put(theirs).body("y").send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.status());
    assert_eq!(listed(&storage, "").await, [("ours".to_owned(), 1)].into());
}

#[tokio::test]
async fn folders_of_one_bucket_know_nothing_of_each_other() {
    let (Some(one), Some(other)) = (settings(), settings()) else { return };
    let (one, other) = (open(&one), open(&other));
    one.put(&key("tea"), "x".into(), "text/plain").await.unwrap();
    assert_eq!(other.size(&key("tea")).await.unwrap(), None);
    assert!(listed(&other, "").await.is_empty());
}

#[tokio::test]
async fn a_link_downloads_one_object_under_its_name() {
    let Some(settings) = settings() else { return };
    let storage = open(&settings);
    storage.put(&key("tea"), "Earl Grey".into(), "text/plain").await.unwrap();
    let link = storage.signed_get(&key("tea"), Duration::from_hours(1), "Früh & \"stück\".txt").await;
    let link = link.unwrap().unwrap();
    for part in ["X-Amz-Expires=3600", "X-Amz-SignedHeaders=host", "X-Amz-Signature="] {
        assert!(link.contains(part), "{link}");
    }
    let answer = reqwest::get(&link).await.unwrap();
    let disposition = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(
        disposition,
        "attachment; filename=\"Fr_h _ _st_ck_.txt\"; filename*=UTF-8''Fr%C3%BCh%20%26%20%22st%C3%BCck%22.txt"
    );
    assert_eq!(answer.text().await.unwrap(), "Earl Grey");
}

#[tokio::test]
async fn a_request_puts_one_object_of_one_type() {
    let Some(settings) = settings() else { return };
    let storage = open(&settings);
    let signed = storage.signed_put(&key("tea"), "image/png", 9, Duration::from_mins(5)).await;
    let signed = signed.unwrap().unwrap();
    assert!(
        signed.url.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost"),
        "{}",
        signed.url
    );
    assert!(!format!("{signed:?}").contains("Signature"));
    let mut put = reqwest::Client::new().put(&signed.url).body("a picture");
    for (name, value) in &signed.headers {
        put = put.header(name, value);
    }
    assert!(put.send().await.unwrap().status().is_success());
    assert_eq!(contents(&storage, &key("tea"), None).await.unwrap(), b"a picture");
    assert_eq!(head(&storage, &key("tea"), "content-type").await, "image/png");
}

#[tokio::test]
async fn links_lead_to_where_browsers_reach_the_store() {
    let Some(mut settings) = settings() else { return };
    settings.address.public_endpoint = Some("https://files.example.com".into());
    let storage = open(&settings);
    let lifetime = Duration::from_mins(5);
    let link = storage.signed_get(&key("tea"), lifetime, "tea").await.unwrap().unwrap();
    let signed = storage.signed_put(&key("tea"), "image/png", 9, lifetime).await.unwrap().unwrap();
    for url in [link, signed.url] {
        assert!(url.starts_with("https://files.example.com/stoa-tests/test-"), "{url}");
    }
    storage.ready().await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_ready() {
    let Some(mut settings) = settings() else { return };
    settings.address.bucket = "nobodys-bucket".into();
    let told = open(&settings).ready().await.unwrap_err().to_string();
    assert!(told.contains("nobodys-bucket"), "{told}");
}

#[test]
fn secrets_are_not_shown() {
    let address = S3Address::parse("s3://shop-files").unwrap();
    let (key_id, secret) = ("AKIATEST".to_owned(), "hush".to_owned());
    let credentials = Some(S3Credentials { key_id, secret: secret.clone(), session_token: Some(secret) });
    let shown =
        format!("{:?} {:?}", credentials.clone(), S3Settings { credentials, ..S3Settings::of(address) });
    assert!(!shown.contains("hush") && shown.contains("shop-files"), "{shown}");
}
