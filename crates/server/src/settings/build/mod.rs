//! From texts to settings: each section of the table becomes the struct that its part of the house takes.

mod files;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use stoa_accounts::{AccountsSettings, SHORTEST_KEY_ROTATION, SyncSettings};
use stoa_catalog::CatalogSettings;
use stoa_chat::ChatSettings;
use stoa_drivers::{
    otlp::OtlpSettings,
    redis::{RedisAddress, RedisSettings},
    smtp::SmtpSettings,
    stripe::StripeSettings,
};
use stoa_http::{HttpSettings, LimitSettings};
use stoa_kernel::{Currency, money::MoneyError};
use stoa_notifications::NotificationsSettings;
use stoa_ordering::{OrderingSettings, Shop};
use stoa_platform::{
    database::{DatabaseConfig, PostgresConfig, SqliteConfig},
    jobs::WorkerSettings,
    limits::Policy,
};
use stoa_realtime::RealtimeSettings;

use crate::{acme::AcmeSettings, insight::InsightSettings, tls::TlsSettings};

use super::{
    CacheSettings, ConfigurationError, LogSettings, Settings,
    parse::{self, DatabaseUrl, Flaw},
    problem::Problem,
    sources::{Held, Origin},
};

/// The shortest `STOA_SETTLE_AFTER`: the lease of an idempotency key, so that a buyer who tries again comes first.
const IDEMPOTENCY_LEASE: Duration = Duration::from_secs(30);

/// The longest `STOA_REDIS_TIMEOUT`.
const LONGEST_REDIS_TIMEOUT: Duration = Duration::from_secs(5);

/// Every setting's text, asked by name.
struct Values<'h>(&'h [Held]);

impl Values<'_> {
    fn held(&self, name: &str) -> Result<&Held, Problem> {
        let found = self.0.iter().find(|held| held.setting.name == name);
        found.ok_or_else(|| Problem::of(name, "is missing in the table of settings, which is a defect"))
    }

    fn text(&self, name: &str) -> Result<&str, Problem> {
        self.held(name).map(|held| held.text.as_str())
    }

    fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Problem> {
        let held = self.held(name)?;
        parse(&held.text).map_err(|flaw| Problem::of(&held.called(), flaw))
    }

    fn given<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<Option<T>, Problem> {
        if self.text(name)?.is_empty() { Ok(None) } else { self.parsed(name, parse).map(Some) }
    }

    fn duration(&self, name: &str) -> Result<Duration, Problem> {
        self.parsed(name, parse::duration)
    }

    fn count<N: TryFrom<u64>>(&self, name: &str) -> Result<N, Problem> {
        let number = |text: &str| text.parse::<u64>().ok().and_then(|number| N::try_from(number).ok());
        self.parsed(name, |text| number(text).ok_or_else(|| "is too large".to_owned()))
    }
}

/// The settings that hold, or everything in which they contradict each other.
pub(super) fn settings(held: &[Held]) -> Result<Settings, ConfigurationError> {
    let values = Values(held);
    let mut problems = Vec::new();
    let settings = assemble(&values, &mut problems);
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(ConfigurationError(problems)),
    }
}

