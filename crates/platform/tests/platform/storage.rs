//! Objects in a folder: what every store must do, and what only a folder can get wrong.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use stoa_platform::{
    storage::{Storage, StorageError},
    storage_contract,
    testing::storage::{contents, key, listed, noise},
};
use tempfile::TempDir;

fn folder() -> (Storage, TempDir) {
    let home = tempfile::tempdir().unwrap();
    (Storage::folder(&home.path().join("files")).unwrap(), home)
}

#[expect(clippy::unused_async, reason = "other stores have to be waited for")]
async fn store() -> Option<(Storage, TempDir)> {
    Some(folder())
}

storage_contract!(store);

fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_in(&path));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_alone() {
    let (storage, home) = folder();
    storage.put(&key("2026/01/tea"), "x".into(), "text/plain").await.unwrap();
    for path in everything_in(home.path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[tokio::test]
async fn a_file_of_the_same_file_system_is_taken_and_not_copied() {
    let (storage, home) = folder();
    let source = home.path().join("spooled");
    fs::write(&source, b"Earl Grey").unwrap();
    let number = fs::metadata(&source).unwrap().ino();
    storage.put_file(&key("a/tea"), &source, "text/plain").await.unwrap();
    assert!(!source.exists());
    assert_eq!(fs::metadata(home.path().join("files/a/tea")).unwrap().ino(), number);
}

#[tokio::test]
async fn a_file_of_another_file_system_is_copied() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let (storage, home) = folder();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(elsewhere.path()), device(home.path()), "the temporary folder is in memory, too");
    let source = elsewhere.path().join("spooled");
    let bytes = noise(300_000, 5);
    fs::write(&source, &bytes).unwrap();
    storage.put_file(&key("a/tea"), &source, "text/plain").await.unwrap();
    assert!(contents(&storage, &key("a/tea"), None).await.unwrap() == bytes);
    assert_eq!(fs::read_dir(home.path().join("files/.drafts")).unwrap().count(), 0);
}

#[tokio::test]
async fn empty_folders_go_with_their_last_file() {
    let (storage, home) = folder();
    for at in ["2026/01/31/a", "2026/01/30/b"] {
        storage.put(&key(at), "x".into(), "text/plain").await.unwrap();
    }
    storage.delete(&key("2026/01/31/a")).await.unwrap();
    assert!(!home.path().join("files/2026/01/31").exists());
    assert!(home.path().join("files/2026/01/30/b").exists());
    storage.delete(&key("2026/01/30/b")).await.unwrap();
    assert!(!home.path().join("files/2026").exists());
    storage.ready().await.unwrap();
}

#[tokio::test]
async fn what_interrupted_puts_left_is_seen_by_nobody_and_removed_after_a_day() {
    let (storage, home) = folder();
    let draft = |name: &str, age: Duration| {
        let path = home.path().join("files/.drafts").join(name);
        let file = File::create(&path).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        file.set_modified(made - age).unwrap();
        path
    };
    let (old, young) = (draft("old", Duration::from_hours(25)), draft("young", Duration::from_hours(23)));
    assert!(listed(&storage, "").await.is_empty());
    storage.sweep().await.unwrap();
    assert!(!old.exists() && young.exists());
    let old = draft("old", Duration::from_hours(25));
    Storage::folder(&home.path().join("files")).unwrap();
    assert!(!old.exists(), "also when a node starts");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Storage::folder(&file.join("files")).map(drop);
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
    let (storage, home) = folder();
    fs::remove_dir_all(home.path().join("files")).unwrap();
    assert!(matches!(storage.ready().await, Err(StorageError::Unavailable(_))));
    assert!(storage.put(&key("tea"), "x".into(), "text/plain").await.is_err());
}
