//! All the servers of one run.

use std::process::Child;

use tempfile::TempDir;

use crate::{
    account::Account,
    arguments::Run,
    failure::{Failure, Result},
    ports::Ports,
    postgres::Postgres,
    programs::Programs,
    rabbitmq::{Epmd, RabbitMq},
    redis::Redis,
    s3::S3,
    server::{Place, Starter},
    signals::Signals,
    undertaker::{Farewell, Undertaker},
};

/// Running servers, and the undertaker who will end them.
pub(crate) struct Cluster {
    environment: Vec<(&'static str, String)>,
    children: Vec<Child>,
    undertaker: Undertaker,
}

impl Cluster {
    /// Starts what the run asks for. A server that fails takes those before it with it.
    pub(crate) fn start(run: &Run, signals: &Signals) -> Result<Self> {
        let programs = Programs::find(run)?;
        let account = Account::choose()?;
        let folder = tempfile::Builder::new()
            .prefix("stoa-test-")
            .tempdir()
            .map_err(Failure::io("making a temporary folder"))?;
        account.give(folder.path())?;
        let undertaker = Undertaker::hire(folder.path())?;
        // From here the undertaker removes it.
        let place = Place { folder: TempDir::keep(folder), account };
        let environment = vec![("STOA_TEST_ENGINES", run.engines.as_str().to_owned())];
        let mut cluster = Self { environment, children: Vec::new(), undertaker };
        match cluster.start_servers(run, programs, &place, signals) {
            Ok(()) => Ok(cluster),
            Err(failure) => {
                // Why they did not start is worth more than a complaint about the rest.
                let _ = cluster.stop();
                Err(failure)
            }
        }
    }

    fn start_servers(
        &mut self,
        run: &Run,
        programs: Programs,
        place: &Place,
        signals: &Signals,
    ) -> Result<()> {
        let mut ports = Ports::new();
        let mut starter = Starter {
            place,
            ports: &mut ports,
            undertaker: &self.undertaker,
            signals,
            children: &mut self.children,
        };
        if let Some(programs) = programs.postgres {
            let port = starter.start(&Postgres::prepare(programs, run.durability, place)?)?;
            self.environment.push(("STOA_TEST_POSTGRES_URL", Postgres::url(port)));
        }
        if let Some(program) = programs.redis {
            let port = starter.start(&Redis { program })?;
            self.environment.push(("STOA_TEST_REDIS_URL", Redis::url(port)));
        }
        if let Some(python) = programs.moto {
            let port = starter.start(&S3 { python })?;
            self.environment.push(("STOA_TEST_S3_URL", S3::url(port)));
        }
        if let Some(programs) = programs.rabbitmq {
            let epmd_port = starter.start(&Epmd { program: programs.epmd })?;
            let cluster_port = starter.ports.take()?;
            let port = starter.start(&RabbitMq { program: programs.server, epmd_port, cluster_port })?;
            self.environment.push(("STOA_TEST_AMQP_URL", RabbitMq::url(port)));
        }
        Ok(())
    }

    /// What the command is told: `STOA_TEST_ENGINES` (`embedded`, `cluster` or `both`), and for each server its
    /// address: `STOA_TEST_POSTGRES_URL`, `STOA_TEST_REDIS_URL`, `STOA_TEST_S3_URL`,
    /// `STOA_TEST_AMQP_URL`.
    pub(crate) fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// Has the command's process group ended with the servers, before them.
    pub(crate) fn take_over(&self, command: &Child) -> Result<()> {
        self.undertaker.take_over(command, Farewell::Terminate)
    }

    /// Ends the servers, and what the command left running, and removes the folder.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.undertaker.dismiss(&mut self.children)
    }
}
