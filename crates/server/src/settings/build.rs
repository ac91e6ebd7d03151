//! From texts to settings: each section of the table becomes the struct that its part of the house takes.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use stoa_accounts::AccountsSettings;
use stoa_catalog::CatalogSettings;
use stoa_http::{HttpSettings, LimitSettings};
use stoa_kernel::{Currency, money::MoneyError};
use stoa_ordering::OrderingSettings;
use stoa_platform::{
    database::{DatabaseConfig, PostgresConfig, SqliteConfig},
    jobs::WorkerSettings,
    limits::Policy,
};

use super::{
    CacheSettings, ConfigurationError, LogSettings, Settings,
    parse::{self, DatabaseUrl, Flaw},
    problem::Problem,
    sources::{Held, Origin},
};

/// The shortest `STOA_SETTLE_AFTER`: the lease of an idempotency key, so that a buyer who tries again comes first.
const IDEMPOTENCY_LEASE: Duration = Duration::from_secs(30);

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
    let http = noted(http(values), problems);
    let accounts = noted(accounts(values), problems);
    let ordering = noted(ordering(values), problems);
    let (database, http, accounts, ordering) = (database?, http?, accounts?, ordering?);
    let rest = || -> Result<Settings, Problem> {
        let currency = values.parsed("STOA_CURRENCY", parse::currency)?;
        Ok(Settings {
            host: values.parsed("STOA_HOST", parse::address)?,
            port: values.parsed("STOA_PORT", parse::port)?,
            data_dir: PathBuf::from(values.text("STOA_DATA_DIR")?),
            public_url: values.given("STOA_PUBLIC_URL", parse::url)?,
            environment: values.text("STOA_ENVIRONMENT")?.to_owned(),
            currency,
            drain_time: values.duration("STOA_DRAIN_TIME")?,
            database,
            http,
            accounts,
            catalog: catalog(values, currency)?,
            ordering,
            cache: cache(values)?,
            rate_limits: values.parsed("STOA_RATE_LIMITS", parse::switch)?,
            mail_from: values.text("STOA_MAIL_FROM")?.to_owned(),
            events_retention: values.duration("STOA_EVENTS_RETENTION")?,
            workers: workers(values)?,
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

fn http(values: &Values<'_>) -> Result<HttpSettings, Problem> {
    Ok(HttpSettings {
        default_version: values.parsed("STOA_API_DEFAULT_VERSION", parse::version)?,
        v0_sunset: values.given("STOA_API_V0_SUNSET", parse::moment)?,
        cors_origins: values.parsed("STOA_CORS_ORIGINS", parse::origins)?,
        trusted_proxies: values.parsed("STOA_TRUSTED_PROXIES", parse::networks)?,
        https: values.text("STOA_PUBLIC_URL")?.starts_with("https:"),
        body_limit: values.parsed("STOA_BODY_LIMIT", parse::size)?,
        request_timeout: values.duration("STOA_REQUEST_TIMEOUT")?,
        limits: limits(values)?,
    })
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
        admin: policy("admin", "STOA_RATE_LIMIT_ADMIN")?,
        order: policy("order", "STOA_RATE_LIMIT_ORDER")?,
    })
}

fn accounts(values: &Values<'_>) -> Result<AccountsSettings, Problem> {
    let secret = values.text("STOA_JWT_SECRET")?.as_bytes().to_vec();
    Ok(AccountsSettings {
        access_token_ttl: values.duration("STOA_ACCESS_TOKEN_TTL")?,
        refresh_token_ttl: values.duration("STOA_REFRESH_TOKEN_TTL")?,
        v0_token_ttl: values.duration("STOA_V0_TOKEN_TTL")?,
        password_policy: values.parsed("STOA_PASSWORD_POLICY", parse::password_policy)?,
        hashing_threads: values.count("STOA_PASSWORD_THREADS")?,
        machine_keys: values.parsed("STOA_API_KEYS", parse::keys)?,
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
        products_ttl: values.duration("STOA_CACHE_TTL_PRODUCTS")?,
        categories_ttl: values.duration("STOA_CACHE_TTL_CATEGORIES")?,
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
        ..OrderingSettings::for_currency(currency)
    })
}

fn cache(values: &Values<'_>) -> Result<CacheSettings, Problem> {
    let max_bytes = values.parsed("STOA_CACHE_MAX_SIZE", parse::size)?;
    Ok(CacheSettings {
        on: values.parsed("STOA_CACHE", parse::switch)?,
        max_bytes: u64::try_from(max_bytes).unwrap_or(u64::MAX),
    })
}

fn workers(values: &Values<'_>) -> Result<WorkerSettings, Problem> {
    let mut workers = WorkerSettings::default();
    workers.concurrency.insert("emails".into(), values.count("STOA_QUEUE_EMAILS")?);
    workers.default_concurrency = values.count("STOA_QUEUE_OTHERS")?;
    Ok(workers)
}
