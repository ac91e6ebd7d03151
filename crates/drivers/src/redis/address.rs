//! Which server, as `REDIS_URL` names it.

use std::fmt;

use ::redis::{ConnectionInfo, IntoConnectionInfo};
use url::Url;

/// A Redis server and how to sign in to it.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) connection: ConnectionInfo,
    shown: String,
}

/// What is wrong with an address, to follow its name: "is …; give …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}; give redis://user:password@host:6379/0, or rediss:// for TLS")]
pub struct BadAddress(&'static str);

impl RedisAddress {
    /// Reads `redis://[user][:password]@host[:port][/database]`; `rediss` speaks TLS.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let url = Url::parse(text).map_err(|_| BadAddress("is not the address of a Redis server"))?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(BadAddress("is not the address of a Redis server"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadAddress("names no host"))?;
        if url.port() == Some(0) {
            return Err(BadAddress("has port 0"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress("has something behind the database that means nothing"));
        }
        let shown = format!("{host}:{}", url.port().unwrap_or(6379));
        let wrong = BadAddress("has a database that is no number, or credentials that are not UTF-8");
        Ok(Self { connection: url.into_connection_info().map_err(|_| wrong)?, shown })
    }
}

/// Host and port; nothing of who signs in.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_where_and_never_who() {
        let address = RedisAddress::parse("rediss://stoa:s3cret@cache.example.com/2").unwrap();
        assert_eq!(address.to_string(), "cache.example.com:6379");
        assert!(!format!("{address:?}").contains("s3cret"));
        assert_eq!(address.connection.redis_settings().password(), Some("s3cret"));
        assert_eq!(address.connection.redis_settings().db(), 2);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in [
            "cache:6379",
            "http://s3cret@h",
            "redis://",
            "redis://:s3cret@h:0",
            "redis://:s3cret@h/first",
            "redis://:s3cret@h?db=1",
            "rediss://:s3cret@h#insecure",
        ] {
            let flaw = RedisAddress::parse(bad).unwrap_err().to_string();
            assert!(flaw.contains("give redis://") && !flaw.contains("s3cret"), "{bad}: {flaw}");
        }
    }
}
