//! A running node: everything wired, started in order and stopped in the opposite one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use stoa_drivers::{
    clamd::Clamd,
    otlp::{Otlp, OtlpError},
    redis::{Redis, RedisError},
    s3::{self, S3},
    smtp::{self, Smtp},
};
use stoa_http::Edge;
use stoa_kernel::{Clock, Random};
use stoa_platform::{
    Platform,
    cache::{Cache, Tag},
    database::{Database, DatabaseError, MigrationError, Signal, migrate},
    events::{Followers, FollowersHandle, StoredEvent, Tail},
    jobs::{self, Handler, Schedule, Watch, WorkerSettings, Workers, WorkersHandle},
    limits::Limits,
    mail::{Delivery, Folder, MailError, Mailer},
    metrics::Metrics,
    scan::Scanner,
    storage::{Storage, StorageError},
    traces::Traces,
};
use stoa_realtime::{Doors, Running};
use tokio::net::TcpListener;

use crate::{
    health::Health,
    insight::{self, Figures, Upkeep},
    serve::{Listening, listen},
    settings::{Settings, StorageSettings},
    tls::{Tls, TlsError},
    warming::warm,
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
    /// The way to the mail server cannot be set up.
    #[error("{0}; check STOA_SMTP_URL and the certificates of this system")]
    Smtp(#[from] smtp::SetupError),
    /// The way to Stripe cannot be set up.
    #[error("Stripe cannot be asked: {0}")]
    Stripe(#[from] stoa_drivers::stripe::SetupError),
    /// The way to Redis cannot be set up. One that is away does not stop the start.
    #[error("Redis cannot be asked: {0}; check REDIS_URL and the certificates of this system")]
    Redis(#[from] RedisError),
    /// The store of files cannot be opened. One that is away does not stop the start.
    #[error("files cannot be kept: {0}; check STOA_STORAGE_URL")]
    Storage(#[from] StorageError),
    /// The way to the bucket cannot be set up.
    #[error("{0}; check STOA_STORAGE_URL and what names the key")]
    S3(#[from] s3::SetupError),
    /// Files refuse their settings.
    #[error(transparent)]
    Files(#[from] stoa_files::SetupError),
    /// What was being received when the server last ended cannot be removed.
    #[error("the folder that files are received in cannot be cleared: {0}; check STOA_DATA_DIR")]
    Spool(#[from] stoa_files::FileError),
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
    /// Figures cannot be kept.
    #[error("figures cannot be kept: {0}")]
    Figures(#[from] metrics_exporter_prometheus::BuildError),
    /// Traces cannot be sent.
    #[error("{0}; check OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS")]
    Traces(#[from] OtlpError),
    /// No HTTPS can be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread that was to do blocking work ended early.
    #[error("starting was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// How long a collector may take for the last traces of a node that stops.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// Over how long sockets are closed when the server stops, so that their clients do not come back all at once.
const SOCKETS_GO: Duration = Duration::from_secs(5);

/// How long a start waits for Redis, so that what is shared is shared from the first request.
const FIRST_REDIS: Duration = Duration::from_secs(1);

/// A running node.
pub struct App {
    platform: Platform,
    domains: Domains,
    health: Arc<Health>,
    listening: Listening,
    followers: FollowersHandle,
    workers: WorkersHandle,
    tail: Option<Tail>,
    doors: Doors,
    realtime: Running,
    schedules: Vec<Schedule>,
    drain_time: Duration,
    otlp: Option<Otlp>,
    upkeep: Upkeep,
}

impl App {
    /// Brings the schema up to date, starts every engine and listens.
    pub async fn start(settings: Settings, clock: Clock, random: Random) -> Result<Self, StartError> {
        let recorder = insight::recorder()?;
        let kept = recorder.handle();
        let metrics = Metrics::to(recorder);
        let (traces, otlp) = start_traces(&settings, &metrics, &random)?;
        let watch = Watch { metrics, traces };
        let redis = start_redis(&settings, &watch.metrics, &random)?;
        let platform = open_watched(&settings, clock, random, watch.clone(), redis.as_ref()).await?;
        let health = Arc::new(Health::new(&platform, &settings, redis.clone()));
        let wired = wiring::wire(&platform, &settings, &health)?;
        let Wired { domains, router, authenticator, followers, job_handlers, schedules, cache_tags, hub } =
            wired;
        let queues = job_handlers.iter().map(Handler::queue).collect();
        let figures = Figures::new(kept.clone(), &platform, &settings.insight, queues);

        let followers = Followers::start(&platform.database, &platform.clock, followers).await?;
        let tail = start_tail(&platform, cache_tags).await?;
        let realtime = hub.start().await?;
        let doors = Doors::new(&hub);
        let workers = Workers::start_with(
            WorkerSettings { watch, ..settings.workers.clone() },
            &platform.database,
            &platform.clock,
            &platform.random,
            job_handlers,
            schedules.clone(),
        )
        .await?;

        if let Some(redis) = &redis {
            redis.first_try(FIRST_REDIS).await;
        }
        domains.files.begin()?;
        // Whatever stopped on its way when this server last ended is settled first.
        domains.ordering.queue_sweep().await?;
        domains.catalogue.queue_catching_up().await?;

        let address = SocketAddr::new(settings.host, settings.port);
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let tls = start_tls(&settings, &platform.clock)?;
        let edge = Edge::new(router.merge(figures.routes()), settings.http.clone(), authenticator, &platform);
        let listening = listen(listener, tls, (edge.clone(), doors.clone()), &settings.http)
            .map_err(|source| StartError::Listen { address, source })?;
        let upkeep = Upkeep::start(kept, &platform);
        health.set_ready(true);
        if settings.cache.on && settings.cache.warm {
            warm(edge);
        }
        Ok(Self {
            platform,
            domains,
            health,
            listening,
            followers,
            workers,
            tail,
            doors,
            realtime,
            schedules,
            drain_time: settings.drain_time,
            otlp,
            upkeep,
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
        let sockets_go = self.doors.drain(self.drain_time.min(SOCKETS_GO));
        tokio::join!(self.listening.drain(self.drain_time), sockets_go);
        self.workers.drain().await;
        self.followers.drain().await;
        drop(self.tail);
        drop(self.realtime);
        drop(self.upkeep);
        if let Some(otlp) = self.otlp {
            otlp.stop(LAST_TRACES).await;
        }
    }
}

/// Opens every engine the settings name but Redis, which only nodes have to share. Commands use it, without a server.
pub async fn open_platform(
    settings: &Settings,
    clock: Clock,
    random: Random,
) -> Result<Platform, StartError> {
    open_watched(settings, clock, random, Watch::default(), None).await
}

/// As [`open_platform`], with a place for figures and traces, and with Redis.
async fn open_watched(
    settings: &Settings,
    clock: Clock,
    random: Random,
    watch: Watch,
    redis: Option<&Redis>,
) -> Result<Platform, StartError> {
    crate::secrets::make_data_folder(&settings.data_dir)
        .map_err(|source| StartError::DataFolder { path: settings.data_dir.display().to_string(), source })?;
    let (config, migrations, migration_clock) =
        (settings.database.clone(), wiring::migrations(), clock.clone());
    let Watch { metrics, traces } = watch;
    let measured = metrics.clone();
    let database = tokio::task::spawn_blocking(move || {
        let applied = migrate(&config, &migrations, &migration_clock)?;
        if !applied.is_empty() {
            tracing::info!(migrations = ?applied, "brought the database up to date");
        }
        Ok::<_, StartError>(Database::open_measured(&config, &measured)?)
    })
    .await??;
    let max_bytes = settings.cache.max_bytes;
    let cache = match redis {
        _ if !settings.cache.on => Cache::off(),
        Some(redis) => Cache::shared(max_bytes, clock.clone(), redis.entries()),
        None => Cache::in_process(max_bytes, clock.clone()),
    };
    let limits = match redis {
        _ if !settings.rate_limits => Limits::off(),
        Some(redis) => Limits::shared(clock.clone(), redis.counts()),
        None => Limits::in_process(clock.clone()),
    };
    let storage = open_storage(&settings.storage)?.measured(&metrics);
    let scanner = settings.clamd.clone().map(|clamd| Clamd::new(clamd) as Arc<dyn Scanner>);
    let mailer = Mailer::new(
        mail_delivery(settings, &clock)?,
        &settings.mail_from,
        &wiring::templates(),
        clock.clone(),
    )?
    .recording(&database)
    .measured(&metrics);
    let relay = redis.map(|redis| redis.relay(&metrics));
    Ok(Platform {
        database,
        clock,
        random,
        cache,
        limits,
        storage,
        scanner,
        mailer: Arc::new(mailer),
        metrics,
        traces,
        relay,
    })
}

/// The store that the settings name.
pub(crate) fn open_storage(settings: &StorageSettings) -> Result<Storage, StartError> {
    Ok(match settings {
        StorageSettings::Folder(folder) => Storage::folder(folder)?,
        StorageSettings::S3(s3) => Storage::over(S3::new(s3)?),
    })
}

/// Traces to the collector the settings name, if they do.
fn start_traces(
    settings: &Settings,
    metrics: &Metrics,
    random: &Random,
) -> Result<(Traces, Option<Otlp>), StartError> {
    let Some(otlp) = &settings.insight.otlp else { return Ok((Traces::off(), None)) };
    let (traces, sending) = Otlp::start(otlp, metrics, random, env!("CARGO_PKG_VERSION"))?;
    Ok((traces, Some(sending)))
}

/// With the certificate of the settings, or with those of an ACME directory.
fn start_tls(settings: &Settings, clock: &Clock) -> Result<Option<Tls>, TlsError> {
    match (&settings.tls, &settings.acme) {
        (Some(files), _) => Tls::start(files.clone()).map(Some),
        (None, Some(acme)) => Tls::by_acme(acme.clone(), &settings.data_dir, clock.clone()).map(Some),
        (None, None) => Ok(None),
    }
}

/// The Redis that nodes share, if the settings name one.
fn start_redis(settings: &Settings, metrics: &Metrics, random: &Random) -> Result<Option<Redis>, StartError> {
    Ok(settings.redis.as_ref().map(|redis| Redis::start(redis, metrics, random)).transpose()?)
}

/// Another server when one is named, else a folder.
fn mail_delivery(settings: &Settings, clock: &Clock) -> Result<Delivery, StartError> {
    Ok(match &settings.smtp {
        Some(smtp) => Delivery::Transport(Smtp::new(smtp.clone(), clock.clone())?),
        None => Delivery::Folder(Folder::open(settings.data_dir.join("mails"))?),
    })
}

type CacheTags = Vec<fn(&StoredEvent) -> Vec<Tag>>;

/// Hears what other nodes changed and forgets what it made stale here. A node alone invalidates at its own commits.
async fn start_tail(platform: &Platform, cache_tags: CacheTags) -> Result<Option<Tail>, DatabaseError> {
    if !platform.cache.is_on() {
        return Ok(None);
    }
    let (cache, heard_by) = (platform.cache.clone(), platform.cache.clone());
    let hear = move |events: Vec<Arc<StoredEvent>>| {
        let tags: Vec<Tag> =
            events.iter().flat_map(|event| cache_tags.iter().flat_map(|tags| tags(event))).collect();
        cache.invalidate(&tags);
        std::future::ready(())
    };
    let tail = Tail::start(&platform.database, |_| hear).await?;
    // What was written before this moment may be in nobody's hearing, so nothing from before it is believed.
    heard_by.clear();
    Ok(Some(tail))
}