fn assemble(values: &Values<'_>, problems: &mut Vec<Problem>) -> Option<Settings> {
    let database = noted(database(values), problems);
    let redis = noted(redis(values), problems);
    let http = noted(http(values), problems);
    let accounts = noted(accounts(values), problems);
    let ordering = noted(ordering(values), problems);
    let (database, redis, http) = (database?, redis?, http?);
    let (accounts, ordering) = (accounts?, ordering?);
    let rest = || -> Result<Settings, Problem> {
        let currency = values.parsed("STOA_CURRENCY", parse::currency)?;
        Ok(Settings {
            host: values.parsed("STOA_HOST", parse::address)?,
            port: values.parsed("STOA_PORT", parse::port)?,
            data_dir: PathBuf::from(values.text("STOA_DATA_DIR")?),
            public_url: values.given("STOA_PUBLIC_URL", parse::url)?,
            tls: tls(values)?,
            acme: acme(values)?,
            environment: values.text("STOA_ENVIRONMENT")?.to_owned(),
            currency,
            drain_time: values.duration("STOA_DRAIN_TIME")?,
            database,
            redis,
            storage: files::storage(values)?,
            clamd: files::clamd(values)?,
            http,
            accounts,
            catalog: catalog(values, currency)?,
            ordering,
            notifications: NotificationsSettings {
                retention: values.duration("STOA_NOTIFICATIONS_RETENTION")?,
            },
            chat: ChatSettings {
                rooms_on_join: values.parsed("STOA_ROOMS_ON_JOIN", parse::switch)?,
                rooms_per_user: values.count("STOA_ROOMS_PER_USER")?,
                members_per_room: values.count("STOA_ROOM_MEMBERS")?,
            },
            files: files::uploads(values)?,
            realtime: realtime(values)?,
            cache: cache(values)?,
            rate_limits: values.parsed("STOA_RATE_LIMITS", parse::switch)?,
            mail_from: values.text("STOA_MAIL_FROM")?.to_owned(),
            smtp: smtp(values)?,
            stripe: stripe(values)?,
            mails_retention: values.duration("STOA_MAILS_RETENTION")?,
            events_retention: values.duration("STOA_EVENTS_RETENTION")?,
            workers: workers(values)?,
            insight: insight(values)?,
            log: LogSettings {
                filter: values.text("STOA_LOG")?.to_owned(),
                format: values.parsed("STOA_LOG_FORMAT", parse::log_format)?,
            },
        })
    };
    noted(rest(), problems)
}

fn noted<T>(built: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    built.map_err(|problem| problems.push(problem)).ok()
}

fn database(values: &Values<'_>) -> Result<DatabaseConfig, Problem> {
    let url = match given_by_parts(values)? {
        Some(url) => Some(DatabaseUrl::Postgres(url)),
        None => values.given("DATABASE_URL", parse::database_url)?,
    };
    let connections = values.count("STOA_DATABASE_CONNECTIONS")?;
    let path = match url {
        Some(DatabaseUrl::Postgres(url)) => {
            return Ok(DatabaseConfig::Postgres(PostgresConfig { url, connections }));
        }
        Some(DatabaseUrl::Sqlite(path)) => PathBuf::from(path),
        None => PathBuf::from(values.text("STOA_DATA_DIR")?).join("stoa.db"),
    };
    let max_pages =
        values.given("STOA_DATABASE_MAX_PAGES", |text| parse::count(text, 1, u64::from(u32::MAX)))?;
    Ok(DatabaseConfig::Sqlite(SqliteConfig {
        path,
        reader_threads: values.count("STOA_DATABASE_READERS")?,
        max_pages: max_pages.and_then(|pages| u32::try_from(pages).ok()),
    }))
}

/// The address that `DATABASE_HOST` and its companions make. `DATABASE_URL` goes before them, unless it stands in the
/// file and they in the environment.
fn given_by_parts(values: &Values<'_>) -> Result<Option<String>, Problem> {
    let (url, host) = (values.held("DATABASE_URL")?, values.held("DATABASE_HOST")?);
    let overridden = matches!((&url.origin, &host.origin), (Origin::File(_), Origin::Environment(_)));
    if !url.text.is_empty() && !overridden {
        return Ok(None);
    }
    let (user, password) = (values.text("DATABASE_USER")?, values.text("DATABASE_PASSWORD")?);
    let name = values.held("DATABASE_NAME")?;
    if host.text.is_empty() {
        let lonely = ["DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD"];
        let lonely =
            lonely.into_iter().filter_map(|part| values.held(part).ok()).find(|part| !part.text.is_empty());
        return lonely.map_or(Ok(None), |part| {
            Err(Problem::of(
                &part.called(),
                "is set without DATABASE_HOST; set that too, or DATABASE_URL instead",
            ))
        });
    }
    if name.text.is_empty() {
        return Err(Problem::of(&host.called(), "is set without DATABASE_NAME; set that too"));
    }
    let port = values.text("DATABASE_PORT")?;
    let (user, password) = (in_address(user), in_address(password));
    let host = if host.text.contains(':') { format!("[{}]", host.text) } else { in_address(&host.text) };
    let credentials = match (user.as_str(), password.as_str()) {
        ("", _) => String::new(),
        (user, "") => format!("{user}@"),
        (user, password) => format!("{user}:{password}@"),
    };
    Ok(Some(format!("postgres://{credentials}{host}:{port}/{}", in_address(&name.text))))
}

