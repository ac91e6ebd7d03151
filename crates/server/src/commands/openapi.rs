//! `stoa openapi`: prints the document that the server would serve. Touches neither the data folder nor the database of
//! the configuration.

use std::process::ExitCode;

use stoa_http::ApiVersion;
use stoa_kernel::{Clock, Random};
use stoa_platform::database::{DatabaseConfig, SqliteConfig};

use super::{CommandError, runtime, terminal};
use crate::{
    app::open_platform,
    secrets,
    settings::{Settings, StorageSettings},
    wiring,
};

pub(super) fn run(mut settings: Settings, version: &str) -> Result<ExitCode, CommandError> {
    let scratch = tempfile::tempdir()?;
    scratch.path().clone_into(&mut settings.data_dir);
    settings.database = DatabaseConfig::Sqlite(SqliteConfig::at(scratch.path().join("stoa.db")));
    settings.storage = StorageSettings::Folder(scratch.path().join("files"));
    settings.files.spool = scratch.path().join("spool");
    secrets::signing_secret(&mut settings, &Random::system())?;
    let version = ApiVersion::parse(version)?;
    runtime()?.block_on(async {
        let platform = open_platform(&settings, Clock::system(), Random::system()).await?;
        let documents = wiring::documents(&platform, &settings)?;
        let text = serde_json::to_string_pretty(documents.document(version))?;
        terminal::line(text)?;
        Ok(ExitCode::SUCCESS)
    })
}
