//! What the HTTP surface can be told by configuration.

use std::time::Duration;

use axum::http::HeaderValue;
use ipnet::IpNet;
use stoa_kernel::Timestamp;
use stoa_platform::limits::Policy;

use crate::version::ApiVersion;

/// Settings of the HTTP surface.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The version of requests that name none.
    pub default_version: ApiVersion,
    /// When the v0 surface ends; its paths answer 410 from then on.
    pub v0_sunset: Option<Timestamp>,
    /// Origins allowed by CORS; empty allows none.
    pub cors_origins: Vec<HeaderValue>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether clients reach us by https, so that HSTS makes sense.
    pub https: bool,
    /// The largest request body that is not an upload, in bytes.
    pub body_limit: usize,
    /// How long a request may take from its head to its answer.
    pub request_timeout: Duration,
    /// From which time on a request is slow: told in the log and remembered.
    pub slow_request: Duration,
    /// The rate limits.
    pub limits: LimitSettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            default_version: ApiVersion::V2,
            v0_sunset: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            https: false,
            body_limit: 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            slow_request: Duration::from_secs(1),
            limits: LimitSettings::default(),
        }
    }
}

/// The rate limits of the groups of routes.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Every `/api` request of a client.
    pub general: Policy,
    /// How many times the general limit signed-in users have.
    pub signed_in_factor: u32,
    /// Registering, signing in, resetting: per client and per account.
    pub auth: Policy,
    /// Asking for mailed links: per address, and per user.
    pub forgot_password: Policy,
    /// Routes under `/api/admin`.
    pub admin: Policy,
    /// Placing orders.
    pub order: Policy,
    /// Sending files.
    pub upload: Policy,
    /// Attempts to pay.
    pub payment: Policy,
    /// What payment providers tell; it is not counted as general.
    pub webhook: Policy,
}

impl Default for LimitSettings {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        let policy = |name, max, seconds| Policy { name, max, window: Duration::from_secs(seconds) };
        Self {
            general: policy("general", 100, 15 * MINUTE),
            signed_in_factor: 5,
            auth: policy("auth", 5, 15 * MINUTE),
            forgot_password: policy("forgot-password", 5, 60 * MINUTE),
            admin: policy("admin", 50, 5 * MINUTE),
            order: policy("order", 10, 60 * MINUTE),
            upload: policy("upload", 10, 60 * MINUTE),
            payment: policy("payment", 30, 60 * MINUTE),
            webhook: policy("webhook", 600, MINUTE),
        }
    }
}