/// Percent-encoded, so that no character of a password ends it early.
fn in_address(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn redis(values: &Values<'_>) -> Result<Option<RedisSettings>, Problem> {
    let Some(address) = redis_address(values)? else { return Ok(None) };
    let timeout = |text: &str| {
        let flaw = || "is longer than a request should wait for a cache; give at most 5s".to_owned();
        Some(parse::duration(text)?).filter(|timeout| *timeout <= LONGEST_REDIS_TIMEOUT).ok_or_else(flaw)
    };
    Ok(Some(RedisSettings {
        prefix: values.parsed("STOA_REDIS_PREFIX", parse::prefix)?,
        patience: values.parsed("STOA_REDIS_TIMEOUT", timeout)?,
        ..RedisSettings::of(address)
    }))
}

/// `REDIS_URL`, else the address that `REDIS_HOST` and its companions make; the same order as for the database.
fn redis_address(values: &Values<'_>) -> Result<Option<RedisAddress>, Problem> {
    let (url, host) = (values.held("REDIS_URL")?, values.held("REDIS_HOST")?);
    let overridden = matches!((&url.origin, &host.origin), (Origin::File(_), Origin::Environment(_)));
    if !url.text.is_empty() && !overridden {
        return values.given("REDIS_URL", parse::redis_url);
    }
    let password = values.held("REDIS_PASSWORD")?;
    if host.text.is_empty() {
        let lonely = !password.text.is_empty();
        let flaw = "is set without REDIS_HOST; set that too, or REDIS_URL instead";
        return if lonely { Err(Problem::of(&password.called(), flaw)) } else { Ok(None) };
    }
    let credentials = match password.text.as_str() {
        "" => String::new(),
        password => format!(":{}@", in_address(password)),
    };
    let name = if host.text.contains(':') { format!("[{}]", host.text) } else { in_address(&host.text) };
    let address = format!("redis://{credentials}{name}:{}", values.text("REDIS_PORT")?);
    parse::redis_url(&address).map(Some).map_err(|flaw| Problem::of(&host.called(), flaw))
}

fn http(values: &Values<'_>) -> Result<HttpSettings, Problem> {
    Ok(HttpSettings {
        default_version: values.parsed("STOA_API_DEFAULT_VERSION", parse::version)?,
        v0_sunset: values.given("STOA_API_V0_SUNSET", parse::moment)?,
        cors_origins: values.parsed("STOA_CORS_ORIGINS", parse::origins)?,
        trusted_proxies: values.parsed("STOA_TRUSTED_PROXIES", parse::networks)?,
        https: values.text("STOA_PUBLIC_URL")?.starts_with("https:")
            || !values.text("STOA_TLS_CERTIFICATE")?.is_empty()
            || !values.text("STOA_ACME_DOMAINS")?.is_empty(),
        body_limit: values.parsed("STOA_BODY_LIMIT", parse::size)?,
        request_timeout: values.duration("STOA_REQUEST_TIMEOUT")?,
        slow_request: Duration::from_millis(values.count("STOA_SLOW_REQUEST_MS")?),
        limits: limits(values)?,
    })
}

fn realtime(values: &Values<'_>) -> Result<RealtimeSettings, Problem> {
    let public_url = values.given("STOA_PUBLIC_URL", parse::url)?;
    Ok(RealtimeSettings {
        guests: values.parsed("STOA_GUESTS", parse::switch)?,
        recovery_window: values.duration("STOA_RECOVERY_WINDOW")?,
        sockets: values.count("STOA_MAX_SOCKETS")?,
        events_per_second: values.count("STOA_SOCKET_EVENTS")?,
        origins: values.parsed("STOA_CORS_ORIGINS", parse::origins)?,
        own_origin: public_url.and_then(|address| parse::origin_of(&address)),
        ..RealtimeSettings::default()
    })
}

fn insight(values: &Values<'_>) -> Result<InsightSettings, Problem> {
    let otlp = match values.given("OTEL_EXPORTER_OTLP_ENDPOINT", parse::url)? {
        Some(endpoint) => Some(OtlpSettings {
            endpoint,
            headers: values.parsed("OTEL_EXPORTER_OTLP_HEADERS", parse::headers)?,
            service_name: values.text("OTEL_SERVICE_NAME")?.to_owned(),
            share: values.parsed("OTEL_TRACES_SAMPLER_ARG", parse::share)?,
        }),
        None => None,
    };
    Ok(InsightSettings { tokens: values.parsed("STOA_METRICS_TOKEN", parse::keys)?, otlp })
}

fn limits(values: &Values<'_>) -> Result<LimitSettings, Problem> {
    let policy = |name: &'static str, setting: &str| {
        let (max, window) = values.parsed(setting, parse::rate)?;
        Ok(Policy { name, max, window })
    };
    Ok(LimitSettings {
        general: policy("general", "STOA_RATE_LIMIT_GENERAL")?,
        signed_in_factor: values.count("STOA_RATE_LIMIT_SIGNED_IN_FACTOR")?,
        auth: policy("auth", "STOA_RATE_LIMIT_AUTH")?,
        forgot_password: policy("forgot-password", "STOA_RATE_LIMIT_FORGOT_PASSWORD")?,
        admin: policy("admin", "STOA_RATE_LIMIT_ADMIN")?,
        order: policy("order", "STOA_RATE_LIMIT_ORDER")?,
        upload: policy("upload", "STOA_RATE_LIMIT_UPLOAD")?,
        payment: policy("payment", "STOA_RATE_LIMIT_PAYMENT")?,
        webhook: policy("webhook", "STOA_RATE_LIMIT_WEBHOOK")?,
    })
}

