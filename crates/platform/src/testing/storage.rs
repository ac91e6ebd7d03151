//! What every store of objects must do, whichever it is: `storage_contract!(store)` makes a test of each rule, where
//! `store` is an async function that gives an empty store and whatever keeps it alive, or `None` where the run has none.
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use crate::storage::{ObjectKey, Storage, StorageError};

/// Makes a test of each rule that a store must hold to.
#[macro_export]
macro_rules! storage_contract {
    ($store:path) => {
        $crate::storage_contract! { $store:
            what_is_put_is_read_whole_and_in_part,
            parts_that_are_not_there_are_refused,
            what_is_not_there_is_told_as_absent,
            an_object_is_replaced_as_a_whole,
            a_reader_keeps_what_it_began_to_read,
            deleting_is_for_good_and_twice_is_no_failure,
            listing_tells_of_everything_below_a_folder,
            large_files_come_back_as_they_went,
            a_copy_is_bounded_and_never_left_half_made,
            a_file_that_cannot_be_read_makes_no_object,
            many_who_put_one_key_leave_one_of_them,
            a_put_that_is_given_up_leaves_all_or_nothing,
            folders_come_and_go_under_those_who_put_into_them,
            it_says_that_it_is_ready
        }
    };
    ($store:path: $($rule:ident),+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            if let Some((storage, _kept)) = $store().await {
                $crate::testing::storage::$rule(&storage).await;
            }
        })+
    };
}

const TEXT: &str = "text/plain";
/// Large enough that every store sends it in several parts.
const LARGE: usize = 13 * 1_024 * 1_024 + 7;

/// A key that is one.
pub fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// All bytes of an object, or of a part of it.
pub async fn contents(storage: &Storage, key: &ObjectKey, range: Option<Range<u64>>) -> Option<Vec<u8>> {
    let body = storage.read(key, range).await.unwrap()?;
    let chunks: Vec<Bytes> = body.stream.try_collect().await.unwrap();
    Some(chunks.concat())
}

/// The keys below a folder, with their sizes.
pub async fn listed(storage: &Storage, prefix: &str) -> BTreeMap<String, u64> {
    let found = storage.list(prefix).map_ok(|object| (object.key.as_str().to_owned(), object.size));
    found.try_collect().await.unwrap()
}

/// Bytes of which no two stretches are alike.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(length / 8 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}

async fn put(storage: &Storage, at: &str, bytes: &[u8]) -> ObjectKey {
    let key = key(at);
    storage.put(&key, Bytes::copy_from_slice(bytes), TEXT).await.unwrap();
    key
}

/// As its name says.
pub async fn what_is_put_is_read_whole_and_in_part(storage: &Storage) {
    let tea = put(storage, "2026/01/tea.txt", b"Earl Grey").await;
    let nothing = put(storage, "nothing", b"").await;
    assert_eq!(contents(storage, &tea, None).await.unwrap(), b"Earl Grey");
    assert_eq!(contents(storage, &tea, Some(5..9)).await.unwrap(), b"Grey");
    assert_eq!(contents(storage, &tea, Some(0..1)).await.unwrap(), b"E");
    assert_eq!(contents(storage, &nothing, None).await.unwrap(), b"");
    assert_eq!(storage.read(&tea, Some(5..9)).await.unwrap().unwrap().size, 9, "of the whole");
    assert_eq!(
        (storage.size(&tea).await.unwrap(), storage.size(&nothing).await.unwrap()),
        (Some(9), Some(0))
    );
}

/// As its name says.
pub async fn parts_that_are_not_there_are_refused(storage: &Storage) {
    let tea = put(storage, "tea", b"Earl Grey").await;
    let empty = Range { start: 3, end: 3 };
    for range in [5..10, 9..10, 100..200, empty] {
        let refused = storage.read(&tea, Some(range.clone())).await.map(|_| ());
        assert!(matches!(refused, Err(StorageError::OutOfRange { size: 9, .. })), "{range:?}: {refused:?}");
    }
}

