//! Redis: counts of rate limits and cached answers that several nodes share, and a channel in which they talk.
//!
//! One connection carries everything. A task keeps it: it connects, looks whether the server does what is asked of it,
//! and hands it out; when answers stay away it takes the connection back, so nobody waits for a server that does not
//! answer, and goes on trying by itself. All that is kept there can be lost at any time.

mod address;
mod counts;
mod entries;
mod line;
mod measures;
mod relay;
mod session;

use std::{sync::Arc, time::Duration};

use stoa_kernel::Random;
use stoa_platform::{cache::SharedEntries, limits::SharedCounts, metrics::Metrics, relay::Relay};
use tokio::task::AbortHandle;

pub use self::{
    address::{BadAddress, RedisAddress},
    session::Seen,
};
use self::{
    counts::Counts,
    entries::Entries,
    line::Line,
    measures::{Lane, Measures},
    relay::Channel,
};

/// How Redis is used.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Which server.
    pub address: RedisAddress,
    /// What every key begins with; nodes that share must have the same, and others another.
    pub prefix: String,
    /// How long an answer is waited for.
    pub patience: Duration,
}

impl RedisSettings {
    /// The usual settings for a server: keys under `stoa`, 50 ms.
    pub fn of(address: RedisAddress) -> Self {
        Self { address, prefix: "stoa".into(), patience: Duration::from_millis(50) }
    }
}

/// Why no server can be reached.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// It cannot be connected to, or refuses something.
    #[error("{0}")]
    Refused(#[from] ::redis::RedisError),
    /// It is silent.
    #[error("no answer came in time")]
    Silent,
    /// It says something that no Redis server says.
    #[error("it does not answer as Redis does: {0}")]
    Nonsense(&'static str),
}

/// A Redis server that is kept at hand; clones share the connection, which ends with the last of them.
#[derive(Clone)]
pub struct Redis(Arc<Kept>);

struct Kept {
    line: Arc<Line>,
    keeper: AbortHandle,
    random: Random,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Redis {
    /// Begins to connect, and never waits for it: a server that is away is met later. To be called on a runtime.
    pub fn start(settings: &RedisSettings, metrics: &Metrics, random: &Random) -> Result<Self, RedisError> {
        let line = Arc::new(Line::new(settings, Measures::new(metrics), random)?);
        let keeper = tokio::spawn(line::keep(Arc::clone(&line))).abort_handle();
        Ok(Self(Arc::new(Kept { line, keeper, random: random.clone() })))
    }

    /// Connects once and looks whether the server does what will be asked of it: what `stoa doctor` asks.
    pub async fn check(settings: &RedisSettings, random: &Random) -> Result<Seen, RedisError> {
        Line::new(settings, Measures::new(&Metrics::off()), random)?.try_out().await
    }

    /// Waits until the server was met, or could not be; at most so long.
    pub async fn first_try(&self, at_most: Duration) {
        // Who is late is met later.
        let _ = tokio::time::timeout(at_most, self.0.line.tried()).await;
    }

    /// Asks for a sign of life, on the connection that is in use; false while there is none.
    pub async fn answers(&self) -> bool {
        self.0.line.ping().await
    }

    /// Counts of rate limits over it.
    pub fn counts(&self) -> Arc<dyn SharedCounts> {
        Arc::new(Counts::over(self.clone(), Lane::new("limits")))
    }

    /// Cached answers in it.
    pub fn entries(&self) -> Arc<dyn SharedEntries> {
        Arc::new(Entries::over(self.clone(), Lane::new("cache")))
    }

    /// A way to all nodes that are on it. To be called on a runtime.
    pub fn relay(&self, metrics: &Metrics) -> Arc<dyn Relay> {
        Arc::new(Channel::over(self.clone(), Lane::new("presence"), metrics))
    }

    fn line(&self) -> &Arc<Line> {
        &self.0.line
    }

    fn random(&self) -> &Random {
        &self.0.random
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redis")
    }
}