fn accounts(values: &Values<'_>) -> Result<AccountsSettings, Problem> {
    let secret = values.text("STOA_JWT_SECRET")?.as_bytes().to_vec();
    let rotation = |text: &str| {
        let flaw = || "is shorter than others may keep the list of public keys; give at least 1h".to_owned();
        Some(parse::duration(text)?).filter(|rotation| *rotation >= SHORTEST_KEY_ROTATION).ok_or_else(flaw)
    };
    Ok(AccountsSettings {
        jwt_algorithm: values.parsed("STOA_JWT_ALGORITHM", parse::jwt_algorithm)?,
        jwt_key_rotation: values.parsed("STOA_JWT_KEY_ROTATION", rotation)?,
        access_token_ttl: values.duration("STOA_ACCESS_TOKEN_TTL")?,
        refresh_token_ttl: values.duration("STOA_REFRESH_TOKEN_TTL")?,
        v0_token_ttl: values.duration("STOA_V0_TOKEN_TTL")?,
        password_policy: values.parsed("STOA_PASSWORD_POLICY", parse::password_policy)?,
        hashing_threads: values.count("STOA_PASSWORD_THREADS")?,
        machine_keys: values.parsed("STOA_API_KEYS", parse::keys)?,
        sync: values.given("STOA_SYNC_URL", parse::url)?.map(SyncSettings::to),
        ..AccountsSettings::new(secret, issuer(values)?)
    })
}

