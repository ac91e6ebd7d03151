//! `stoa-testing run [options] -- <command…>`: runs a command, usually the test suite, beside servers made for it.
//!
//! The servers listen on free loopback ports, keep everything in one temporary folder, and are gone when the command
//! is, however it ended. The tests learn of them by environment: see [`cluster::Cluster::environment`].
//!
//! A second process, the *undertaker*, does the clearing away, so that it happens even when this one is killed
//! outright: see [`undertaker`].

mod account;
mod arguments;
mod cluster;
mod command;
mod failure;
mod ports;
mod postgres;
mod programs;
mod rabbitmq;
mod redis;
mod s3;
mod server;
mod signals;
mod undertaker;

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use arguments::{Invocation, Run};
use cluster::Cluster;
use failure::{Failure, Result};
use signals::Signals;

fn main() -> ExitCode {
    match invoke(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(failure) => {
            // Nobody is left to tell when even stderr is gone.
            let _ = writeln!(io::stderr(), "stoa-testing: {failure}");
            failure.exit_code()
        }
    }
}

fn invoke(arguments: Vec<OsString>) -> Result<ExitCode> {
    match arguments::parse(arguments)? {
        Invocation::Help => {
            writeln!(io::stdout(), "{}", arguments::USAGE).map_err(Failure::io("writing the help"))?;
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Undertaker { folder } => undertaker::bury(&folder),
        Invocation::Run(run) if run.needs_servers() => run_beside_servers(&run),
        Invocation::Run(run) => Err(become_command(&run)),
    }
}

/// Without servers there is nothing to clear away, so the command takes this process over.
fn become_command(run: &Run) -> Failure {
    let failed =
        Command::new(&run.program).args(&run.arguments).env("STOA_TEST_ENGINES", run.engines.as_str()).exec();
    Failure::Command { program: run.program.clone(), source: failed }
}

fn run_beside_servers(run: &Run) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    let cluster = Cluster::start(run, &signals)?;
    let ended = command::run(run, &cluster, &signals);
    let cleared = cluster.stop();
    let code = ended?;
    cleared.map(|()| ExitCode::from(code))
}
