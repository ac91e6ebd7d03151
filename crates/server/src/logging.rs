//! The log: to standard error, for people or for machines. Nothing that is logged holds a query string or a secret.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{LogFormat, LogSettings};

/// Starts logging for the rest of the process. A second call changes nothing.
pub(crate) fn start(settings: &LogSettings) {
    // The filter was checked with the rest of the configuration.
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    // An error says that a log is there already, as in an embedder's process; that one is theirs to keep.
    let _ = match settings.format {
        LogFormat::Auto => log.compact().with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Compact => log.compact().with_ansi(false).try_init(),
        LogFormat::Pretty => log.pretty().with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

/// As [`start`] for a command that ends: warnings only, unless the configuration asks for more.
pub(crate) fn start_quietly(settings: &LogSettings, asked_for: bool) {
    let filter = if asked_for { settings.filter.clone() } else { "warn".into() };
    start(&LogSettings { filter, format: settings.format });
}
