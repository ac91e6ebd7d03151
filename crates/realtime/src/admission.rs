//! Who may connect at all: web pages of which origin, and addresses that have not failed too often.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, Uri,
    header::{HOST, ORIGIN},
};
use parking_lot::Mutex;
use stoa_platform::limits::Limits;

use crate::RealtimeSettings;

/// Addresses that are remembered at once.
const MOST_BLOCKED: usize = 10_000;

/// The client's address, put beside a request by whoever knows of proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Decides at the door.
pub(crate) struct Admission {
    settings: RealtimeSettings,
    limits: Limits,
    blocked: Mutex<HashMap<IpAddr, Instant>>,
}

impl Admission {
    pub(crate) fn new(settings: RealtimeSettings, limits: Limits) -> Self {
        Self { settings, limits, blocked: Mutex::default() }
    }

    /// Whether the web page that asks may: a browser sends cookies and reaches machines that others do not. Programs send
    /// no `Origin`.
    pub(crate) fn allows_origin(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        if self.settings.origins.contains(origin) {
            return true;
        }
        let Ok(origin) = origin.to_str() else { return false };
        if self.settings.own_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
        let page = origin.split_once("://").map(|(_, host)| host);
        matches!((host, page), (Some(host), Some(page)) if host.eq_ignore_ascii_case(page))
    }

    /// A handshake of this address was bad.
    pub(crate) async fn was_bad(&self, client: IpAddr) {
        let decision = self.limits.check(&self.settings.bad_handshakes, &client.to_string()).await;
        if decision.allowed {
            return;
        }
        let until = Instant::now() + decision.retry_after.unwrap_or(Duration::from_secs(1));
        let mut blocked = self.blocked.lock();
        if blocked.len() >= MOST_BLOCKED {
            let now = Instant::now();
            blocked.retain(|_, until| *until > now);
        }
        if blocked.len() < MOST_BLOCKED {
            blocked.insert(client, until);
        }
    }

    /// For how many seconds this address may not try.
    pub(crate) fn is_blocked(&self, client: IpAddr) -> Option<u64> {
        let until = *self.blocked.lock().get(&client)?;
        let left = until.checked_duration_since(Instant::now())?;
        Some(left.as_secs() + 1)
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Clock;

    use super::*;

    fn allows(origin: &'static str, host: &'static str) -> bool {
        let settings = RealtimeSettings {
            origins: vec!["https://app.example".parse().unwrap()],
            own_origin: Some("https://shop.example".into()),
            ..RealtimeSettings::default()
        };
        let admission = Admission::new(settings, Limits::in_process(Clock::system()));
        let headers = [(ORIGIN, origin.parse().unwrap()), (HOST, host.parse().unwrap())];
        admission.allows_origin(&headers.into_iter().collect(), &Uri::from_static("/ws"))
    }

    #[test]
    fn own_pages_and_those_of_the_settings_may_connect() {
        assert!(allows("http://localhost:5000", "localhost:5000"));
        assert!(allows("https://app.example", "10.0.0.1:5000"));
        assert!(allows("https://shop.example", "10.0.0.1:5000"));
        assert!(!allows("https://evil.example", "localhost:5000"));
        assert!(!allows("http://localhost:5001", "localhost:5000"));
        assert!(!allows("null", "localhost:5000"));
    }

    #[test]
    fn programs_send_no_origin() {
        let admission = Admission::new(RealtimeSettings::default(), Limits::in_process(Clock::system()));
        assert!(admission.allows_origin(&HeaderMap::new(), &Uri::from_static("/ws")));
    }

    #[tokio::test]
    async fn who_fails_too_often_waits() {
        let admission = Admission::new(RealtimeSettings::default(), Limits::in_process(Clock::system()));
        let client = "203.0.113.7".parse().unwrap();
        for _ in 0..20 {
            admission.was_bad(client).await;
        }
        assert_eq!(admission.is_blocked(client), None);
        admission.was_bad(client).await;
        assert!(admission.is_blocked(client).is_some());
        assert_eq!(admission.is_blocked("203.0.113.8".parse().unwrap()), None);
    }
}