/// As its name says.
pub async fn what_is_not_there_is_told_as_absent(storage: &Storage) {
    put(storage, "here/it/is", b"x").await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("copy");
    // Also a folder is no object, nor is there anything below an object.
    for absent in [key("there"), key("here/it"), key("here/it/is/not")] {
        assert!(storage.read(&absent, None).await.unwrap().is_none(), "{absent}");
        assert!(storage.read(&absent, Some(0..1)).await.unwrap().is_none(), "{absent}");
        assert_eq!(storage.size(&absent).await.unwrap(), None, "{absent}");
        assert_eq!(storage.read_to_file(&absent, &target, 9).await.unwrap(), None, "{absent}");
        assert!(!target.exists());
        storage.delete(&absent).await.unwrap();
    }
    assert_eq!(storage.size(&key("here/it/is")).await.unwrap(), Some(1));
}

/// As its name says.
pub async fn an_object_is_replaced_as_a_whole(storage: &Storage) {
    let tea = put(storage, "tea", b"Earl Grey, hot").await;
    put(storage, "tea", b"Assam").await;
    assert_eq!(contents(storage, &tea, None).await.unwrap(), b"Assam");
    assert_eq!(listed(storage, "").await, [("tea".to_owned(), 5)].into());
}

/// As its name says.
pub async fn a_reader_keeps_what_it_began_to_read(storage: &Storage) {
    let (old, new) = (noise(LARGE, 1), noise(LARGE, 2));
    let large = put(storage, "large", &old).await;
    let mut reading = storage.read(&large, None).await.unwrap().unwrap().stream;
    let mut read = reading.next().await.unwrap().unwrap().to_vec();
    put(storage, "large", &new).await;
    // It may be cut off, but what it is given is of one object.
    while let Some(Ok(chunk)) = reading.next().await {
        read.extend_from_slice(&chunk);
    }
    assert!(old.starts_with(&read), "mixed after {} bytes", read.len());
    assert!(contents(storage, &large, None).await.unwrap() == new);
}

/// As its name says.
pub async fn deleting_is_for_good_and_twice_is_no_failure(storage: &Storage) {
    let tea = put(storage, "a/b/tea", b"x").await;
    let other = put(storage, "a/other", b"y").await;
    storage.delete(&tea).await.unwrap();
    storage.delete(&tea).await.unwrap();
    assert_eq!(storage.size(&tea).await.unwrap(), None);
    assert_eq!(listed(storage, "").await, [("a/other".to_owned(), 1)].into());
    storage.delete(&other).await.unwrap();
    assert!(listed(storage, "").await.is_empty());
    put(storage, "a/b/tea", b"again").await;
    assert_eq!(contents(storage, &tea, None).await.unwrap(), b"again");
}

/// As its name says.
pub async fn listing_tells_of_everything_below_a_folder(storage: &Storage) {
    let all = ["2026/01/31/a.webp", "2026/01/31/b.webp", "2026/01/310", "2026/02/01/c.webp", "top"];
    for at in all {
        put(storage, at, at.as_bytes()).await;
    }
    let sized = |keys: &[&str]| -> BTreeMap<String, u64> {
        keys.iter().map(|key| ((*key).to_owned(), key.len() as u64)).collect()
    };
    assert_eq!(listed(storage, "").await, sized(&all));
    assert_eq!(listed(storage, "2026/01/31").await, sized(&all[..2]), "not 310, which only begins alike");
    assert_eq!(listed(storage, "2026/01/").await, sized(&all[..3]));
    assert_eq!(listed(storage, "2027").await, sized(&[]));
    assert!(storage.list("../etc").next().await.unwrap().is_err());
    let modified: Vec<_> = storage.list("top").map_ok(|object| object.modified).try_collect().await.unwrap();
    assert_eq!(modified, [], "an object is not below itself");
}

