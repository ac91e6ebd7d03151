//! Where files are kept, and who looks into them before.

use stoa_drivers::clamd::Clamd;
use stoa_kernel::Random;
use stoa_platform::storage::{ObjectKey, Storage, StorageError};

use super::{Finding, Verdict};
use crate::{
    app,
    settings::{Settings, StorageSettings},
};

/// Puts an object, reads it and removes it: all that will be asked of the store.
pub(super) fn kept(settings: &Settings) -> Finding {
    let place = match &settings.storage {
        StorageSettings::Folder(folder) if !folder.exists() => {
            let told = format!("they will be kept in {}, which is made at first start", folder.display());
            return Finding::new("files", Verdict::Ok, told);
        }
        StorageSettings::Folder(folder) => folder.display().to_string(),
        StorageSettings::S3(s3) => s3.address.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tried = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let storage = app::open_storage(&settings.storage).map_err(|error| error.to_string())?;
        runtime.block_on(try_storage(&storage)).map_err(|error| error.to_string())
    });
    match tried {
        Ok(()) => Finding::new("files", Verdict::Ok, format!("they are kept in {place}")),
        Err(error) => {
            let told = format!("they cannot be kept in {place}: {error}; check STOA_STORAGE_URL");
            Finding::new("files", Verdict::Fail, told)
        }
    }
}

/// Asks clamd what it is.
pub(super) fn scanned(settings: &Settings) -> Finding {
    let Some(clamd) = &settings.clamd else {
        let told = "files are not scanned for viruses; set STOA_CLAMD_URL to have them shown to clamd";
        return Finding::new("scan", Verdict::Ok, told);
    };
    let address = &clamd.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let version = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(Clamd::new(clamd.clone()).version()).map_err(|error| error.0));
    match version {
        Ok(version) => Finding::new("scan", Verdict::Ok, format!("{version} answers at {address}")),
        Err(error) => {
            let told = format!(
                "clamd does not answer at {address}: {error}; no file is taken until it does, or STOA_CLAMD_URL is unset"
            );
            Finding::new("scan", Verdict::Fail, told)
        }
    }
}

async fn try_storage(storage: &Storage) -> Result<(), StorageError> {
    let key = format!("doctor/{:x}", u128::from_le_bytes(Random::system().bytes()));
    let key = ObjectKey::parse(&key)?;
    storage.put(&key, "stoa doctor".into(), "text/plain").await?;
    let found = storage.size(&key).await;
    storage.delete(&key).await?;
    match found? {
        Some(_) => Ok(()),
        None => Err(StorageError::Unavailable("what was put is not there".into())),
    }
}
