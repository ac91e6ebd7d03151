//! One connection to one process of Redis, and the names that keys have there.

use std::{sync::Arc, time::Duration};

use ::redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};

use super::{RedisError, counts, entries};

/// How long each step of making a connection may take.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// The language that nodes talk.
const RELAYED: u8 = 1;

/// A connection, ready to be asked; clones share it.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) number: u64,
    pub(super) connection: MultiplexedConnection,
    pub(super) names: Arc<Names>,
}

/// What keys begin with.
pub(super) struct Names {
    pub(super) limits: String,
    /// Bears the process of Redis and the version of Stoa. A Redis that comes back from an older copy of its data, or
    /// another that takes its place, is another process: what it may have kept of answers that are no longer true is
    /// not found any more. And a new version does not read what an old one has written.
    pub(super) cache: String,
    /// The channel in which nodes talk; of the version of their language, so that no other is misunderstood.
    pub(super) relay: String,
}

/// What a server told of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its version.
    pub version: String,
    /// What it does when its memory is full, e.g. `noeviction`.
    pub eviction: String,
    /// Its time, in seconds since the epoch.
    pub time: u64,
}

impl Session {
    pub(super) async fn open(client: &Client, prefix: &str, number: u64) -> Result<Self, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(STEP)).set_response_timeout(Some(STEP));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let about = about(&mut connection, "server").await?;
        let process = line_of(&about, "run_id").ok_or(RedisError::Nonsense("it has no run_id"))?;
        let names = Names {
            limits: format!("{prefix}:limit:"),
            cache: format!("{prefix}:cache:{}:{process}:", env!("CARGO_PKG_VERSION")),
            relay: format!("{prefix}:relay:{RELAYED}"),
        };
        let mut session = Self { number, connection, names: Arc::new(names) };
        session.rehearse().await?;
        Ok(session)
    }

    /// Hands over the scripts and runs each, so that a server which cannot do it is not relied on.
    async fn rehearse(&mut self) -> Result<(), RedisError> {
        for script in counts::scripts().chain(entries::scripts()) {
            script.load_async(&mut self.connection).await?;
        }
        counts::rehearse(self).await?;
        entries::rehearse(self).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), RedisError> {
        let said: String = ::redis::cmd("PING").query_async(&mut self.connection).await?;
        if said == "PONG" { Ok(()) } else { Err(RedisError::Nonsense("PING is not answered by PONG")) }
    }

    pub(super) async fn look(&mut self) -> Result<Seen, RedisError> {
        let server = about(&mut self.connection, "server").await?;
        let memory = about(&mut self.connection, "memory").await?;
        let (time, _): (u64, u64) = ::redis::cmd("TIME").query_async(&mut self.connection).await?;
        let word = |text, name| line_of(text, name).unwrap_or("unknown").to_owned();
        Ok(Seen {
            version: word(&server, "redis_version"),
            eviction: word(&memory, "maxmemory_policy"),
            time,
        })
    }
}

async fn about(connection: &mut MultiplexedConnection, section: &str) -> Result<String, RedisError> {
    Ok(::redis::cmd("INFO").arg(section).query_async(connection).await?)
}

fn line_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.strip_prefix(name)?.strip_prefix(':');
    text.lines().find_map(value).map(str::trim).filter(|value| !value.is_empty())
}
