//! `stoa doctor`: checks the configuration and every engine, and says what to mend.

mod files;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;
use stoa_drivers::{redis::Redis, smtp::Smtp, stripe::Stripe};
use stoa_kernel::{Clock, Random, Timestamp};
use stoa_platform::database::{DatabaseConfig, pending_migrations};

use super::{CommandError, terminal};
use crate::{
    acme::{self, AcmeSettings},
    secrets,
    settings::{ConfigurationError, Loaded, Origin, Report, Settings},
    tls, wiring,
};

const MIB: u64 = 1 << 20;
/// Less free space than this and SQLite soon cannot write.
const LEAST_FREE: u64 = 100 * MIB;
/// Less than this is worth a look.
const LITTLE_FREE: u64 = 1024 * MIB;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Verdict,
    message: String,
}

impl Finding {
    fn new(check: &'static str, status: Verdict, message: impl Into<String>) -> Self {
        Self { check, status, message: message.into() }
    }
}

#[derive(Serialize)]
struct Answer<'r> {
    ok: bool,
    checks: &'r [Finding],
    settings: Vec<SettingLine>,
}

#[derive(Serialize)]
struct SettingLine {
    name: &'static str,
    value: String,
    origin: String,
}

pub(super) fn run(loaded: Result<Loaded, ConfigurationError>, json: bool) -> Result<ExitCode, CommandError> {
    let (findings, report) = match loaded {
        Ok(Loaded { settings, report }) => (examine(&settings, &report), Some(report)),
        Err(error) => {
            (error.faults().map(|fault| Finding::new("configuration", Verdict::Fail, fault)).collect(), None)
        }
    };
    let ok = findings.iter().all(|finding| finding.status != Verdict::Fail);
    if json {
        let answer = Answer { ok, checks: &findings, settings: report.map(lines).unwrap_or_default() };
        terminal::line(serde_json::to_string_pretty(&answer)?)?;
    } else {
        print(&findings, report)?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(findings: &[Finding], report: Option<Report>) -> Result<(), CommandError> {
    for Finding { check, status, message } in findings {
        let status = match status {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        terminal::line(format_args!("{status:<4}  {check:<13}  {message}"))?;
    }
    if let Some(report) = report {
        terminal::line("")?;
        for SettingLine { name, value, origin } in lines(report) {
            let value = if value.is_empty() { "-" } else { &value };
            terminal::line(format_args!("{name:<32}  {value:<28}  {origin}"))?;
        }
    }
    Ok(())
}

fn lines(report: Report) -> Vec<SettingLine> {
    let line = |line: crate::settings::ReportLine| SettingLine {
        name: line.name,
        value: line.value,
        origin: line.origin.to_string(),
    };
    report.lines.into_iter().map(line).collect()
}

fn examine(settings: &Settings, report: &Report) -> Vec<Finding> {
    vec![
        configuration(report),
        data_folder(&settings.data_dir),
        secret(settings),
        database(settings),
        redis(settings, Clock::system().now()),
        files::kept(settings),
        files::scanned(settings),
        clock(Clock::system().now()),
        disk(settings),
        mail(settings),
        payments(settings),
        rate_limits(settings),
        public_address(settings),
        certificate(settings),
    ]
}

fn configuration(report: &Report) -> Finding {
    let set = report.lines.iter().filter(|line| line.origin != Origin::Default).count();
    let file = report.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    Finding::new("configuration", Verdict::Ok, format!("{set} settings are set; {file}"))
}

fn data_folder(folder: &Path) -> Finding {
    let shown = folder.display();
    let cure = "set STOA_DATA_DIR to a folder that can be written";
    if !folder.exists() {
        return match nearest_existing(folder).and_then(|parent| try_writing(&parent)) {
            Ok(()) => {
                Finding::new("data folder", Verdict::Ok, format!("{shown} will be made at first start"))
            }
            Err(error) => {
                Finding::new("data folder", Verdict::Fail, format!("{shown} cannot be made: {error}; {cure}"))
            }
        };
    }
    match try_writing(folder) {
        Ok(()) => Finding::new("data folder", Verdict::Ok, format!("{shown} can be written")),
        Err(error) => {
            Finding::new("data folder", Verdict::Fail, format!("{shown} cannot be written: {error}; {cure}"))
        }
    }
}

fn try_writing(folder: &Path) -> io::Result<()> {
    tempfile::Builder::new().prefix(".stoa-doctor").tempfile_in(folder)?.close()
}

fn nearest_existing(folder: &Path) -> io::Result<PathBuf> {
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let existing = folder.ancestors().map(here).find(|path| path.exists());
    existing.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn secret(settings: &Settings) -> Finding {
    if !settings.accounts.jwt_secret.is_empty() {
        return Finding::new("secret", Verdict::Ok, "tokens are signed with the configured secret");
    }
    match secrets::check_kept(&settings.data_dir) {
        Ok(true) => {
            Finding::new("secret", Verdict::Ok, "tokens are signed with the secret in the data folder")
        }
        Ok(false) => Finding::new("secret", Verdict::Ok, "a secret will be made at first start"),
        Err(error) => Finding::new("secret", Verdict::Fail, error.to_string()),
    }
}

fn database(settings: &Settings) -> Finding {
    let (engine, will_be_made) = match &settings.database {
        DatabaseConfig::Sqlite(sqlite) => {
            (format!("SQLite in {}", sqlite.path.display()), !sqlite.path.exists())
        }
        DatabaseConfig::Postgres(_) => ("PostgreSQL".to_owned(), false),
    };
    if will_be_made {
        return Finding::new("database", Verdict::Ok, format!("{engine} will be made at first start"));
    }
    match pending_migrations(&settings.database, &wiring::migrations()) {
        Ok(missing) if missing.is_empty() => {
            Finding::new("database", Verdict::Ok, format!("{engine} answers and is up to date"))
        }
        Ok(missing) => {
            let told = format!(
                "{engine} answers, {} migrations are missing; `stoa migrate` applies them",
                missing.len()
            );
            Finding::new("database", Verdict::Warn, told)
        }
        Err(error) => {
            let told =
                format!("{engine} does not answer: {error}; check DATABASE_URL and that the server runs");
            Finding::new("database", Verdict::Fail, told)
        }
    }
}

/// How far Redis's clock may be from ours: limits are counted by the clocks of the nodes.
const CLOCKS_APART: u64 = 5;

fn redis(settings: &Settings, now: Timestamp) -> Finding {
    let Some(redis) = &settings.redis else {
        return Finding::new("redis", Verdict::Ok, "none: limits and cache are of each node alone");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let seen = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(Redis::check(redis, &Random::system())).map_err(|error| error.to_string())
    });
    let (address, now) = (&redis.address, u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0));
    match seen {
        Err(error) => {
            let cure = "check REDIS_URL and that the server runs";
            Finding::new("redis", Verdict::Fail, format!("{address} cannot be used: {error}; {cure}"))
        }
        Ok(seen) if seen.time.abs_diff(now) > CLOCKS_APART => {
            let apart = seen.time.abs_diff(now);
            let told =
                format!("{address} answers; its clock and this one are {apart} s apart, set both by NTP");
            Finding::new("redis", Verdict::Warn, told)
        }
        Ok(seen) if seen.eviction == "noeviction" => {
            let told = format!(
                "{address} answers (version {}), but refuses writes when its memory is full; set maxmemory and \
                 maxmemory-policy allkeys-lru there",
                seen.version
            );
            Finding::new("redis", Verdict::Warn, told)
        }
        Ok(seen) => {
            Finding::new("redis", Verdict::Ok, format!("{address} answers (version {})", seen.version))
        }
    }
}

/// A clock that is far off makes tokens that nobody takes. No year before this program's, none beyond its grandchildren's.
fn clock(now: Timestamp) -> Finding {
    const EARLIEST: Timestamp = Timestamp::from_seconds(1_735_689_600);
    const LATEST: Timestamp = Timestamp::from_seconds(4_102_444_800);
    if (EARLIEST..LATEST).contains(&now) {
        Finding::new("clock", Verdict::Ok, format!("it is {now}"))
    } else {
        let told = format!("it says {now}; set the machine's clock, or tokens will not be good");
        Finding::new("clock", Verdict::Fail, told)
    }
}

fn disk(settings: &Settings) -> Finding {
    let free = nearest_existing(&settings.data_dir)
        .and_then(fs::canonicalize)
        .and_then(|folder| Ok(rustix::fs::statvfs(&folder)?));
    match free {
        Ok(disk) => free_space(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => {
            Finding::new("disk", Verdict::Warn, format!("free space cannot be told: {error}; look yourself"))
        }
    }
}

fn free_space(bytes: u64) -> Finding {
    let told = format!("{} MiB are free", bytes / MIB);
    match bytes {
        ..LEAST_FREE => {
            Finding::new("disk", Verdict::Fail, format!("{told}; make room, or set STOA_DATA_DIR elsewhere"))
        }
        LEAST_FREE..LITTLE_FREE => Finding::new("disk", Verdict::Warn, format!("{told}; make room soon")),
        _ => Finding::new("disk", Verdict::Ok, told),
    }
}

/// Connects to the mail server and signs in, but sends nothing.
fn mail(settings: &Settings) -> Finding {
    let Some(smtp) = &settings.smtp else {
        let told = "mails are kept as files in the data folder; set STOA_SMTP_URL to send them";
        return Finding::new("mail", Verdict::Ok, told);
    };
    let server = format!("{}:{}", smtp.server.host, smtp.server.port);
    let cure = "check STOA_SMTP_URL and that the server runs";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let checked =
        Smtp::new(smtp.clone(), Clock::system()).map_err(|error| error.to_string()).and_then(|way| {
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(way.check()).map_err(|error| error.to_string())
        });
    match checked {
        Err(error) => Finding::new("mail", Verdict::Fail, format!("{server} takes no mail: {error}; {cure}")),
        Ok(()) if settings.mail_from.contains("@localhost") => {
            let told = format!("{server} answers, but nobody takes mail from localhost; set STOA_MAIL_FROM");
            Finding::new("mail", Verdict::Warn, told)
        }
        Ok(()) => Finding::new("mail", Verdict::Ok, format!("{server} answers")),
    }
}

/// Asks Stripe whether it takes the key, and nothing else.
fn payments(settings: &Settings) -> Finding {
    let Some(stripe) = &settings.stripe else {
        let told = "the provider `test` takes no real money; set STRIPE_SECRET_KEY to be paid";
        return Finding::new("payments", Verdict::Ok, told);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let checked = Stripe::new(stripe.clone()).map_err(|error| error.to_string()).and_then(|way| {
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(way.check()).map_err(|error| error.to_string())
    });
    let base = &stripe.api_base;
    match checked {
        Err(error) => {
            let cure = "check STRIPE_SECRET_KEY and STRIPE_API_BASE";
            Finding::new("payments", Verdict::Fail, format!("{base} cannot be used: {error}; {cure}"))
        }
        Ok(()) if stripe.webhook_secret.is_none() => {
            let told = format!(
                "{base} takes the key, but its webhooks are not heard; set STRIPE_WEBHOOK_SECRET, and have Stripe send \
                 payment_intent.* and charge.refunded to /api/payments/webhooks/stripe"
            );
            Finding::new("payments", Verdict::Warn, told)
        }
        Ok(()) => Finding::new("payments", Verdict::Ok, format!("{base} takes the key")),
    }
}

fn rate_limits(settings: &Settings) -> Finding {
    if settings.rate_limits {
        Finding::new("rate limits", Verdict::Ok, "on")
    } else {
        let told = "OFF: anybody may guess passwords as fast as they can; unset STOA_RATE_LIMITS";
        Finding::new("rate limits", Verdict::Warn, told)
    }
}

fn certificate(settings: &Settings) -> Finding {
    if let Some(acme) = &settings.acme {
        return acme_certificate(acme, &settings.data_dir, Clock::system().now());
    }
    match settings.tls.as_ref().map(tls::check) {
        None => {
            Finding::new("certificate", Verdict::Ok, "none: plain HTTP, as behind a proxy that speaks TLS")
        }
        Some(Ok(())) => Finding::new("certificate", Verdict::Ok, "HTTPS with the configured certificate"),
        Some(Err(error)) => Finding::new("certificate", Verdict::Fail, error.to_string()),
    }
}

/// Asks no directory: each question there counts.
fn acme_certificate(settings: &AcmeSettings, data_dir: &Path, now: Timestamp) -> Finding {
    let (domains, directory) = (settings.domains.join(", "), &settings.directory);
    match acme::kept_until(settings, data_dir) {
        Ok(Some(until)) if until < now => {
            let told = format!(
                "the certificate for {domains} ran out at {until}; the log of the server says why it has no other"
            );
            Finding::new("certificate", Verdict::Fail, told)
        }
        Ok(Some(until)) => {
            let told =
                format!("HTTPS for {domains}, by {directory}; the kept certificate is good until {until}");
            Finding::new("certificate", Verdict::Ok, told)
        }
        Ok(None) => {
            let told = format!("HTTPS for {domains}, by {directory}, which is asked when the server starts");
            Finding::new("certificate", Verdict::Ok, told)
        }
        Err(error) => Finding::new("certificate", Verdict::Fail, error.to_string()),
    }
}

fn public_address(settings: &Settings) -> Finding {
    match &settings.public_url {
        Some(url) => Finding::new("public address", Verdict::Ok, url),
        None if settings.host.is_loopback() => {
            Finding::new("public address", Verdict::Ok, "none, and only this machine is served")
        }
        None => {
            let told = "others are served, but links in mails lead to localhost; set STOA_PUBLIC_URL";
            Finding::new("public address", Verdict::Warn, told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_fails() {
        assert_eq!(clock(Timestamp::from_seconds(0)).status, Verdict::Fail);
        assert_eq!(clock(Timestamp::from_seconds(1_800_000_000)).status, Verdict::Ok);
        assert_eq!(clock(Timestamp::from_seconds(5_000_000_000)).status, Verdict::Fail);
    }

    #[test]
    fn little_space_warns_and_hardly_any_fails() {
        assert_eq!(free_space(50 * MIB).status, Verdict::Fail);
        assert_eq!(free_space(500 * MIB).status, Verdict::Warn);
        assert_eq!(free_space(5_000 * MIB).status, Verdict::Ok);
    }

    #[test]
    fn a_folder_that_cannot_be_fails_and_one_that_will_be_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(data_folder(folder.path()).status, Verdict::Ok);
        assert_eq!(data_folder(&folder.path().join("a/b")).status, Verdict::Ok);
        assert_eq!(data_folder(&file).status, Verdict::Fail);
        assert_eq!(data_folder(&file.join("data")).status, Verdict::Fail);
    }

    #[test]
    fn what_only_matters_to_others_is_warned_of_only_then() {
        let verdict = |variables: &[(&str, &str)]| public_address(&Settings::of(variables).unwrap()).status;
        assert_eq!(verdict(&[]), Verdict::Ok);
        assert_eq!(verdict(&[("STOA_HOST", "0.0.0.0")]), Verdict::Warn);
        assert_eq!(
            verdict(&[("STOA_HOST", "0.0.0.0"), ("STOA_PUBLIC_URL", "https://a.example")]),
            Verdict::Ok
        );
        assert_eq!(rate_limits(&Settings::of(&[("STOA_RATE_LIMITS", "off")]).unwrap()).status, Verdict::Warn);
    }
}