/// The public address; without one that of a server on this machine.
fn issuer(values: &Values<'_>) -> Result<String, Problem> {
    let public = values.given("STOA_PUBLIC_URL", parse::url)?;
    let port = values.text("STOA_PORT")?;
    Ok(public.unwrap_or_else(|| format!("http://localhost:{port}")))
}

fn catalog(values: &Values<'_>, currency: Currency) -> Result<CatalogSettings, Problem> {
    Ok(CatalogSettings {
        low_stock_level: values.count("STOA_LOW_STOCK")?,
        import_limit: u64::try_from(values.parsed("STOA_IMPORT_LIMIT", parse::size)?).unwrap_or(u64::MAX),
        products_ttl: values.duration("STOA_CACHE_TTL_PRODUCTS")?,
        categories_ttl: values.duration("STOA_CACHE_TTL_CATEGORIES")?,
        packages_ttl: values.duration("STOA_CACHE_TTL_PACKAGES")?,
        offers_ttl: values.duration("STOA_CACHE_TTL_OFFERS")?,
        ..CatalogSettings::of(currency)
    })
}

fn ordering(values: &Values<'_>) -> Result<OrderingSettings, Problem> {
    let currency = values.parsed("STOA_CURRENCY", parse::currency)?;
    let minor = |name: &str| {
        let amount = |text: &str| match parse::amount(text)?.in_currency(currency) {
            Ok(money) => Ok(money.minor()),
            Err(MoneyError::TooPrecise) => {
                Err(format!("has more decimals than {currency} has; give {} at most", currency.digits()))
            }
            Err(MoneyError::TooLarge) => Err("is larger than can be kept; give less".to_owned()),
        };
        values.parsed(name, amount)
    };
    let settle_after = |text: &str| {
        let flaw = || "is shorter than a request may be retried; give at least 30s".to_owned();
        Some(parse::duration(text)?).filter(|after| *after >= IDEMPOTENCY_LEASE).ok_or_else(flaw)
    };
    Ok(OrderingSettings {
        tax_basis_points: values.parsed("STOA_TAX_RATE", parse::basis_points)?,
        shipping_fee_minor: minor("STOA_SHIPPING_FEE")?,
        free_shipping_above_minor: minor("STOA_FREE_SHIPPING_ABOVE")?,
        unpaid_hold: values.duration("STOA_UNPAID_HOLD")?,
        settle_after: values.parsed("STOA_SETTLE_AFTER", settle_after)?,
        shop: shop(values)?,
        ..OrderingSettings::for_currency(currency)
    })
}

fn shop(values: &Values<'_>) -> Result<Shop, Problem> {
    let lines = |text: &str| {
        text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let tax_id = values.text("STOA_SHOP_TAX_ID")?.trim();
    Ok(Shop {
        name: values.text("STOA_SHOP_NAME")?.trim().to_owned(),
        address: lines(values.text("STOA_SHOP_ADDRESS")?),
        tax_id: (!tax_id.is_empty()).then(|| tax_id.to_owned()),
    })
}

/// As many lines to the server as mails are sent at once.
fn tls(values: &Values<'_>) -> Result<Option<TlsSettings>, Problem> {
    let (certificate, key) = (values.text("STOA_TLS_CERTIFICATE")?, values.text("STOA_TLS_KEY")?);
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(TlsSettings { certificate: certificate.into(), key: key.into() })),
        (true, false) => Err(Problem::of("STOA_TLS_CERTIFICATE", "is needed with STOA_TLS_KEY")),
        (false, true) => Err(Problem::of("STOA_TLS_KEY", "is needed with STOA_TLS_CERTIFICATE")),
    }
}

