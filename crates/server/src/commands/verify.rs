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
use crate::{
    app::{StartError, open_storage},
    settings::Settings,
    wiring,
};

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
    require_schema(settings)?;
    let found = runtime()?.block_on(async {
        let database = open(settings).await?;
        Ok::<_, CommandError>(verify(&database, Clock::system().now(), wiring::checks()).await?)
    })?;
    tell(found, json)
}

/// `stoa files verify`: the tables of files, and what of them lies in the store.
pub(super) fn run_on_files(settings: &Settings, json: bool) -> Result<ExitCode, CommandError> {
    require_schema(settings)?;
    let found = runtime()?.block_on(async {
        let database = open(settings).await?;
        let storage = open_storage(&settings.storage)?;
        let mut found = verify(&database, Clock::system().now(), stoa_files::verify::checks()).await?;
        found.extend(stoa_files::verify::compare(&database, &storage).await?);
        Ok::<_, CommandError>(found)
    })?;
    tell(found, json)
}

async fn open(settings: &Settings) -> Result<Database, CommandError> {
    let config = settings.database.clone();
    let opened = tokio::task::spawn_blocking(move || Database::open(&config));
    Ok(opened.await.map_err(StartError::from)?.map_err(StartError::from)?)
}

fn require_schema(settings: &Settings) -> Result<(), CommandError> {
    if !pending_migrations(&settings.database, &wiring::migrations())?.is_empty() {
        let told =
            "the database is of another version than this program; `stoa migrate` brings it up to date";
        return Err(CommandError::Usage(told.into()));
    }
    Ok(())
}

fn tell(found: Vec<Findings>, json: bool) -> Result<ExitCode, CommandError> {
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
