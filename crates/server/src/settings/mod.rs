//! What Stoa can be told: read from the environment, `stoa.toml` and the defaults, checked as a whole before anything
//! starts.

mod build;
mod foreign;
mod kind;
mod page;
mod parse;
mod problem;
mod report;
mod sources;
mod table;

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use stoa_accounts::AccountsSettings;
use stoa_catalog::CatalogSettings;
use stoa_chat::ChatSettings;
use stoa_drivers::{
    clamd::ClamdSettings, redis::RedisSettings, s3::S3Settings, smtp::SmtpSettings, stripe::StripeSettings,
};
use stoa_files::FilesSettings;
use stoa_http::HttpSettings;
use stoa_kernel::Currency;
use stoa_notifications::NotificationsSettings;
use stoa_ordering::OrderingSettings;
use stoa_platform::{database::DatabaseConfig, jobs::WorkerSettings};
use stoa_realtime::RealtimeSettings;

use crate::{acme::AcmeSettings, tls::TlsSettings};

use crate::insight::InsightSettings;

pub use self::{
    page::{configuration_page, example_file},
    parse::SECRET_BYTES,
    problem::ConfigurationError,
    report::{Report, ReportLine},
    sources::{Environment, Origin},
};

/// Everything a node is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address it listens on.
    pub host: IpAddr,
    /// The port; 0 is any free one.
    pub port: u16,
    /// Where the database file, the secret and mails are kept.
    pub data_dir: PathBuf,
    /// The address people reach it by, without a slash at the end.
    pub public_url: Option<String>,
    /// The certificate for HTTPS; plain HTTP without one.
    pub tls: Option<TlsSettings>,
    /// The ACME directory that certificates come from.
    pub acme: Option<AcmeSettings>,
    /// What this installation is called.
    pub environment: String,
    /// The one currency of the shop.
    pub currency: Currency,
    /// How long open requests may take to end when it is stopped.
    pub drain_time: Duration,
    /// Which database, and how it is used.
    pub database: DatabaseConfig,
    /// The Redis by which nodes share; each is by itself without one.
    pub redis: Option<RedisSettings>,
    /// Where the bytes of files are kept.
    pub storage: StorageSettings,
    /// Who looks into files before they are taken; nobody without it.
    pub clamd: Option<ClamdSettings>,
    /// The HTTP surface.
    pub http: HttpSettings,
    /// Accounts. The signing secret is empty until [`secrets::signing_secret`](crate::secrets::signing_secret) has
    /// given one, unless the configuration has it.
    pub accounts: AccountsSettings,
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// Carts, orders and payments.
    pub ordering: OrderingSettings,
    /// How Stripe is asked; orders are paid at the provider `test` without it.
    pub stripe: Option<StripeSettings>,
    /// Notifications.
    pub notifications: NotificationsSettings,
    /// Sockets.
    pub realtime: RealtimeSettings,
    /// Chat.
    pub chat: ChatSettings,
    /// Files. The secret that signs links is taken from that of accounts.
    pub files: FilesSettings,
    /// The response cache.
    pub cache: CacheSettings,
    /// Whether requests are limited at all.
    pub rate_limits: bool,
    /// The sender of mails.
    pub mail_from: String,
    /// The server they are handed to; files in the data folder without one.
    pub smtp: Option<SmtpSettings>,
    /// How long it is kept what became of a mail.
    pub mails_retention: Duration,
    /// How long events are kept.
    pub events_retention: Duration,
    /// How many jobs run at once.
    pub workers: WorkerSettings,
    /// Who may see its figures, and where its traces go.
    pub insight: InsightSettings,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// Where the bytes of files are kept.
#[derive(Clone, Debug)]
pub enum StorageSettings {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a bucket that nodes share.
    S3(S3Settings),
}

/// The response cache.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// Whether there is one.
    pub on: bool,
    /// About how many bytes it may hold.
    pub max_bytes: u64,
    /// Whether it is filled with what is asked for first when the server starts.
    pub warm: bool,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A level, or levels by target.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// One line in words, coloured on a terminal.
    Auto,
    /// For people: several lines with colours.
    Pretty,
    /// One line in words, never coloured.
    Compact,
    /// One object in JSON.
    Json,
}

/// A configuration as it was read: the settings, and where each came from.
#[derive(Clone)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// Each setting's value and origin, secrets masked.
    pub report: Report,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Reads the configuration: `environment` over the file over the defaults. The file is the one named, else that of
/// `STOA_CONFIG`, else `stoa.toml` in the working directory if it is there.
pub fn load(environment: &Environment, file: Option<&Path>) -> Result<Loaded, ConfigurationError> {
    read(environment, sources::find_file(file, environment).as_deref())
}

fn read(environment: &Environment, file: Option<&Path>) -> Result<Loaded, ConfigurationError> {
    let held = sources::gather(environment, file)?;
    let settings = build::settings(&held)?;
    Ok(Loaded { settings, report: Report::of(&held, file) })
}

impl Settings {
    /// The settings that these variables and the defaults make, without any file; for tests and embedders.
    pub fn of(variables: &[(&str, &str)]) -> Result<Self, ConfigurationError> {
        read(&Environment::of(variables), None).map(|loaded| loaded.settings)
    }
}

#[cfg(test)]
mod tests;