/// As its name says.
pub async fn large_files_come_back_as_they_went(storage: &Storage) {
    let (folder, bytes, large) = (tempfile::tempdir().unwrap(), noise(LARGE, 3), key("2026/large.bin"));
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    std::fs::write(&source, &bytes).unwrap();
    storage.put_file(&large, &source, "application/octet-stream").await.unwrap();
    assert_eq!(storage.size(&large).await.unwrap(), Some(LARGE as u64));
    assert_eq!(storage.read_to_file(&large, &target, LARGE as u64).await.unwrap(), Some(LARGE as u64));
    assert!(std::fs::read(&target).unwrap() == bytes);
    let middle = 5 * 1_024 * 1_024 - 3..5 * 1_024 * 1_024 + 3;
    let read = contents(storage, &large, Some(middle.start as u64..middle.end as u64)).await.unwrap();
    assert_eq!(read, bytes[middle]);
}

/// As its name says.
pub async fn a_copy_is_bounded_and_never_left_half_made(storage: &Storage) {
    let tea = put(storage, "tea", b"Earl Grey").await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("copy");
    let refused = storage.read_to_file(&tea, &target, 8).await;
    assert!(matches!(refused, Err(StorageError::TooLarge(8))), "{refused:?}");
    assert!(!target.exists());
    assert_eq!(storage.read_to_file(&tea, &target, 9).await.unwrap(), Some(9));
    let nowhere = folder.path().join("none/copy");
    assert!(storage.read_to_file(&tea, &nowhere, 9).await.is_err());
}

/// As its name says.
pub async fn a_file_that_cannot_be_read_makes_no_object(storage: &Storage) {
    let folder = tempfile::tempdir().unwrap();
    let refused = storage.put_file(&key("tea"), &folder.path().join("none"), TEXT).await;
    assert!(matches!(refused, Err(StorageError::Source(_))), "{refused:?}");
    assert!(listed(storage, "").await.is_empty());
}

/// As its name says.
pub async fn many_who_put_one_key_leave_one_of_them(storage: &Storage) {
    let puts = (0..12_u8).map(|n| {
        let storage = storage.clone();
        async move {
            storage.put(&key("seat"), noise(100_000, n.into()).into(), TEXT).await.unwrap();
            let seen = contents(&storage, &key("seat"), None).await.unwrap();
            assert!((0..12).any(|n| seen == noise(100_000, n)), "a mixture");
        }
    });
    for put in puts.map(tokio::spawn).collect::<Vec<_>>() {
        put.await.unwrap();
    }
    assert_eq!(listed(storage, "").await, [("seat".to_owned(), 100_000)].into());
}

/// As its name says.
pub async fn a_put_that_is_given_up_leaves_all_or_nothing(storage: &Storage) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(LARGE, 4);
    for n in 0..6 {
        let (storage, at) = (storage.clone(), key(&format!("given-up/{n}")));
        let source = folder.path().join(n.to_string());
        std::fs::write(&source, &bytes).unwrap();
        let putting = tokio::spawn(async move { storage.put_file(&at, &source, TEXT).await });
        for _ in 0..n * 40 {
            tokio::task::yield_now().await;
        }
        putting.abort();
        let _ = putting.await;
    }
    for (at, size) in listed(storage, "given-up").await {
        assert_eq!(size, LARGE as u64, "{at}");
        assert!(contents(storage, &key(&at), None).await.unwrap() == bytes, "{at}");
    }
}

/// As its name says.
pub async fn folders_come_and_go_under_those_who_put_into_them(storage: &Storage) {
    let guests = (0..8).map(|n| {
        let storage = storage.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                let at = put(&storage, &format!("inn/room/{n}"), b"x").await;
                assert_eq!(contents(&storage, &at, None).await.unwrap(), b"x");
                storage.delete(&at).await.unwrap();
            }
        })
    });
    for guest in guests.collect::<Vec<_>>() {
        guest.await.unwrap();
    }
    assert!(listed(storage, "").await.is_empty());
}

/// As its name says.
pub async fn it_says_that_it_is_ready(storage: &Storage) {
    storage.ready().await.unwrap();
    storage.sweep().await.unwrap();
    assert!(listed(storage, "").await.is_empty(), "asking leaves nothing behind");
}
