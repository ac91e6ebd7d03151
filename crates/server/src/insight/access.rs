//! Who may see figures: whoever asks from this very machine, has the token, or has the permission `metrics:read`.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, header};
use stoa_http::RequestContext;
use stoa_kernel::Refusal;
use subtle::ConstantTimeEq;

/// Headers of proxies. With one of them a request came from elsewhere, also if the proxy runs on this machine and
/// nobody has named it in `STOA_TRUSTED_PROXIES`.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// The door.
#[derive(Clone)]
pub(super) struct Access {
    tokens: Arc<[String]>,
}

impl Access {
    pub(super) fn new(tokens: &[String]) -> Self {
        Self { tokens: tokens.into() }
    }

    /// 401 or 403 for whoever may not.
    pub(super) fn check(&self, context: &RequestContext, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.opens(headers) {
            return Ok(());
        }
        // A credential that is not good is told to whoever brought it, also where none is needed.
        let actor = context.actor()?;
        if is_local(context.peer(), context.client(), headers) {
            return Ok(());
        }
        actor.require("metrics", "read")
    }

    fn opens(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = given.and_then(|value| value.split_once(' ')) else { return false };
        let token = token.trim().as_bytes();
        let fits = |known: &String| bool::from(known.as_bytes().ct_eq(token));
        scheme.eq_ignore_ascii_case("bearer") && self.tokens.iter().any(fits)
    }
}

/// Whether the asker sits on this machine. A page in a browser here that was sent to a foreign name which leads to us
/// does not.
fn is_local(peer: IpAddr, client: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    peer.is_loopback() && client.is_loopback() && !forwarded && host.is_none_or(names_this_machine)
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let peer = peer.parse().unwrap();
        is_local(peer, peer, &map)
    }

    #[test]
    fn only_who_speaks_to_us_directly_is_local() {
        for host in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "127.0.0.1", "LOCALHOST"] {
            assert!(local("127.0.0.1", &[("host", host)]), "{host}");
        }
        assert!(local("::1", &[]));
        assert!(!local("203.0.113.9", &[("host", "localhost")]));
        assert!(!local("127.0.0.1", &[("host", "evil.example.com")]));
        assert!(!local("127.0.0.1", &[("host", "localhost.example.com:5000")]));
        for header in FORWARDED {
            assert!(!local("127.0.0.1", &[("host", "localhost"), (header, "127.0.0.1")]), "{header}");
        }
    }
}
