//! `stoa serve`: runs a node until it is told to stop.

use std::{io, process::ExitCode};

use stoa_kernel::{Clock, Random};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CommandError, runtime, terminal};
use crate::{
    app::App,
    logging, secrets,
    settings::{Loaded, Settings},
};

pub(super) fn run(loaded: Loaded) -> Result<ExitCode, CommandError> {
    let mut settings = loaded.settings;
    logging::start(&settings.log);
    secrets::signing_secret(&mut settings, &Random::system())?;
    let runtime = runtime()?;
    let ended = runtime.block_on(until_told(settings));
    // What still runs after the second signal must not hold the process.
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}

async fn until_told(settings: Settings) -> Result<(), CommandError> {
    if !settings.rate_limits {
        tracing::warn!(
            "rate limits are OFF (STOA_RATE_LIMITS): anybody may guess passwords as fast as they can"
        );
    }
    let data = settings.data_dir.clone();
    let scheme = if settings.tls.is_some() || settings.acme.is_some() { "https" } else { "http" };
    let app = App::start(settings, Clock::system(), Random::system()).await?;
    let mut signals = Signals::listen()?;
    let (version, address) = (env!("CARGO_PKG_VERSION"), app.address());
    terminal::line(format_args!(
        "Stoa {version} serves {scheme}://{address}, its data in {}",
        data.display()
    ))?;
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping; requests that run may end");
    tokio::select! {
        () = app.stop() => Ok(()),
        _ = signals.next() => Err(CommandError::Interrupted),
    }
}

/// What asks a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
