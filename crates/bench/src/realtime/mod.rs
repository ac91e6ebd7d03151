//! Realtime: what a delivery, a socket, a stored message and a recovery cost, of Stoa and of what it is compared with, by
//! one driver and in one run.

mod comparison;
mod contender;
mod crowd;
mod dialect;
mod frames;
mod history;
mod idle;
mod latencies;
mod latency;
mod recovery;
mod rooms;
mod session;
mod stalled;
mod stored;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

pub(crate) use self::comparison::Comparison;
use self::{
    contender::{Contender, Program},
    dialect::Dialect,
};
use crate::{Arguments, failure::Failure, scenarios::Report, server::Server};

/// How large what is measured is. The defaults are small, so that all of it takes minutes.
#[derive(Args, Clone)]
pub(crate) struct Sizes {
    /// People in the large room.
    #[arg(long, default_value_t = 500)]
    members: usize,
    /// Idle sockets; several numbers give several rows.
    #[arg(long, value_delimiter = ',', default_values_t = [2_000])]
    sockets: Vec<usize>,
    /// Messages in the longer history; the shorter one has 1,000.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// Sockets that come back at once after a restart.
    #[arg(long, default_value_t = 2_000)]
    returning: usize,
    /// What a socket missed that comes back alone.
    #[arg(long, default_value_t = 1_000)]
    missed: u64,
    /// Only those of the compared whose name contains this.
    #[arg(long, default_value = "")]
    of: String,
    /// The folder of what Stoa is compared with.
    #[arg(long, default_value = "bench/peers")]
    peers: PathBuf,
    /// Its packages.
    #[arg(long, default_value = "node_modules")]
    node_modules: PathBuf,
}

/// Nothing takes so long unless it has stopped.
const LONGEST: Duration = Duration::from_mins(30);

/// What is measured; `--only` takes a part of such a name.
const SCENARIOS: [(&str, Scenario); 7] = [
    ("realtime-rooms", Scenario::Rooms),
    ("realtime-idle", Scenario::Idle),
    ("realtime-stored", Scenario::Stored),
    ("realtime-latency", Scenario::Latency),
    ("realtime-stalled", Scenario::Stalled),
    ("realtime-recovery", Scenario::Recovery),
    ("realtime-history", Scenario::History),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Rooms,
    Idle,
    Stored,
    Latency,
    Stalled,
    Recovery,
    History,
}

impl Scenario {
    async fn run(self, stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
        match self {
            Self::Rooms => rooms::measure(stage, table).await,
            Self::Idle => idle::measure(stage, table).await,
            Self::Stored => stored::measure(stage, table).await,
            Self::Latency => latency::measure(stage, table).await,
            Self::Stalled => stalled::measure(stage, table).await,
            Self::Recovery => recovery::measure(stage, table).await,
            Self::History => history::measure(stage, table).await,
        }
    }
}

/// Where sockets are opened, and how they speak.
#[derive(Clone, Copy)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) dialect: Dialect,
}

/// One contender, spoken with in one way.
struct Stage<'a> {
    contender: &'a Contender,
    dialect: Dialect,
    time: Duration,
    sizes: &'a Sizes,
}

impl Stage<'_> {
    fn door(&self, server: &Server) -> Door {
        Door { address: server.address, dialect: self.dialect }
    }

    /// Whether this is the way that stands for the contender where sockets do not matter.
    fn is_first(&self) -> bool {
        self.contender.dialects().first() == Some(&self.dialect)
    }

    /// The name of a room that no other measurement uses.
    fn room(&self, what: &str, number: usize) -> String {
        let dialect = if self.dialect == Dialect::SocketIo { "io" } else { "ws" };
        format!("bench-{what}-{dialect}-{number}")
    }
}

/// Where the figures of one stage go.
struct Column<'a> {
    table: &'a mut Comparison,
    name: String,
}

impl Column<'_> {
    fn add(&mut self, what: impl Into<String>, figure: impl std::fmt::Display, aim: &'static str) {
        self.table.add(what.into(), &self.name, figure.to_string(), aim);
    }
}

pub(crate) async fn realtime(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let wanted: Vec<&(&str, Scenario)> =
        SCENARIOS.iter().filter(|(name, _)| name.contains(&arguments.only)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let contenders = contenders(arguments, report).await?;
    let mut failed = Vec::new();
    for (name, scenario) in wanted {
        for contender in &contenders {
            for dialect in contender.dialects() {
                let stage = Stage {
                    contender,
                    dialect: *dialect,
                    time: Duration::from_secs(arguments.seconds),
                    sizes: &arguments.realtime,
                };
                let mut column = Column { table: report.comparison(), name: contender.column(*dialect) };
                // The others are measured all the same; the run ends with what failed.
                let run = tokio::time::timeout(LONGEST, scenario.run(&stage, &mut column));
                if let Err(failure) = run.await.map_err(Failure::from).flatten() {
                    failed.push(format!("{name}, {}: {failure}", column.name));
                }
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("\n"))) }
}

async fn contenders(arguments: &Arguments, report: &mut Report) -> Result<Vec<Contender>, Failure> {
    let (binary, sizes) = (arguments.binary.canonicalize()?, &arguments.realtime);
    let mut programs = vec![Program::Stoa { binary: binary.clone(), database: None }];
    match contender::node(&sizes.peers, &sizes.node_modules) {
        Ok(node) => programs.push(node),
        Err(failure) => report.add("Express and Socket.IO beside it", format!("not measured: {failure}"), ""),
    }
    if let Ok(url) = std::env::var("DATABASE_URL") {
        programs.push(Program::Stoa { binary, database: Some(url) });
    }
    programs.retain(|program| program.name().contains(&sizes.of));
    let mut contenders = Vec::new();
    for program in programs {
        contenders.push(Contender::prepare(program, sizes.members).await?);
    }
    Ok(contenders)
}
