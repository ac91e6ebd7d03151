//! The one list of all settings: what they are called, what they are unless told, and what they are for. Loading,
//! `stoa doctor`, docs/configuration.md and stoa.example.toml are all made from it.

use super::kind::Kind;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Its name in the environment.
    pub(super) name: &'static str,
    /// Its key in stoa.toml.
    pub(super) key: &'static str,
    /// What it is unless told; empty for nothing.
    pub(super) default: &'static str,
    pub(super) kind: Kind,
    /// What it is for.
    pub(super) about: &'static str,
    /// Whether its value is never shown.
    pub(super) secret: bool,
    /// Names of other stacks, read in this order where its own is not set.
    pub(super) others: &'static [&'static str],
}

impl Setting {
    const fn or(self, others: &'static [&'static str]) -> Self {
        Self { others, ..self }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The heading of stoa.toml it stands under; empty for none.
    pub(super) fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }
}

const fn setting(
    name: &'static str,
    key: &'static str,
    default: &'static str,
    kind: Kind,
    about: &'static str,
) -> Setting {
    Setting { name, key, default, kind, about, secret: false, others: &[] }
}

const fn count(least: u64, most: u64) -> Kind {
    Kind::Count { least, most }
}

/// All settings, by section, the sections in the order of the documentation.
pub(super) const SETTINGS: &[Setting] = &[
    setting("STOA_HOST", "host", "127.0.0.1", Kind::Address, "The address to listen on; 0.0.0.0 is every one.")
        .or(&["HOST"]),
    setting("STOA_PORT", "port", "5000", Kind::Port, "The port to listen on; 0 takes any free one.").or(&["PORT"]),
    setting(
        "STOA_DATA_DIR",
        "data_dir",
        "./data",
        Kind::Folder,
        "Where the SQLite database, the signing secret, files and kept mails are. Made at first start.",
    ),
    setting(
        "STOA_PUBLIC_URL",
        "public_url",
        "",
        Kind::Url,
        "The address people reach Stoa by: for absolute links and the issuer of tokens. With https, HSTS is sent.",
    ),
    setting(
        "STOA_TLS_CERTIFICATE",
        "tls_certificate",
        "",
        Kind::File,
        "The certificate for HTTPS and those above it, in PEM; with it Stoa speaks TLS itself. Looked at every minute, so a \
         renewal needs no restart.",
    ),
    setting("STOA_TLS_KEY", "tls_key", "", Kind::File, "The certificate's private key, in PEM."),
    setting("STOA_ENVIRONMENT", "environment", "development", Kind::Text, "What /health calls this installation.")
        .or(&["NODE_ENV"]),
    setting("STOA_CURRENCY", "currency", "USD", Kind::Currency, "The one currency of the shop."),
    setting(
        "STOA_DRAIN_TIME",
        "drain_time",
        "30s",
        Kind::Duration,
        "How long open requests may take to end when the server is stopped.",
    ),
    // Certificates by ACME
    setting(
        "STOA_ACME_DOMAINS",
        "acme.domains",
        "",
        Kind::Domains,
        "The names for which an ACME directory is asked for a certificate; with them Stoa speaks TLS itself. Each must \
         lead to this node, and port 443 from outside to its port.",
    ),
    setting(
        "STOA_ACME_ACCEPT_TERMS",
        "acme.accept_terms",
        "off",
        Kind::Switch,
        "Whether the terms of that directory are accepted; no certificate is asked for without.",
    ),
    setting(
        "STOA_ACME_EMAIL",
        "acme.email",
        "",
        Kind::Email,
        "Whom the directory may write to.",
    ),
    setting(
        "STOA_ACME_DIRECTORY",
        "acme.directory",
        "https://acme-v02.api.letsencrypt.org/directory",
        Kind::Https,
        "The directory; that of Let's Encrypt for trying things out is https://acme-staging-v02.api.letsencrypt.org/directory.",
    ),
    setting(
        "STOA_ACME_CA_FILE",
        "acme.ca_file",
        "",
        Kind::File,
        "The root that vouches for a private directory, in PEM.",
    ),
    // Database
    setting(
        "DATABASE_URL",
        "database.url",
        "",
        Kind::DatabaseUrl,
        "The database; without it SQLite in `stoa.db` of the data folder.",
    )
    .secret(),
    setting(
        "DATABASE_HOST",
        "database.host",
        "",
        Kind::Text,
        "The PostgreSQL server, as an alternative to DATABASE_URL; with it DATABASE_NAME is needed.",
    ),
    setting("DATABASE_PORT", "database.port", "5432", Kind::Port, "Its port."),
    setting("DATABASE_USER", "database.user", "", Kind::Text, "The user to sign in as.").or(&["DATABASE_USERNAME"]),
    setting("DATABASE_PASSWORD", "database.password", "", Kind::Text, "That user's password.").secret(),
    setting("DATABASE_NAME", "database.name", "", Kind::Text, "The database on that server."),
    setting(
        "STOA_DATABASE_CONNECTIONS",
        "database.connections",
        "10",
        count(1, 1_000),
        "Connections to PostgreSQL, each with a thread of its own.",
    ),
    setting(
        "STOA_DATABASE_READERS",
        "database.readers",
        "2",
        count(1, 64),
        "Threads for longer reads of SQLite.",
    ),
    setting(
        "STOA_DATABASE_MAX_PAGES",
        "database.max_pages",
        "",
        count(64, 4_294_967_294),
        "The most pages of 4 KiB that the SQLite file may grow to; without it the disk is the limit.",
    ),
    // Redis
    setting(
        "REDIS_URL",
        "redis.url",
        "",
        Kind::RedisUrl,
        "A Redis server by which nodes share rate limits, cached answers and who is online; without it each has its own.",
    )
    .secret(),
    setting(
        "REDIS_HOST",
        "redis.host",
        "",
        Kind::Text,
        "The Redis server, as an alternative to REDIS_URL.",
    ),
    setting("REDIS_PORT", "redis.port", "6379", Kind::Port, "Its port."),
    setting("REDIS_PASSWORD", "redis.password", "", Kind::Text, "The password of its default user.").secret(),
    setting(
        "STOA_REDIS_PREFIX",
        "redis.prefix",
        "stoa",
        Kind::Prefix,
        "What every key in Redis begins with: the same for the nodes of one shop, another for each shop on one server.",
    ),
    setting(
        "STOA_REDIS_TIMEOUT",
        "redis.timeout",
        "50ms",
        Kind::Duration,
        "How long an answer of Redis is waited for before the node does without; at most 5s.",
    ),
    // Files
    setting(
        "STOA_STORAGE_URL",
        "files.storage_url",
        "",
        Kind::StorageUrl,
        "Where the bytes of files are kept; without it in the folder `files` of the data folder. Nodes on several machines \
         share a bucket. `public_endpoint` in its query is where browsers reach it, if that is elsewhere.",
    ),
    setting("STOA_S3_ACCESS_KEY_ID", "files.s3_access_key_id", "", Kind::Text, "The name of a key to that bucket; without it the role that the machine has at AWS.")
        .or(&["AWS_ACCESS_KEY_ID"]),
    setting("STOA_S3_SECRET_ACCESS_KEY", "files.s3_secret_access_key", "", Kind::Text, "The key's secret.")
        .or(&["AWS_SECRET_ACCESS_KEY"])
        .secret(),
    setting("STOA_S3_SESSION_TOKEN", "files.s3_session_token", "", Kind::Text, "What goes with a key that is good for some hours.")
        .or(&["AWS_SESSION_TOKEN"])
        .secret(),
    setting("STOA_S3_REGION", "files.s3_region", "", Kind::Text, "The region of the bucket, unless its address names it.")
        .or(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
    setting(
        "STOA_S3_TIMEOUT",
        "files.s3_timeout",
        "30s",
        Kind::Duration,
        "How long an answer of the bucket is waited for, or the next piece of one.",
    ),
    setting(
        "STOA_CLAMD_URL",
        "files.clamd_url",
        "",
        Kind::ClamdUrl,
        "The clamd (ClamAV) that every file is shown to before it is taken; while it is away none is taken.",
    ),
    setting(
        "STOA_CLAMD_TIMEOUT",
        "files.clamd_timeout",
        "1m",
        Kind::Duration,
        "How long its verdict is waited for.",
    ),
    setting("STOA_UPLOAD_LIMIT", "files.upload_limit", "10MiB", Kind::Size, "The largest file that is taken."),
    setting(
        "STOA_UPLOAD_LIMITS",
        "files.upload_limits",
        "",
        Kind::SizesOfFiles,
        "The largest file of some kinds, in the place of STOA_UPLOAD_LIMIT. The kinds are jpg, png, gif, webp, avif, pdf, doc, \
         docx, xls, xlsx, txt, mp4 and webm.",
    ),
    setting(
        "STOA_UPLOAD_QUOTA",
        "files.upload_quota",
        "1GiB",
        Kind::Size,
        "What somebody may keep altogether, with what is made of their pictures.",
    ),
    setting(
        "STOA_GUEST_UPLOAD_QUOTA",
        "files.guest_quota",
        "1GiB",
        Kind::Size,
        "What all guests together may keep, where STOA_GUESTS lets them send files.",
    ),
    setting(
        "STOA_GUEST_UPLOADS_RETENTION",
        "files.guest_retention",
        "7d",
        Kind::Duration,
        "How long what guests send is kept.",
    ),
    setting(
        "STOA_UPLOAD_TIMEOUT",
        "files.upload_timeout",
        "15m",
        Kind::Duration,
        "How long sending the files of one request may take; one of which nothing comes for a minute is given up sooner.",
    ),
    setting(
        "STOA_UPLOADS_AT_ONCE",
        "files.uploads_at_once",
        "256",
        count(1, 100_000),
        "How many requests with files are received at once; more are refused with 503.",
    ),
    setting(
        "STOA_KEEP_ORIGINALS",
        "files.keep_originals",
        "off",
        Kind::Switch,
        "Whether a picture is also kept as it was sent, for its owner, with all that its camera wrote into it.",
    ),
    setting(
        "STOA_FILES_CACHE",
        "files.cache",
        "32MiB",
        Kind::Size,
        "How much of small files is kept in memory, so that they are served quickly.",
    ),
    setting(
        "STOA_PICTURE_THREADS",
        "files.picture_threads",
        "2",
        count(1, 64),
        "How many pictures are worked on at once; a large one takes some hundred MiB for a moment.",
    ),
    // HTTP
    setting(
        "STOA_API_DEFAULT_VERSION",
        "http.default_version",
        "v2",
        Kind::Version,
        "The version of the API for requests that name none.",
    ),
    setting(
        "STOA_API_V0_SUNSET",
        "http.v0_sunset",
        "",
        Kind::Moment,
        "When the deprecated v0 paths end; from then on they answer 410.",
    ),
    setting(
        "STOA_CORS_ORIGINS",
        "http.cors_origins",
        "",
        Kind::Origins,
        "Sites whose pages may call the API from a browser.",
    )
    .or(&["CORS_ORIGIN", "FRONTEND_URL"]),
    setting(
        "STOA_TRUSTED_PROXIES",
        "http.trusted_proxies",
        "",
        Kind::Networks,
        "Proxies whose `X-Forwarded-For` is believed; nobody else's is.",
    ),
    setting(
        "STOA_BODY_LIMIT",
        "http.body_limit",
        "1MiB",
        Kind::Size,
        "The largest body of a request.",
    ),
    setting(
        "STOA_REQUEST_TIMEOUT",
        "http.request_timeout",
        "30s",
        Kind::Duration,
        "How long a request may take from its head to its answer.",
    ),
    // Accounts
    setting(
        "STOA_JWT_SECRET",
        "accounts.jwt_secret",
        "",
        Kind::Secret,
        "The secret that signs access tokens, or seals the keys that do. Without it one is made at first start and kept in the data folder; nodes \
         behind one load balancer need the same.",
    )
    .or(&["JWT_SECRET"])
    .secret(),
    setting(
        "STOA_JWT_ALGORITHM",
        "accounts.jwt_algorithm",
        "HS256",
        Kind::JwtAlgorithm,
        "What signs access tokens: `HS256` the secret, `EdDSA` keys that change by the clock, whose public parts are at \
         /.well-known/jwks.json. After a change, tokens of the other stay good until they run out.",
    ),
    setting(
        "STOA_JWT_KEY_ROTATION",
        "accounts.jwt_key_rotation",
        "30d",
        Kind::Duration,
        "How long an EdDSA key signs before the next does; at least 1h.",
    ),
    setting("STOA_ACCESS_TOKEN_TTL", "accounts.access_token_ttl", "15m", Kind::Duration, "The life of an access token.")
        .or(&["JWT_EXPIRES_IN"]),
    setting(
        "STOA_REFRESH_TOKEN_TTL",
        "accounts.refresh_token_ttl",
        "7d",
        Kind::Duration,
        "The life of a refresh token, and so of a login that is not used.",
    )
    .or(&["JWT_REFRESH_EXPIRES_IN"]),
    setting("STOA_V0_TOKEN_TTL", "accounts.v0_token_ttl", "24h", Kind::Duration, "The life of a token of the v0 paths."),
    setting(
        "STOA_PASSWORD_POLICY",
        "accounts.password_policy",
        "strict",
        Kind::Policy,
        "`strict` asks 8 characters with upper case, lower case and digit; `basic` asks 6. Common ones are refused by both.",
    ),
    setting(
        "STOA_PASSWORD_THREADS",
        "accounts.password_threads",
        "2",
        count(1, 64),
        "How many passwords are hashed at once; each takes 19 MiB and some 20 ms of a core.",
    ),
    setting(
        "STOA_API_KEYS",
        "accounts.api_keys",
        "",
        Kind::Keys,
        "Keys of full catalogue and order scope for machines, given as `X-API-Key`.",
    )
    .or(&["API_KEYS"])
    .secret(),
    setting(
        "STOA_SYNC_URL",
        "accounts.sync_url",
        "",
        Kind::Url,
        "Where an outer system takes new and changed users, POSTed in batches every five minutes. Without it nothing is sent.",
    )
    .secret(),
    // Catalogue
    setting(
        "STOA_IMPORT_LIMIT",
        "catalog.import_limit",
        "4GiB",
        Kind::Size,
        "The largest import of products.",
    ),
    setting(
        "STOA_LOW_STOCK",
        "catalog.low_stock",
        "10",
        count(0, 1_000_000_000),
        "Stock at or below this is told as low.",
    )
    .or(&["LOW_STOCK_THRESHOLD"]),
    // Ordering
    setting("STOA_TAX_RATE", "ordering.tax_rate", "10", Kind::Percent, "Tax on goods.").or(&["TAX_RATE"]),
    setting("STOA_SHIPPING_FEE", "ordering.shipping_fee", "10", Kind::Amount, "What sending an order costs."),
    setting(
        "STOA_FREE_SHIPPING_ABOVE",
        "ordering.free_shipping_above",
        "100",
        Kind::Amount,
        "Goods of more than this are sent free.",
    ),
    setting(
        "STOA_UNPAID_HOLD",
        "ordering.unpaid_hold",
        "30m",
        Kind::Duration,
        "How long an order that waits for its payment keeps its stock.",
    ),
    setting(
        "STOA_SETTLE_AFTER",
        "ordering.settle_after",
        "1m",
        Kind::Duration,
        "How long a step with the payment provider is left alone before the sweep settles it; at least 30s.",
    ),
    setting("STOA_SHOP_NAME", "ordering.shop_name", "Stoa", Kind::Text, "Who sells, as invoices say it."),
    setting(
        "STOA_SHOP_ADDRESS",
        "ordering.shop_address",
        "",
        Kind::Text,
        "Where the shop is and how it is reached, for invoices; its lines are kept apart by semicolons.",
    ),
    setting(
        "STOA_SHOP_TAX_ID",
        "ordering.shop_tax_id",
        "",
        Kind::Text,
        "What the tax office knows the shop by, for invoices.",
    ),
    setting(
        "STRIPE_SECRET_KEY",
        "ordering.stripe_secret_key",
        "",
        Kind::Text,
        "The secret key of a Stripe account: orders are paid there. Without it the provider `test` takes no real money.",
    )
    .secret(),
    setting(
        "STRIPE_WEBHOOK_SECRET",
        "ordering.stripe_webhook_secret",
        "",
        Kind::Text,
        "What Stripe signs its webhooks with, which go to `/api/payments/webhooks/stripe`; without it none is heard and \
         the sweep alone finds out what was paid outside of a request.",
    )
    .secret(),
    setting(
        "STRIPE_API_BASE",
        "ordering.stripe_api_base",
        "https://api.stripe.com",
        Kind::Url,
        "Where Stripe is: another address for a stand-in of it.",
    ),
    // Cache
    setting("STOA_CACHE", "cache.enabled", "on", Kind::Switch, "Whether answers are cached."),
    setting("STOA_CACHE_MAX_SIZE", "cache.max_size", "64MiB", Kind::Size, "What the cache may hold."),
    setting(
        "STOA_CACHE_WARM",
        "cache.warm",
        "on",
        Kind::Switch,
        "Whether the categories and the first page of products are put into the cache when the server starts.",
    ),
    setting(
        "STOA_CACHE_TTL_PRODUCTS",
        "cache.ttl_products",
        "600s",
        Kind::Duration,
        "How long answers about products are kept; a write ends them at once.",
    )
    .or(&["CACHE_TTL_PRODUCTS"]),
    setting(
        "STOA_CACHE_TTL_CATEGORIES",
        "cache.ttl_categories",
        "1800s",
        Kind::Duration,
        "The same for categories.",
    )
    .or(&["CACHE_TTL_CATEGORIES"]),
    setting(
        "STOA_CACHE_TTL_PACKAGES",
        "cache.ttl_packages",
        "600s",
        Kind::Duration,
        "The same for packages.",
    )
    .or(&["CACHE_TTL_PACKAGES"]),
    setting("STOA_CACHE_TTL_OFFERS", "cache.ttl_offers", "300s", Kind::Duration, "The same for offers.")
        .or(&["CACHE_TTL_OFFERS"]),
    // Rate limits
    setting(
        "STOA_RATE_LIMITS",
        "rate_limit.enabled",
        "on",
        Kind::Switch,
        "Whether requests are limited. Off only for tests and measurements.",
    ),
    setting(
        "STOA_RATE_LIMIT_GENERAL",
        "rate_limit.general",
        "100/15m",
        Kind::Rate,
        "Every request under /api, per client.",
    )
    .or(&["RATE_LIMIT_MAX_REQUESTS", "RATE_LIMIT_WINDOW_MS"]),
    setting(
        "STOA_RATE_LIMIT_SIGNED_IN_FACTOR",
        "rate_limit.signed_in_factor",
        "5",
        count(1, 10_000),
        "How many times the general limit signed-in users have.",
    ),
    setting(
        "STOA_RATE_LIMIT_AUTH",
        "rate_limit.auth",
        "5/15m",
        Kind::Rate,
        "Registering, signing in and resetting passwords, per client; the first two per account as well.",
    ),
    setting(
        "STOA_RATE_LIMIT_FORGOT_PASSWORD",
        "rate_limit.forgot_password",
        "5/1h",
        Kind::Rate,
        "Asking for a link to set a new password, per address; and for one that proves an address, per user.",
    ),
    setting("STOA_RATE_LIMIT_ADMIN", "rate_limit.admin", "50/5m", Kind::Rate, "Requests under /api/admin."),
    setting("STOA_RATE_LIMIT_ORDER", "rate_limit.order", "10/1h", Kind::Rate, "Placing orders."),
    setting("STOA_RATE_LIMIT_UPLOAD", "rate_limit.upload", "10/1h", Kind::Rate, "Sending files, per request and not per file."),
    setting("STOA_RATE_LIMIT_PAYMENT", "rate_limit.payment", "30/1h", Kind::Rate, "Attempts to pay an order."),
    setting(
        "STOA_RATE_LIMIT_WEBHOOK",
        "rate_limit.webhook",
        "600/1m",
        Kind::Rate,
        "What payment providers tell, per address it comes from; it does not count as general.",
    ),
    // Mail
    setting(
        "STOA_MAIL_FROM",
        "mail.from",
        "Stoa <stoa@localhost>",
        Kind::Mailbox,
        "The sender of mails.",
    )
    .or(&["MAIL_FROM"]),
    setting(
        "STOA_SMTP_URL",
        "mail.smtp_url",
        "",
        Kind::SmtpUrl,
        "The server that mails are handed to; without it they are kept as files in the data folder. With `smtp://` and a \
         password STARTTLS is required, unless `?tls=opportunistic` or `?tls=none` says otherwise.",
    )
    .secret(),
    setting(
        "STOA_SMTP_TIMEOUT",
        "mail.smtp_timeout",
        "30s",
        Kind::Duration,
        "How long each step with that server may take; accepting a mail four times that.",
    ),
    setting(
        "STOA_MAILS_RETENTION",
        "mail.retention",
        "30d",
        Kind::Duration,
        "How long it is kept what became of a mail, and the file of one that is kept as such.",
    ),
    // Notifications
    setting(
        "STOA_NOTIFICATIONS_RETENTION",
        "notifications.retention",
        "90d",
        Kind::Duration,
        "How long notifications and announcements are kept.",
    ),
    // Chat
    setting(
        "STOA_ROOMS_ON_JOIN",
        "chat.rooms_on_join",
        "on",
        Kind::Switch,
        "Whether joining a room that is not there opens it, for those who join by socket.",
    ),
    setting(
        "STOA_ROOMS_PER_USER",
        "chat.rooms_per_user",
        "500",
        count(2, 10_000),
        "How many rooms somebody may be in; the one for everybody counts too.",
    ),
    setting(
        "STOA_ROOM_MEMBERS",
        "chat.room_members",
        "10000",
        count(2, 1_000_000),
        "How many members a room may have; the one for everybody has no bound.",
    ),
    // Sockets
    setting(
        "STOA_GUESTS",
        "realtime.guests",
        "off",
        Kind::Switch,
        "Whether there is a lobby at `/ws/lobby` where guests chat by name only, and whether guests may send files at the v0 paths.",
    ),
    setting(
        "STOA_RECOVERY_WINDOW",
        "realtime.recovery_window",
        "24h",
        Kind::Duration,
        "For how long a client of a socket that was away is given what it missed, as far as events are kept.",
    ),
    setting(
        "STOA_MAX_SOCKETS",
        "realtime.sockets",
        "100000",
        count(1, 10_000_000),
        "How many sockets of each kind may be open at once.",
    ),
    setting(
        "STOA_SOCKET_EVENTS",
        "realtime.events_per_second",
        "1000",
        count(1, 1_000_000),
        "How many events a socket may send in a second before it is closed.",
    ),
    // Events and jobs
    setting(
        "STOA_EVENTS_RETENTION",
        "events.retention",
        "30d",
        Kind::Duration,
        "How long events are kept once every follower has had them.",
    ),
    setting(
        "STOA_QUEUE_EMAILS",
        "queues.emails",
        "5",
        count(1, 100),
        "How many jobs of the queue `emails` run at once.",
    ),
    setting(
        "STOA_QUEUE_SYNC",
        "queues.sync",
        "1",
        count(1, 100),
        "How many jobs of the queue `sync` run at once.",
    ),
    setting(
        "STOA_QUEUE_FILES",
        "queues.files",
        "2",
        count(1, 100),
        "How many jobs of the queue `files` run at once.",
    ),
    setting(
        "STOA_QUEUE_OTHERS",
        "queues.others",
        "4",
        count(1, 100),
        "How many jobs of each other queue run at once.",
    ),
    // Insight
    setting(
        "STOA_METRICS_TOKEN",
        "insight.metrics_token",
        "",
        Kind::Keys,
        "Tokens that open /metrics and /api/admin/performance, given as `Authorization: Bearer`. Without one they are open \
         on this machine and to whoever has the permission `metrics:read`.",
    )
    .secret(),
    setting(
        "STOA_SLOW_REQUEST_MS",
        "insight.slow_request_ms",
        "1000",
        count(1, 3_600_000),
        "From how many milliseconds on a request is slow: told in the log and listed.",
    )
    .or(&["SLOW_REQUEST_THRESHOLD"]),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "insight.otlp_endpoint",
        "",
        Kind::Url,
        "A collector of OpenTelemetry traces by OTLP over HTTP, such as `http://127.0.0.1:4318`; without it nothing is traced.",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "insight.otlp_headers",
        "",
        Kind::Headers,
        "Headers that the collector wants.",
    )
    .secret(),
    setting("OTEL_SERVICE_NAME", "insight.service_name", "stoa", Kind::Text, "What traces call this node."),
    setting(
        "OTEL_TRACES_SAMPLER_ARG",
        "insight.traces_share",
        "1",
        Kind::Share,
        "How many of the requests and jobs are traced, unless a request's `traceparent` has decided.",
    ),
    // Log
    setting("STOA_LOG", "log.filter", "info", Kind::LogFilter, "What is logged, to standard error.")
        .or(&["LOG_LEVEL"]),
    setting(
        "STOA_LOG_FORMAT",
        "log.format",
        "auto",
        Kind::LogFormat,
        "`auto` writes a line in words, coloured on a terminal; `pretty` several; `json` an object a line.",
    ),
];

