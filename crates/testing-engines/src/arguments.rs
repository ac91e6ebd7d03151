//! The command line of the runner.

use std::{ffi::OsString, path::PathBuf};

use crate::failure::{Failure, Result};

pub(crate) const USAGE: &str = "\
Usage: stoa-testing run [options] -- <command> [arguments…]

Runs the command beside servers of its own, on free ports and in a temporary folder, and clears them away after it.

  --engines embedded   no servers: SQLite and what Stoa has in process (STOA_TEST_ENGINES=embedded)
  --engines cluster    PostgreSQL and Redis
  --engines both       the same servers; tests run on either set (the default)
  --durable            PostgreSQL with fsync, for tests that pull the plug on it
  --s3                 a server of S3's API too (moto)
  --rabbitmq           RabbitMQ too

The command finds STOA_TEST_ENGINES, STOA_TEST_POSTGRES_URL, STOA_TEST_REDIS_URL, STOA_TEST_S3_URL and
STOA_TEST_AMQP_URL in its environment. Its exit code is passed on; 125 is a failure of the runner itself.";

/// What the caller asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Invocation {
    /// Print how it is used.
    Help,
    /// Run a command.
    Run(Run),
    /// Wait for the runner's end, then clear away. Only the runner itself calls this.
    Undertaker {
        /// The folder to remove.
        folder: PathBuf,
    },
}

/// A command and the servers it wants.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) engines: Engines,
    pub(crate) durability: Durability,
    pub(crate) s3: bool,
    pub(crate) rabbitmq: bool,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Run {
    /// Whether any server has to be started.
    pub(crate) fn needs_servers(&self) -> bool {
        self.s3 || self.rabbitmq || self.engines != Engines::Embedded
    }
}

/// Which set of engines the tests use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Engines {
    Embedded,
    Cluster,
    Both,
}

impl Engines {
    fn parse(word: &str) -> Option<Self> {
        [Self::Embedded, Self::Cluster, Self::Both].into_iter().find(|engines| engines.as_str() == word)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Cluster => "cluster",
            Self::Both => "both",
        }
    }
}

/// Whether PostgreSQL waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Durability {
    /// It does not: the data is thrown away anyway, and tests are several times faster.
    Volatile,
    /// It does, as in production.
    Durable,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Invocation> {
    let mut arguments = arguments.into_iter();
    let verb = arguments.next().unwrap_or_default();
    match verb.to_str() {
        Some("run") => parse_run(arguments),
        Some("help" | "--help" | "-h") => Ok(Invocation::Help),
        Some("undertaker") => {
            let folder = arguments.next().ok_or_else(|| Failure::Usage("no folder to clear away".into()))?;
            Ok(Invocation::Undertaker { folder: folder.into() })
        }
        _ if verb.is_empty() => Err(Failure::Usage("nothing to do".into())),
        _ => Err(Failure::Usage(format!("unknown word `{}`", verb.display()))),
    }
}

fn parse_run(mut arguments: impl Iterator<Item = OsString>) -> Result<Invocation> {
    let (mut engines, mut durability) = (Engines::Both, Durability::Volatile);
    let (mut s3, mut rabbitmq) = (false, false);
    loop {
        let option = arguments.next().ok_or_else(|| Failure::Usage("no command: `-- <command>`".into()))?;
        match option.to_str() {
            Some("--") => break,
            Some("--help" | "-h") => return Ok(Invocation::Help),
            Some("--durable") => durability = Durability::Durable,
            Some("--s3") => s3 = true,
            Some("--rabbitmq") => rabbitmq = true,
            Some("--engines") => engines = parse_engines(&arguments.next().unwrap_or_default())?,
            _ => return Err(Failure::Usage(format!("unknown option `{}`", option.display()))),
        }
    }
    let program = arguments.next().ok_or_else(|| Failure::Usage("no command after `--`".into()))?;
    Ok(Invocation::Run(Run { engines, durability, s3, rabbitmq, program, arguments: arguments.collect() }))
}

fn parse_engines(word: &OsString) -> Result<Engines> {
    word.to_str().and_then(Engines::parse).ok_or_else(|| {
        Failure::Usage(format!("--engines is embedded, cluster or both, not `{}`", word.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn run(line: &str) -> Run {
        match parsed(line).unwrap() {
            Invocation::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_end_at_the_dashes() {
        let run = run("run --engines cluster --durable -- cargo nextest run --engines embedded");
        assert_eq!(run.engines, Engines::Cluster);
        assert_eq!(run.durability, Durability::Durable);
        assert_eq!(run.program, "cargo");
        assert_eq!(run.arguments, ["nextest", "run", "--engines", "embedded"]);
    }

    #[test]
    fn both_sets_without_s3_and_rabbitmq_unless_asked() {
        let run = run("run -- true");
        assert_eq!((run.engines, run.durability), (Engines::Both, Durability::Volatile));
        assert_eq!((run.s3, run.rabbitmq), (false, false));
    }

    #[test]
    fn only_the_embedded_set_needs_no_servers() {
        assert!(!run("run --engines embedded -- true").needs_servers());
        assert!(run("run --engines embedded --rabbitmq -- true").needs_servers());
        assert!(run("run --engines embedded --s3 -- true").needs_servers());
        assert!(run("run --engines cluster -- true").needs_servers());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, named) in [
            ("", "nothing to do"),
            ("walk", "`walk`"),
            ("run", "no command"),
            ("run --", "no command after"),
            ("run true", "`true`"),
            ("run --engines", "not ``"),
            ("run --engines sqlite -- true", "`sqlite`"),
            ("run --fast -- true", "`--fast`"),
            ("undertaker", "no folder"),
        ] {
            let Err(Failure::Usage(said)) = parsed(line) else { panic!("`{line}` was taken") };
            assert!(said.contains(named), "`{line}`: {said}");
        }
    }
}
