//! `stoa verify`: looks whether what is kept agrees with itself, and tells what does not. Changes nothing, and may run
//! beside a server.

use std::process::ExitCode;

use serde::Serialize;
use stoa_kernel::Clock;
use stoa_platform::{
    database::{Database, pending_migrations},
    verify::{Findings, verify},
};

use super::{CommandError, runtime, terminal};
use crate::{app::StartError, settings::Settings, wiring};

#[derive(Serialize)]
struct Answer {
    ok: bool,
    checks: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    check: &'static str,
    holds: &'static str,
    ok: bool,
    contradictions: Vec<String>,
    more: bool,
}

pub(super) fn run(settings: &Settings, json: bool) -> Result<ExitCode, CommandError> {
    if !pending_migrations(&settings.database, &wiring::migrations())?.is_empty() {
        let told =
            "the database is of another version than this program; `stoa migrate` brings it up to date";
        return Err(CommandError::Usage(told.into()));
    }
    let found = runtime()?.block_on(async {
        let config = settings.database.clone();
        let opened = tokio::task::spawn_blocking(move || Database::open(&config));
        let database = opened.await.map_err(StartError::from)??;
        Ok::<_, CommandError>(verify(&database, Clock::system().now(), wiring::checks()).await?)
    })?;
    let ok = found.iter().all(|findings| findings.contradictions.is_empty());
    if json {
        let checks = found.into_iter().map(line).collect();
        terminal::line(serde_json::to_string_pretty(&Answer { ok, checks })?)?;
    } else {
        print(&found)?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(findings: Findings) -> Line {
    let Findings { check, holds, contradictions, more } = findings;
    Line { check, holds, ok: contradictions.is_empty(), contradictions, more }
}

fn print(found: &[Findings]) -> Result<(), CommandError> {
    for Findings { check, holds, contradictions, more } in found {
        let status = if contradictions.is_empty() { "ok" } else { "FAIL" };
        terminal::line(format_args!("{status:<4}  {check:<22}  {holds}"))?;
        for contradiction in contradictions {
            terminal::line(format_args!("      - {contradiction}"))?;
        }
        if *more {
            terminal::line("      - and more")?;
        }
    }
    Ok(())
}
