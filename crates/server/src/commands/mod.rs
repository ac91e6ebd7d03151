//! The command line: what `stoa` can be told to do. Exit codes: 0 done, 1 failed, 2 wrongly called or configured.

mod admin;
mod demo;
mod doctor;
mod error;
mod migrate;
mod openapi;
mod seed;
mod serve;
mod terminal;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use stoa_kernel::{Clock, Random};
use stoa_platform::Platform;
use tokio::runtime::{Builder, Runtime};

use self::error::CommandError;
use crate::{
    app::open_platform,
    logging, secrets,
    settings::{self, Environment, Loaded, Origin, Settings},
    wiring::Domains,
};

/// The backend of a shop: accounts, catalogue, orders and payments in one program.
#[derive(Parser)]
#[command(name = "stoa", version)]
struct CommandLine {
    /// The configuration file; else that of `STOA_CONFIG`, else stoa.toml if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server
    Serve,
    /// Bring the database up to date; `serve` does so too
    Migrate {
        /// Only list what is missing, and fail if anything is
        #[arg(long)]
        check: bool,
    },
    /// Check configuration and engines, and say what to mend
    Doctor {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Look whether money, stock, orders, events and files agree with themselves, and say what does not
    Verify {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Look after files
    #[command(subcommand)]
    Files(FilesCommand),
    /// Print the OpenAPI document
    Openapi {
        /// Of which version of the API
        #[arg(long = "version", value_name = "VERSION", default_value = "v2", value_parser = ["v1", "v2"])]
        api_version: String,
    },
    /// Manage administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Fill the database with a demo shop
    Seed {
        /// How many products
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        products: u32,
        /// Also on a database that has users already, or in production
        #[arg(long)]
        yes: bool,
    },
    /// Print what a shell needs to complete commands
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Subcommand)]
enum FilesCommand {
    /// Compare the rows of files with what lies in the store, content and all, and say what does not agree
    Verify {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make an administrator
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// The password; else that of `STOA_ADMIN_PASSWORD`, else it is asked for
        #[arg(long)]
        password: Option<String>,
    },
}

/// Does what this process was called for.
pub fn run() -> ExitCode {
    let line = CommandLine::parse();
    match line.run() {
        Ok(code) => code,
        Err(error) => error.tell(),
    }
}

impl CommandLine {
    fn run(self) -> Result<ExitCode, CommandError> {
        let environment = Environment::of_process();
        let load = || settings::load(&environment, self.config.as_deref());
        match self.command {
            Command::Serve => serve::run(load()?),
            Command::Migrate { check } => migrate::run(&quietly(load()?).settings, check),
            Command::Doctor { json } => doctor::run(load(), json),
            Command::Verify { json } => verify::run(&quietly(load()?).settings, json),
            Command::Files(FilesCommand::Verify { json }) => {
                verify::run_on_files(&quietly(load()?).settings, json)
            }
            Command::Openapi { api_version } => openapi::run(quietly(load()?).settings, &api_version),
            Command::Admin(AdminCommand::Create { email, password }) => {
                let password = password.or_else(|| environment.get("STOA_ADMIN_PASSWORD").map(str::to_owned));
                admin::create(quietly(load()?).settings, &email, password)
            }
            Command::Seed { products, yes } => seed::run(quietly(load()?).settings, products, yes),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut CommandLine::command(), "stoa", &mut script);
                terminal::raw(&script)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn quietly(loaded: Loaded) -> Loaded {
    let is_log = |name: &str| name == "STOA_LOG";
    let asked_for =
        loaded.report.lines.iter().any(|line| is_log(line.name) && line.origin != Origin::Default);
    logging::start_quietly(&loaded.settings.log, asked_for);
    loaded
}

fn runtime() -> Result<Runtime, CommandError> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Does `work` with the domains, as they stand on a database that is brought up to date first, without a server.
fn with_domains(
    mut settings: Settings,
    work: impl AsyncFnOnce(Platform, Domains) -> Result<ExitCode, CommandError>,
) -> Result<ExitCode, CommandError> {
    secrets::signing_secret(&mut settings, &Random::system())?;
    runtime()?.block_on(async {
        let platform = open_platform(&settings, Clock::system(), Random::system()).await?;
        let domains = Domains::new(&platform, &settings)?;
        work(platform, domains).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
