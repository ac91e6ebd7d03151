//! `stoa migrate`: brings the database up to date, or says what is missing.

use std::process::ExitCode;

use stoa_kernel::Clock;
use stoa_platform::database::{self, Migration};

use super::{CommandError, terminal};
use crate::{app::StartError, secrets::make_data_folder, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, check: bool) -> Result<ExitCode, CommandError> {
    let migrations = wiring::migrations();
    if check {
        return list_missing(settings, &migrations);
    }
    make_data_folder(&settings.data_dir)
        .map_err(|source| StartError::DataFolder { path: settings.data_dir.display().to_string(), source })?;
    let applied = database::migrate(&settings.database, &migrations, &Clock::system())?;
    for number in &applied {
        terminal::line(format_args!("applied {}", name_of(*number, &migrations)))?;
    }
    if applied.is_empty() {
        terminal::line("the database is up to date")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list_missing(settings: &Settings, migrations: &[Migration]) -> Result<ExitCode, CommandError> {
    let missing = database::pending_migrations(&settings.database, migrations)?;
    for number in &missing {
        terminal::line(format_args!("missing {}", name_of(*number, migrations)))?;
    }
    if missing.is_empty() {
        terminal::line("the database is up to date")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

fn name_of(number: i64, migrations: &[Migration]) -> String {
    let known = migrations.iter().find(|migration| migration.number == number);
    format!("{number:04} {}", known.map_or("", |migration| migration.name))
}
