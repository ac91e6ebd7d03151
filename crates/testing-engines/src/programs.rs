//! Where the servers' programs are on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    arguments::{Engines, Run},
    failure::{Failure, Result},
};

const POSTGRES_HOME: &str = "/usr/lib/postgresql";
const NO_MOTO: &str = "there is no Python with moto: run `make suite`, or scripts/install-test-tools.sh suite, or set \
                       STOA_TEST_MOTO to one";

/// The programs that a run needs; what it does not need is `None`.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) postgres: Option<PostgresPrograms>,
    pub(crate) redis: Option<PathBuf>,
    pub(crate) rabbitmq: Option<RabbitPrograms>,
    /// A Python that has moto.
    pub(crate) moto: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct PostgresPrograms {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) pg_isready: PathBuf,
}

#[derive(Debug)]
pub(crate) struct RabbitPrograms {
    pub(crate) server: PathBuf,
    pub(crate) epmd: PathBuf,
}

impl Programs {
    /// Finds all of them, or names all that are missing at once, with the packages that have them.
    pub(crate) fn find(run: &Run) -> Result<Self> {
        let mut missing = Vec::new();
        let mut need = |wanted: bool, names: &'static str, package: &'static str, found: bool| {
            if wanted && !found {
                missing.push((names, package));
            }
        };
        let cluster = run.engines != Engines::Embedded;
        let postgres = postgres();
        let redis = on_path("redis-server");
        let rabbitmq = rabbitmq();
        let moto = moto();
        need(cluster, "initdb, postgres, pg_isready", "postgresql", postgres.is_some());
        need(cluster, "redis-server", "redis-server", redis.is_some());
        need(run.rabbitmq, "rabbitmq-server, epmd", "rabbitmq-server", rabbitmq.is_some());
        if !missing.is_empty() {
            return Err(Failure::Missing(complaint(&missing)));
        }
        if run.s3 && moto.is_none() {
            return Err(Failure::Missing(NO_MOTO.to_owned()));
        }
        Ok(Self {
            postgres: postgres.filter(|_| cluster),
            redis: redis.filter(|_| cluster),
            rabbitmq: rabbitmq.filter(|_| run.rabbitmq),
            moto: moto.filter(|_| run.s3),
        })
    }
}

fn complaint(missing: &[(&str, &str)]) -> String {
    let mut text = String::from("these programs are missing:\n");
    for (names, package) in missing {
        text.push_str("  ");
        text.push_str(names);
        text.push_str(" (Debian package ");
        text.push_str(package);
        text.push_str(")\n");
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    text.push_str("install them with: apt-get install ");
    text.push_str(&packages.join(" "));
    text.push_str("\nor run without servers: --engines embedded");
    text
}

/// Debian keeps each version in a folder of its own, outside PATH; the newest is taken, then whatever PATH has.
fn postgres() -> Option<PostgresPrograms> {
    let installed = newest_first(Path::new(POSTGRES_HOME)).into_iter().map(|version| version.join("bin"));
    let path_folder = on_path("initdb").and_then(|initdb| Some(initdb.parent()?.to_path_buf()));
    installed.chain(path_folder).find_map(|folder| {
        let program = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Some(PostgresPrograms {
            initdb: program("initdb")?,
            postgres: program("postgres")?,
            pg_isready: program("pg_isready")?,
        })
    })
}

fn newest_first(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, path)| path).collect()
}

/// Debian's `rabbitmq-server` on PATH insists on the account `rabbitmq`; the script that it wraps does not.
fn rabbitmq() -> Option<RabbitPrograms> {
    let script = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let server = Some(script).filter(|path| path.is_file()).or_else(|| on_path("rabbitmq-server"))?;
    Some(RabbitPrograms { server, epmd: on_path("epmd")? })
}

/// The Python that `make` names, or that the script for the tools of tests has put among them.
fn moto() -> Option<PathBuf> {
    let tools = || {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        std::env::var_os("STOA_TOOLS").map_or_else(|| home.join(".cache/stoa/tools"), PathBuf::from)
    };
    let named = std::env::var_os("STOA_TEST_MOTO").map(PathBuf::from);
    Some(named.unwrap_or_else(|| tools().join("bin/test-python"))).filter(|path| path.is_file())
}

/// PATH, and the folders for servers that only root's PATH has.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_by_number() {
        let home = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "16rc"] {
            fs::create_dir(home.path().join(version)).unwrap();
        }
        let found = newest_first(home.path());
        assert_eq!(found, ["17", "15", "9"].map(|version| home.path().join(version)));
    }

    #[test]
    fn no_folder_is_no_version() {
        assert!(newest_first(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn the_complaint_names_every_program_and_one_command() {
        let text = complaint(&[("initdb", "postgresql"), ("redis-server", "redis-server")]);
        assert!(text.contains("initdb (Debian package postgresql)"), "{text}");
        assert!(text.contains("apt-get install postgresql redis-server"), "{text}");
    }
}
