//! Why a command ends early, and with which exit code.

use std::{io, process::ExitCode};

use stoa_kernel::Refusal;
use stoa_platform::database::{DatabaseError, MigrationError};

use super::terminal;
use crate::{app::StartError, secrets::SecretError, settings::ConfigurationError};

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// Called in a way that cannot be done.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the database cannot be brought up to date: {0}")]
    Migration(#[from] MigrationError),
    #[error("the database failed: {0}; check DATABASE_URL")]
    Database(#[from] DatabaseError),
    #[error("files cannot be compared with the store: {0}")]
    Compare(#[from] stoa_files::verify::CompareError),
    #[error("{}", of_refusal(.0))]
    Refused(Box<Refusal>),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the answer cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Interrupted by whoever called.
    #[error("stopped at once")]
    Interrupted,
}

/// A refusal in words: what is wrong with each field, else its sentence, and what lies beneath.
fn of_refusal(refusal: &Refusal) -> String {
    let fields = refusal.fields.iter().map(|field| format!("{}: {}", field.field, field.message));
    let sentence = Some(refusal.detail.to_string()).filter(|_| refusal.fields.is_empty());
    let source = refusal.source.iter().map(ToString::to_string);
    fields.chain(sentence).chain(source).collect::<Vec<_>>().join("\n  ")
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl CommandError {
    /// Tells it to standard error; answers the exit code.
    pub(super) fn tell(self) -> ExitCode {
        match &self {
            // As with `stoa openapi | head`: whoever read has enough.
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            _ => terminal::complain(format_args!("stoa: {self}")),
        }
        match self {
            Self::Configuration(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Interrupted => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }
}
