//! `stoa admin create`: makes an administrator.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use inquire::{Password, PasswordDisplayMode};

use super::{CommandError, terminal, with_domains};
use crate::settings::Settings;

pub(super) fn create(
    settings: Settings,
    email: &str,
    password: Option<String>,
) -> Result<ExitCode, CommandError> {
    let password = password.map_or_else(ask, Ok)?;
    with_domains(settings, async |_, domains| {
        let id = domains.accounts.create_user("admin", email, &password).await?;
        terminal::line(format_args!("made the administrator {email} ({id})"))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn ask() -> Result<String, CommandError> {
    if !io::stdin().is_terminal() {
        let told =
            "no password: give --password, set STOA_ADMIN_PASSWORD, or call it from a terminal to be asked";
        return Err(CommandError::Usage(told.into()));
    }
    let asked = Password::new("Password:").with_display_mode(PasswordDisplayMode::Masked).prompt();
    asked.map_err(|error| CommandError::Usage(format!("no password was given: {error}")))
}