fn acme(values: &Values<'_>) -> Result<Option<AcmeSettings>, Problem> {
    let domains = values.parsed("STOA_ACME_DOMAINS", parse::domains)?;
    let accepted = values.parsed("STOA_ACME_ACCEPT_TERMS", parse::switch)?;
    if domains.is_empty() {
        let lonely = ["STOA_ACME_EMAIL", "STOA_ACME_CA_FILE"];
        let lonely = lonely.into_iter().find(|name| values.text(name).is_ok_and(|text| !text.is_empty()));
        let lonely = lonely.or(accepted.then_some("STOA_ACME_ACCEPT_TERMS"));
        return lonely.map_or(Ok(None), |name| {
            Err(Problem::of(&values.held(name)?.called(), "is set without STOA_ACME_DOMAINS; set that too"))
        });
    }
    let called = values.held("STOA_ACME_DOMAINS")?.called();
    if !values.text("STOA_TLS_CERTIFICATE")?.is_empty() {
        let flaw = "and STOA_TLS_CERTIFICATE name two certificates for one port; unset one of them";
        return Err(Problem::of(&called, flaw));
    }
    if !accepted {
        let flaw =
            "needs the terms of the directory accepted; read them, then set STOA_ACME_ACCEPT_TERMS=true";
        return Err(Problem::of(&called, flaw));
    }
    Ok(Some(AcmeSettings {
        email: values.given("STOA_ACME_EMAIL", parse::email)?,
        ca_file: values.given("STOA_ACME_CA_FILE", |text| Ok(PathBuf::from(text)))?,
        ..AcmeSettings::of(domains, values.parsed("STOA_ACME_DIRECTORY", parse::https)?)
    }))
}

fn stripe(values: &Values<'_>) -> Result<Option<StripeSettings>, Problem> {
    let (key, webhook) = (values.text("STRIPE_SECRET_KEY")?, values.text("STRIPE_WEBHOOK_SECRET")?);
    match (key.is_empty(), webhook.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => {
            Err(Problem::of("STRIPE_WEBHOOK_SECRET", "is set without STRIPE_SECRET_KEY; set that too"))
        }
        (false, no_webhook) => Ok(Some(StripeSettings {
            webhook_secret: (!no_webhook).then(|| webhook.to_owned()),
            api_base: values.parsed("STRIPE_API_BASE", parse::url)?,
            ..StripeSettings::of(key.to_owned())
        })),
    }
}

fn smtp(values: &Values<'_>) -> Result<Option<SmtpSettings>, Problem> {
    let Some(server) = values.given("STOA_SMTP_URL", parse::smtp_url)? else { return Ok(None) };
    let (lines, step) = (values.count("STOA_QUEUE_EMAILS")?, values.duration("STOA_SMTP_TIMEOUT")?);
    Ok(Some(SmtpSettings { lines, step, ..SmtpSettings::of(server) }))
}

fn cache(values: &Values<'_>) -> Result<CacheSettings, Problem> {
    let max_bytes = values.parsed("STOA_CACHE_MAX_SIZE", parse::size)?;
    Ok(CacheSettings {
        on: values.parsed("STOA_CACHE", parse::switch)?,
        max_bytes: u64::try_from(max_bytes).unwrap_or(u64::MAX),
        warm: values.parsed("STOA_CACHE_WARM", parse::switch)?,
    })
}

fn workers(values: &Values<'_>) -> Result<WorkerSettings, Problem> {
    let mut workers = WorkerSettings::default();
    workers.concurrency.insert("emails".into(), values.count("STOA_QUEUE_EMAILS")?);
    workers.concurrency.insert("sync".into(), values.count("STOA_QUEUE_SYNC")?);
    workers.concurrency.insert("files".into(), values.count("STOA_QUEUE_FILES")?);
    workers.default_concurrency = values.count("STOA_QUEUE_OTHERS")?;
    Ok(workers)
}
