//! What is measured side by side: Stoa, and the stack that people would put together themselves (`bench/peers`), each on a
//! data folder of its own and with the same people signed in.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{sync::Semaphore, task::JoinSet};

use super::dialect::Dialect;
use crate::{
    client::{Connection, request},
    failure::Failure,
    server::{Server, free_address},
    shop::Buyer,
};

/// Registering is bound by the hash of the password; a few at once keep all cores busy.
const REGISTERING: usize = 8;
/// Numbers of buyers that no other scenario uses.
const FIRST_PERSON: usize = 100_000;

/// A program to measure.
pub(crate) enum Program {
    Stoa {
        binary: PathBuf,
        /// PostgreSQL's address, instead of SQLite.
        database: Option<String>,
    },
    /// Express, Socket.IO and better-sqlite3.
    Node { script: PathBuf, modules: PathBuf },
}

impl Program {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Stoa { database: None, .. } => "Stoa",
            Self::Stoa { database: Some(_), .. } => "Stoa on PostgreSQL",
            Self::Node { .. } => "Express and Socket.IO",
        }
    }
}

/// A program with its data and people.
pub(crate) struct Contender {
    pub(crate) program: Program,
    data: TempDir,
    /// The access tokens of those who are signed in.
    pub(crate) people: Vec<Arc<str>>,
}

impl Contender {
    /// Signs so many people up.
    pub(crate) async fn prepare(program: Program, people: usize) -> Result<Self, Failure> {
        let mut contender = Self { program, data: tempfile::tempdir()?, people: Vec::new() };
        let server = contender.start().await?;
        contender.people = sign_up(server.address, people).await?;
        Ok(contender)
    }

    /// Serves from its data folder.
    pub(crate) async fn start(&self) -> Result<Server, Failure> {
        self.serve(false).await
    }

    /// Serves so that sockets can come back, which Stoa always does.
    pub(crate) async fn start_with_recovery(&self) -> Result<Server, Failure> {
        self.serve(true).await
    }

    async fn serve(&self, recovery: bool) -> Result<Server, Failure> {
        match &self.program {
            Program::Stoa { binary, database } => {
                // Tokens are good for as long as the run, and after a start at another port.
                let mut settings =
                    vec![("STOA_ACCESS_TOKEN_TTL", "12h"), ("STOA_PUBLIC_URL", "http://localhost")];
                settings.extend(database.as_deref().map(|url| ("DATABASE_URL", url)));
                Server::start(binary, self.data.path(), &settings).await
            }
            Program::Node { script, modules } => {
                let address = free_address()?;
                let mut node = Command::new("node");
                node.arg(script)
                    .env("NODE_ENV", "production")
                    .env("NODE_PATH", modules)
                    .env("PEER_DATA", self.data.path())
                    .env("PEER_PORT", address.port().to_string())
                    .env("PEER_RECOVERY", if recovery { "on" } else { "off" });
                Server::run(node, address).await
            }
        }
    }

    pub(crate) fn is_stoa(&self) -> bool {
        matches!(self.program, Program::Stoa { .. })
    }

    pub(crate) fn is_on_postgres(&self) -> bool {
        matches!(self.program, Program::Stoa { database: Some(_), .. })
    }

    /// The SQLite file.
    pub(crate) fn database(&self) -> PathBuf {
        self.data.path().join(if self.is_stoa() { "stoa.db" } else { "peer.db" })
    }

    /// The ways in which it is spoken with, the first of which stands for it where that makes no difference.
    pub(crate) fn dialects(&self) -> &'static [Dialect] {
        if self.is_stoa() { &[Dialect::SocketIo, Dialect::Plain] } else { &[Dialect::SocketIo] }
    }

    /// Its column in the table.
    pub(crate) fn column(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::SocketIo => self.program.name().to_owned(),
            Dialect::Plain => format!("{} by WebSocket", self.program.name()),
        }
    }
}

/// The peer, when Node and its packages are there; otherwise why not.
pub(crate) fn node(peers: &Path, modules: &Path) -> Result<Program, Failure> {
    let runs = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !runs {
        return Err(Failure::new("Node is not there"));
    }
    if !modules.join("better-sqlite3").is_dir() {
        return Err(Failure::new("its packages are not installed: scripts/install-test-tools.sh bench"));
    }
    Ok(Program::Node { script: peers.join("server.cjs").canonicalize()?, modules: modules.canonicalize()? })
}

async fn sign_up(address: SocketAddr, people: usize) -> Result<Vec<Arc<str>>, Failure> {
    let (gate, mut tasks) = (Arc::new(Semaphore::new(REGISTERING)), JoinSet::new());
    for number in 0..people {
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            let _place = gate.acquire().await?;
            let buyer = Buyer::register(address, FIRST_PERSON + number).await?;
            Ok::<_, Failure>(Arc::from(buyer.token()))
        });
    }
    let mut tokens = Vec::with_capacity(people);
    while let Some(token) = tasks.join_next().await {
        tokens.push(token??);
    }
    Ok(tokens)
}

/// Opens a room over REST if it is not there; the person is in it then.
pub(crate) async fn enter(address: SocketAddr, token: &str, room: &str) -> Result<(), Failure> {
    let mut connection = Connection::open(address).await?;
    let open = request("POST", "/api/rooms", Some(token), Some(&json!({"slug": room})));
    let opened = connection.send(&open).await?;
    if opened.status == 409 {
        let join = request("POST", &format!("/api/rooms/{room}/join"), Some(token), None);
        return connection.send(&join).await?.expect(200).map(drop);
    }
    opened.expect(201).map(drop)
}
