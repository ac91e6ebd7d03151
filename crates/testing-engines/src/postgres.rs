//! A PostgreSQL server whose data nobody will miss.

use std::{
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    arguments::Durability,
    failure::Result,
    programs::PostgresPrograms,
    server::{Engine, Place},
    undertaker::Farewell,
};

const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    // Its default folder belongs to the machine's own server, and the path of another may be too long for a socket.
    "unix_socket_directories=",
    // Tests run side by side, each on a database and a small pool of its own.
    "max_connections=500",
    // Planning costs more than it saves on small tables; production is told the same.
    "jit=off",
    "log_min_messages=warning",
];
const NOT_WAITING_FOR_THE_DISK: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

pub(crate) struct Postgres {
    programs: PostgresPrograms,
    durability: Durability,
    data: PathBuf,
}

impl Postgres {
    /// Makes the cluster; `stoa` is its superuser and needs no password.
    pub(crate) fn prepare(programs: PostgresPrograms, durability: Durability, place: &Place) -> Result<Self> {
        let data = place.folder.join("postgres");
        let mut initdb = Command::new(&programs.initdb);
        initdb
            .args([
                "--auth=trust",
                "--username=stoa",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&data);
        let status = place
            .prepare(initdb, "initdb", place.account)?
            .status()
            .map_err(|source| place.trouble("initdb", cannot_run(place, &source)))?;
        if !status.success() {
            return Err(place.trouble("initdb", format!("failed ({status})")));
        }
        Ok(Self { programs, durability, data })
    }

    pub(crate) fn url(port: u16) -> String {
        format!("postgres://stoa@127.0.0.1:{port}/postgres")
    }
}

/// Under another account the programs need the way down to the folder, and all the system says is "denied".
fn cannot_run(place: &Place, refusal: &io::Error) -> String {
    let folder = place.folder.display();
    format!("cannot be run in {folder} ({refusal}; TMPDIR must lie where every account may pass)")
}

impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn farewell(&self) -> Farewell {
        Farewell::Quit
    }

    fn command(&self, _: &Place, port: u16) -> Command {
        let mut command = Command::new(&self.programs.postgres);
        command.arg("-D").arg(&self.data).arg("-p").arg(port.to_string());
        let volatile: &[&str] = match self.durability {
            Durability::Volatile => &NOT_WAITING_FOR_THE_DISK,
            Durability::Durable => &[],
        };
        for setting in SETTINGS.iter().chain(volatile) {
            command.arg("-c").arg(setting);
        }
        command
    }

    fn answers(&self, port: u16) -> bool {
        Command::new(&self.programs.pg_isready)
            .args(["-q", "-h", "127.0.0.1", "-U", "stoa", "-d", "postgres", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
