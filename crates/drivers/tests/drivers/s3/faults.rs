//! A store that is slow, refuses, is full, or dies midway.

use std::time::Duration;

use futures_util::TryStreamExt;
use stoa_drivers::s3::S3Settings;
use stoa_kernel::Refusal;
use stoa_platform::{
    storage::{Storage, StorageError},
    testing::storage::{contents, key, listed, noise},
};

use super::{
    MIB,
    line::{Line, Manner},
    open, settings,
};

const TEXT: &str = "text/plain";
/// Long enough for a busy machine, short enough to be waited for.
const SHORT: Duration = Duration::from_secs(2);

/// A store reached over a line, and the same reached directly.
struct Place {
    line: Line,
    over_line: Storage,
    directly: Storage,
    settings: S3Settings,
}

impl Place {
    async fn open(patience: Option<Duration>) -> Option<Self> {
        let settings = settings()?;
        let endpoint = settings.address.endpoint.clone().unwrap();
        let line = Line::to(endpoint.trim_start_matches("http://")).await;
        let mut bad = settings.clone();
        bad.address.endpoint = Some(line.address());
        bad.patience = patience.unwrap_or(bad.patience);
        Some(Self { over_line: open(&bad), directly: open(&settings), line, settings })
    }

    /// The uploads in parts that were begun here and neither ended nor called off.
    async fn open_uploads(&self) -> usize {
        let address = &self.settings.address;
        let (endpoint, bucket) = (address.endpoint.as_ref().unwrap(), &address.bucket);
        let text = reqwest::get(format!("{endpoint}/{bucket}?uploads")).await.unwrap().text().await.unwrap();
        text.matches(address.folder.as_ref().unwrap().as_str()).count()
    }
}

fn unavailable<T>(answer: Result<T, StorageError>) -> String {
    match answer {
        Err(error @ StorageError::Unavailable(_)) => error.to_string(),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it worked"),
    }
}

#[tokio::test]
async fn a_silent_store_is_not_waited_for_for_ever() {
    let Some(place) = Place::open(Some(Duration::from_millis(200))).await else { return };
    place.line.be(Manner::Silent);
    let (storage, tea) = (&place.over_line, key("tea"));
    unavailable(storage.read(&tea, None).await);
    unavailable(storage.size(&tea).await);
    unavailable(storage.put(&tea, "x".into(), TEXT).await);
    unavailable(storage.delete(&tea).await);
    unavailable(storage.list("").try_next().await);
    unavailable(storage.ready().await);
}

#[tokio::test]
async fn a_store_that_refuses_is_asked_once() {
    let Some(place) = Place::open(None).await else { return };
    place.line.be(Manner::Answer("403 Forbidden"));
    let told = unavailable(place.over_line.put(&key("tea"), "x".into(), TEXT).await);
    assert!(told.contains("403"), "{told}");
    assert_eq!(place.line.faults(), 1);
    unavailable(place.over_line.read(&key("tea"), None).await);
    unavailable(place.over_line.size(&key("tea")).await);
}

#[tokio::test]
async fn a_store_that_fails_is_asked_a_few_times() {
    let Some(place) = Place::open(None).await else { return };
    place.line.be(Manner::Answer("500 Internal Server Error"));
    unavailable(place.over_line.put(&key("tea"), "x".into(), TEXT).await);
    assert_eq!(place.line.faults(), 4, "once, and three times more");
    place.line.be_for(Manner::Answer("503 Slow Down"), 3);
    place.over_line.put(&key("tea"), "x".into(), TEXT).await.unwrap();
    assert_eq!(place.line.faults(), 7);
    assert_eq!(contents(&place.directly, &key("tea"), None).await.unwrap(), b"x");
}

#[tokio::test]
async fn a_full_store_is_told_from_a_broken_one() {
    let Some(place) = Place::open(Some(SHORT)).await else { return };
    place.line.be(Manner::Answer("507 Insufficient Storage"));
    let full = place.over_line.put(&key("tea"), "x".into(), TEXT).await.unwrap_err();
    assert!(matches!(full, StorageError::Full(_)), "{full:?}");
    assert_eq!(Refusal::from(full).code, "STORAGE_FULL");
}

#[tokio::test]
async fn reading_goes_on_where_the_line_was_cut() {
    let Some(place) = Place::open(None).await else { return };
    let bytes = noise(4 * MIB, 1);
    place.directly.put(&key("large"), bytes.clone().into(), TEXT).await.unwrap();
    place.line.be_for(Manner::CutAnswers(MIB), 2);
    assert!(contents(&place.over_line, &key("large"), None).await.unwrap() == bytes);
    assert_eq!(place.line.faults(), 2);
}

#[tokio::test]
async fn an_object_that_ends_early_ends_with_a_failure() {
    let Some(place) = Place::open(Some(SHORT)).await else { return };
    place.directly.put(&key("large"), noise(8 * MIB, 1).into(), TEXT).await.unwrap();
    place.line.be(Manner::CutAnswers(MIB / 2));
    let body = place.over_line.read(&key("large"), None).await.unwrap().unwrap();
    unavailable(body.stream.try_collect::<Vec<_>>().await);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("copy");
    unavailable(place.over_line.read_to_file(&key("large"), &target, u64::MAX).await);
    assert!(!target.exists());
}

#[tokio::test]
async fn an_upload_whose_line_is_cut_leaves_nothing() {
    let Some(place) = Place::open(Some(SHORT)).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    // No part gets through; what is short does, such as calling the upload off.
    std::fs::write(&source, noise(12 * MIB, 2)).unwrap();
    place.line.be(Manner::CutQuestions(MIB));
    unavailable(place.over_line.put_file(&key("large"), &source, TEXT).await);
    assert!(place.line.faults() > 0);
    assert!(listed(&place.directly, "").await.is_empty());
    while place.open_uploads().await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    place.line.be(Manner::Carry);
    place.over_line.put_file(&key("large"), &source, TEXT).await.unwrap();
    assert_eq!(place.directly.size(&key("large")).await.unwrap(), Some(12 << 20));
}

#[tokio::test]
async fn an_upload_outlives_a_cut() {
    let Some(place) = Place::open(None).await else { return };
    let (folder, bytes) = (tempfile::tempdir().unwrap(), noise(7 * MIB, 3));
    let source = folder.path().join("source");
    std::fs::write(&source, &bytes).unwrap();
    place.line.be_for(Manner::CutQuestions(3 * MIB), 2);
    place.over_line.put_file(&key("large"), &source, TEXT).await.unwrap();
    assert_eq!(place.line.faults(), 2);
    assert!(contents(&place.directly, &key("large"), None).await.unwrap() == bytes);
}