/// Names in the environment that are no settings of the server but known to the commands.
pub(super) const COMMAND_NAMES: &[(&str, &str)] = &[
    (
        "STOA_CONFIG",
        "The configuration file, where `--config` does not name one; else `stoa.toml` if it is there.",
    ),
    ("STOA_ADMIN_PASSWORD", "The password for `stoa admin create`."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::foreign::{LATER, REFUSED},
        *,
    };

    #[test]
    fn defaults_are_values_of_their_kind() {
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            assert_eq!(setting.kind.check(setting.default), Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn no_name_and_no_key_means_two_things() {
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for setting in SETTINGS {
            assert!(keys.insert(setting.key), "{}", setting.key);
            for name in [setting.name].iter().chain(setting.others) {
                assert!(names.insert(*name), "{name}");
            }
        }
        let foreign = LATER.iter().map(|later| later.name).chain(REFUSED.iter().map(|refused| refused.name));
        for name in foreign {
            assert!(names.insert(name), "{name}");
        }
    }

    #[test]
    fn sections_stand_together() {
        let mut seen = Vec::new();
        for setting in SETTINGS {
            if seen.last() != Some(&setting.section()) {
                assert!(!seen.contains(&setting.section()), "{} stands apart", setting.key);
                seen.push(setting.section());
            }
        }
        assert_eq!(seen.first(), Some(&""), "settings without a section come first, as TOML wants it");
    }
}
