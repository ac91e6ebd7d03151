//! A running node: everything wired, started in order and stopped in the opposite one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use stoa_http::Edge;
use stoa_kernel::{Clock, Random};
use stoa_platform::{
    Platform,
    cache::{Cache, Tag},
    database::{Database, DatabaseError, MigrationError, Signal, migrate},
    events::{Followers, FollowersHandle, StoredEvent, Tail},
    jobs::{self, Schedule, Workers, WorkersHandle},
    limits::Limits,
    mail::{MailError, Mailer},
};
use tokio::net::TcpListener;

use crate::{
    health::Health,
    serve::{Listening, listen},
    settings::Settings,
    wiring::{self, Domains, Wired},
};

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be made.
    #[error(
        "the data folder {path} cannot be used: {source}; set STOA_DATA_DIR to a folder that can be written"
    )]
    DataFolder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}; check DATABASE_URL")]
    Database(#[from] DatabaseError),
    /// The mail templates or the sender's address are wrong.
    #[error("mail cannot be sent: {0}; check STOA_MAIL_FROM")]
    Mail(#[from] MailError),
    /// Accounts refuse their settings.
    #[error(transparent)]
    Accounts(#[from] stoa_accounts::SettingsError),
    /// The workers cannot start.
    #[error("the workers cannot start: {0}")]
    Workers(#[from] jobs::StartError),
    /// The documents cannot be made.
    #[error("the OpenAPI documents cannot be made: {0}")]
    Documents(#[from] serde_json::Error),
    /// The address is taken or not ours.
    #[error("{address} cannot be listened on: {source}; set STOA_HOST and STOA_PORT")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A thread that was to do blocking work ended early.
    #[error("starting was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// A running node.
pub struct App {
    platform: Platform,
    domains: Domains,
    health: Arc<Health>,
    listening: Listening,
    followers: FollowersHandle,
    workers: WorkersHandle,
    tail: Option<Tail>,
    schedules: Vec<Schedule>,
    drain_time: Duration,
}

impl App {
    /// Brings the schema up to date, starts every engine and listens.
    pub async fn start(settings: Settings, clock: Clock, random: Random) -> Result<Self, StartError> {
        let platform = open_platform(&settings, clock, random).await?;
        let health = Arc::new(Health::new(&platform, &settings));
        let Wired { domains, router, authenticator, followers, job_handlers, schedules, cache_tags } =
            wiring::wire(&platform, &settings, &health)?;

        let followers = Followers::start(&platform.database, &platform.clock, followers).await?;
        let tail = start_tail(&platform, cache_tags).await?;
        let workers = Workers::start_with(
            settings.workers.clone(),
            &platform.database,
            &platform.clock,
            &platform.random,
            job_handlers,
            schedules.clone(),
        )
        .await?;

        // Whatever stopped on its way when this server last ended is settled first.
        domains.ordering.queue_sweep().await?;

        let address = SocketAddr::new(settings.host, settings.port);
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let edge = Edge::new(router, settings.http.clone(), authenticator, &platform);
        let listening = listen(listener, edge, &settings.http)
            .map_err(|source| StartError::Listen { address, source })?;
        health.set_ready(true);
        Ok(Self {
            platform,
            domains,
            health,
            listening,
            followers,
            workers,
            tail,
            schedules,
            drain_time: settings.drain_time,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Its engines.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Its domains, to be asked without HTTP.
    pub fn domains(&self) -> &Domains {
        &self.domains
    }

    /// Does at once what schedules and workers would do when they look next; for tests that move the clock by hand.
    pub async fn tick(&self) -> Result<(), jobs::StartError> {
        let Platform { database, clock, random, .. } = &self.platform;
        jobs::run_schedules(database, clock, random, &self.schedules).await?;
        database.signals().ring(Signal::Jobs);
        Ok(())
    }

    /// Stops gracefully: says that it is not ready, lets requests end, then followers and jobs.
    pub async fn stop(self) {
        self.health.set_ready(false);
        self.listening.drain(self.drain_time).await;
        self.workers.drain().await;
        self.followers.drain().await;
        drop(self.tail);
    }
}

/// Opens every engine the settings name. Commands use it too, without a server.
pub async fn open_platform(
    settings: &Settings,
    clock: Clock,
    random: Random,
) -> Result<Platform, StartError> {
    crate::secrets::make_data_folder(&settings.data_dir)
        .map_err(|source| StartError::DataFolder { path: settings.data_dir.display().to_string(), source })?;
    let (config, migrations, migration_clock) =
        (settings.database.clone(), wiring::migrations(), clock.clone());
    let database = tokio::task::spawn_blocking(move || {
        let applied = migrate(&config, &migrations, &migration_clock)?;
        if !applied.is_empty() {
            tracing::info!(migrations = ?applied, "brought the database up to date");
        }
        Ok::<_, StartError>(Database::open(&config)?)
    })
    .await??;
    let cache = if settings.cache.on {
        Cache::in_process(settings.cache.max_bytes, clock.clone())
    } else {
        Cache::off()
    };
    let limits = if settings.rate_limits { Limits::in_process(clock.clone()) } else { Limits::off() };
    let mails = settings.data_dir.join("mails");
    let mailer = Mailer::to_folder(mails, &settings.mail_from, &wiring::templates(), clock.clone())?;
    Ok(Platform { database, clock, random, cache, limits, mailer: Arc::new(mailer) })
}

type CacheTags = Vec<fn(&StoredEvent) -> Vec<Tag>>;

/// Hears what other nodes changed and forgets what it made stale here. A node alone invalidates at its own commits.
async fn start_tail(platform: &Platform, cache_tags: CacheTags) -> Result<Option<Tail>, DatabaseError> {
    if !platform.cache.is_on() {
        return Ok(None);
    }
    let cache = platform.cache.clone();
    let hear = move |events: &[StoredEvent]| {
        let tags: Vec<Tag> =
            events.iter().flat_map(|event| cache_tags.iter().flat_map(|tags| tags(event))).collect();
        cache.invalidate(&tags);
    };
    Tail::start(&platform.database, hear).await.map(Some)
}
