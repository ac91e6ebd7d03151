//! Where files are kept, who looks into them before, and how many and how large ones are taken.

use std::path::PathBuf;

use stoa_drivers::{
    clamd::ClamdSettings,
    s3::{S3Address, S3Credentials, S3Settings},
};
use stoa_files::FilesSettings;

use super::{
    super::{
        StorageSettings,
        parse::{self, StorageUrl},
        problem::Problem,
        sources::Held,
    },
    Values,
};

/// A folder beside the rest of the data, unless told otherwise.
pub(super) fn storage(values: &Values<'_>) -> Result<StorageSettings, Problem> {
    Ok(match values.given("STOA_STORAGE_URL", parse::storage_url)? {
        None => StorageSettings::Folder(PathBuf::from(values.text("STOA_DATA_DIR")?).join("files")),
        Some(StorageUrl::Folder(folder)) => StorageSettings::Folder(folder),
        Some(StorageUrl::S3(address)) => StorageSettings::S3(s3(values, address)?),
    })
}

pub(super) fn clamd(values: &Values<'_>) -> Result<Option<ClamdSettings>, Problem> {
    let Some(address) = values.given("STOA_CLAMD_URL", parse::clamd_url)? else { return Ok(None) };
    let patience = values.duration("STOA_CLAMD_TIMEOUT")?;
    Ok(Some(ClamdSettings { patience, ..ClamdSettings::of(address) }))
}

/// What is taken of whom, and where it lies meanwhile.
pub(super) fn uploads(values: &Values<'_>) -> Result<FilesSettings, Problem> {
    let bytes = |text: &str| parse::size(text).map(|size| u64::try_from(size).unwrap_or(u64::MAX));
    let spool = PathBuf::from(values.text("STOA_DATA_DIR")?).join("spool");
    Ok(FilesSettings {
        limit: values.parsed("STOA_UPLOAD_LIMIT", bytes)?,
        limits: values.parsed("STOA_UPLOAD_LIMITS", parse::upload_limits)?,
        quota: values.given("STOA_UPLOAD_QUOTA", bytes)?,
        guest_quota: values.given("STOA_GUEST_UPLOAD_QUOTA", bytes)?,
        guest_retention: values.duration("STOA_GUEST_UPLOADS_RETENTION")?,
        guests: values.parsed("STOA_GUESTS", parse::switch)?,
        keep_originals: values.parsed("STOA_KEEP_ORIGINALS", parse::switch)?,
        upload_timeout: values.duration("STOA_UPLOAD_TIMEOUT")?,
        uploads_at_once: values.count("STOA_UPLOADS_AT_ONCE")?,
        cache_bytes: values.parsed("STOA_FILES_CACHE", bytes)?,
        picture_threads: values.count("STOA_PICTURE_THREADS")?,
        public_url: values.given("STOA_PUBLIC_URL", parse::url)?,
        ..FilesSettings::new(spool)
    })
}

/// The bucket, with the region that goes for it unless its address names one.
fn s3(values: &Values<'_>, mut address: S3Address) -> Result<S3Settings, Problem> {
    let given = |name: &str| -> Result<Option<String>, Problem> {
        Ok(Some(values.text(name)?.to_owned()).filter(|text| !text.is_empty()))
    };
    address.region = address.region.or(given("STOA_S3_REGION")?);
    let (key_id, secret) = (values.held("STOA_S3_ACCESS_KEY_ID")?, values.held("STOA_S3_SECRET_ACCESS_KEY")?);
    let lonely = |held: &Held, other: &Held| {
        let flaw = format!(
            "is set without {}; set both, or neither for the role of the machine",
            other.setting.name
        );
        Err(Problem::of(&held.called(), flaw))
    };
    let credentials = match (key_id.text.is_empty(), secret.text.is_empty()) {
        (true, true) => None,
        (false, true) => return lonely(key_id, secret),
        (true, false) => return lonely(secret, key_id),
        (false, false) => Some(S3Credentials {
            key_id: key_id.text.clone(),
            secret: secret.text.clone(),
            session_token: given("STOA_S3_SESSION_TOKEN")?,
        }),
    };
    Ok(S3Settings { credentials, patience: values.duration("STOA_S3_TIMEOUT")?, ..S3Settings::of(address) })
}
