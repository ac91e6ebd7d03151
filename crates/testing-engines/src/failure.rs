//! What can go wrong in the runner itself, in words that name the cure.

use std::{ffi::OsString, io, process::ExitCode};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why the command was not run, or not cleared away after.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line cannot be understood.
    #[error("{0}\n\n{usage}", usage = crate::arguments::USAGE)]
    Usage(String),
    /// Programs that the asked-for servers need are not on this machine.
    #[error("{0}")]
    Missing(String),
    /// As root, PostgreSQL needs another account to run under.
    #[error("PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as")]
    NoAccount,
    /// Every port that may be used is taken.
    #[error("no free port on 127.0.0.1 between {first} and {last}", first = crate::ports::FIRST, last = crate::ports::LAST)]
    NoPort,
    /// A server did not come up.
    #[error("{server} {what}; the end of its log:\n{log}")]
    Server {
        /// Its name.
        server: &'static str,
        /// What it did instead of starting.
        what: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// A signal arrived before the command was started.
    #[error("ended by signal {0} while the servers were starting")]
    Interrupted(i32),
    /// The command cannot be started.
    #[error("cannot run {program}: {source}", program = program.display())]
    Command {
        /// What was to be run.
        program: OsString,
        /// Why it was not.
        source: io::Error,
    },
    /// Servers or their folder may still be there.
    #[error("the servers were not cleared away: the undertaker ended with {0}")]
    NotBuried(std::process::ExitStatus),
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The refusal.
        source: io::Error,
    },
}

impl Failure {
    /// For `map_err`: an I/O error together with what was being done.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// 2 for a wrong command line, 127 and 128+n as shells do it, and 125 for the runner's own troubles, so that
    /// none is taken for the command's.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Command { .. } => ExitCode::from(127),
            Self::Interrupted(signal) => ExitCode::from(signals_exit_code(*signal)),
            _ => ExitCode::from(125),
        }
    }
}

/// What a shell reports of a process ended by this signal.
pub(crate) fn signals_exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
