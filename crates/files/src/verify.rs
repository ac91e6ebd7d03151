//! What must hold of files: in their tables, and between the rows and what lies in the store.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use stoa_contracts::files::FileId;
use stoa_platform::{
    database::{Database, DatabaseError},
    storage::{ObjectKey, Storage, StorageError},
    verify::{Check, Findings, MOST_TOLD},
};
use uuid::Uuid;

use crate::{
    file::{File, Part, State, StoredName},
    spool::hexadecimal,
    store::{files, uploads, verify},
};

/// Rows read at once.
const PAGE: u32 = 500;

/// The checks of this domain's tables alone.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new("file-usage", "What people are said to keep is what their files have.", |c, _| {
            verify::wrong_sums(c)
        }),
        Check::new("file-messages", "Messages carry files that are there.", |c, _| {
            verify::carried_nothing(c)
        }),
    ]
}

/// Why rows and objects cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Compares the rows of files with the objects in the store, and the content of each with its checksum. Changes nothing and
/// may run beside a server: what comes or goes meanwhile is not told.
pub async fn compare(database: &Database, storage: &Storage) -> Result<Vec<Findings>, CompareError> {
    Ok(vec![
        findings(
            "file-objects",
            "Every file has its objects in the store, as long as they were and with the same content.",
            rows_without_objects(database, storage).await?,
        ),
        findings(
            "object-files",
            "Every object in the store belongs to a file.",
            objects_without_rows(database, storage).await?,
        ),
    ])
}

fn findings(check: &'static str, holds: &'static str, mut told: Vec<String>) -> Findings {
    told.sort_unstable();
    let more = told.len() > MOST_TOLD;
    told.truncate(MOST_TOLD);
    Findings { check, holds, contradictions: told, more }
}

async fn rows_without_objects(database: &Database, storage: &Storage) -> Result<Vec<String>, CompareError> {
    let (mut told, mut last) = (Vec::new(), Uuid::nil());
    loop {
        let page = database.read(move |c| files::after(c, last, PAGE)).await?;
        let Some(newest) = page.last() else { return Ok(told) };
        last = newest.id.uuid();
        for file in page.iter().filter(|file| file.state == State::Ready) {
            for (part, size) in file.parts() {
                let Some(flaw) = flaw_of(storage, file, part, size).await? else { continue };
                // It may have been deleted since the page was read.
                if is_ready(database, file.id).await? {
                    told.push(flaw);
                }
            }
        }
        if told.len() > MOST_TOLD {
            return Ok(told);
        }
    }
}

async fn is_ready(database: &Database, id: FileId) -> Result<bool, DatabaseError> {
    let found = database.read(move |c| files::find(c, id)).await?;
    Ok(found.is_some_and(|file| file.state == State::Ready))
}

/// What is wrong with an object of a file.
async fn flaw_of(
    storage: &Storage,
    file: &File,
    part: Part,
    size: u64,
) -> Result<Option<String>, StorageError> {
    let key = file.key(part)?;
    let Some(mut body) = storage.read(&key, None).await? else {
        return Ok(Some(format!("file {}: {key} is not there", file.id)));
    };
    if body.size != size {
        return Ok(Some(format!("file {}: {key} has {} bytes and should have {size}", file.id, body.size)));
    }
    if part != Part::Main {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    while let Some(piece) = body.stream.try_next().await? {
        hash.update(&piece);
    }
    let other = hexadecimal(&hash.finalize()) != file.checksum;
    Ok(other.then(|| format!("file {}: {key} has another checksum", file.id)))
}

async fn objects_without_rows(database: &Database, storage: &Storage) -> Result<Vec<String>, CompareError> {
    let mut told = BTreeSet::new();
    let mut objects = storage.list("");
    while let Some(object) = objects.try_next().await? {
        if !is_known(database, &object.key).await? {
            told.insert(format!("{} belongs to no file", object.key));
        }
        if told.len() > MOST_TOLD {
            break;
        }
    }
    Ok(told.into_iter().collect())
}

/// Whether an object is of a file, of an upload that is open, or may be dropped at any time anyway.
async fn is_known(database: &Database, key: &ObjectKey) -> Result<bool, DatabaseError> {
    let text = key.as_str();
    if text.starts_with("renditions/") {
        return Ok(true);
    }
    if let Some(id) = text.strip_prefix("incoming/") {
        let Ok(id) = id.parse::<FileId>() else { return Ok(false) };
        return database.read(move |c| uploads::exists(c, id)).await;
    }
    let Some(name) = text.rsplit('/').next().and_then(StoredName::parse) else { return Ok(false) };
    let (id, part) = (name.id, name.part);
    let found = database.read(move |c| files::find(c, id)).await?;
    let is_own =
        |file: File| file.parts().any(|(one, _)| one == part && file.key(one).is_ok_and(|own| own == *key));
    Ok(found.is_some_and(is_own))
}
