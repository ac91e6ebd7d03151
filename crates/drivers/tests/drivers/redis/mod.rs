//! Redis, against real servers of it: that of the test run, and others that are killed, frozen and started anew.

mod cache;
mod limits;
mod outages;
mod relay;

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use redis::Client;
use stoa_drivers::redis::{Redis, RedisAddress, RedisSettings};
use stoa_kernel::{ManualClock, Random, Timestamp};
use stoa_platform::{
    cache::Cache, database::Engine, limits::Limits, metrics::Metrics, testing::engines_under_test,
};

/// A machine that is busy with other tests is no outage.
const GENEROUS: Duration = Duration::from_secs(10);

/// Where several nodes share.
struct Place {
    settings: RedisSettings,
    hand: ManualClock,
}

/// One of the nodes.
struct Node {
    redis: Redis,
    cache: Cache,
    limits: Limits,
    figures: PrometheusHandle,
}

impl Place {
    /// At this address, under a prefix of its own.
    fn at(url: &str, patience: Duration) -> Self {
        let prefix = format!("test-{:x}", u128::from_le_bytes(Random::system().bytes()));
        let address = RedisAddress::parse(url).unwrap();
        let settings = RedisSettings { prefix, patience, ..RedisSettings::of(address) };
        Self { settings, hand: ManualClock::starting_at(Timestamp::from_seconds(1_768_478_400)) }
    }

    /// In the server of the test run; `None` where the run has none.
    fn of_run() -> Option<Self> {
        let url = std::env::var("STOA_TEST_REDIS_URL").ok();
        let wanted = engines_under_test().contains(&Engine::Postgres);
        assert!(
            !wanted || url.is_some(),
            "STOA_TEST_ENGINES asks for Redis, and STOA_TEST_REDIS_URL does not say where"
        );
        url.filter(|_| wanted).map(|url| Self::at(&url, GENEROUS))
    }

    /// A node that has met the server, and whose part in it is its own.
    async fn node(&self) -> Node {
        let node = self.node_alone();
        node.met().await;
        node
    }

    /// A node, whether or not there is a server.
    fn node_alone(&self) -> Node {
        let recorder = PrometheusBuilder::new().build_recorder();
        let figures = recorder.handle();
        let redis = Redis::start(&self.settings, &Metrics::to(recorder), &Random::system()).unwrap();
        let cache = Cache::shared(1 << 20, self.hand.clock(), redis.entries());
        let limits = Limits::shared(self.hand.clock(), redis.counts());
        Node { redis, cache, limits, figures }
    }

    /// A way in beside the driver.
    async fn raw(&self) -> redis::aio::MultiplexedConnection {
        let address = self.settings.address.to_string();
        let client = Client::open(format!("redis://{address}")).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Keys of this place that bear `part` in their names.
    async fn keys(&self, part: &str) -> Vec<String> {
        let pattern = format!("{}:*{part}*", self.settings.prefix);
        redis::cmd("KEYS").arg(pattern).query_async(&mut self.raw().await).await.unwrap()
    }
}

impl Node {
    /// Waits until the server answers and has taken what it was told.
    async fn met(&self) {
        until("Redis is met", || async { self.redis.answers().await }).await;
        until("Redis is of use", || async { self.shares().await }).await;
    }

    /// Whether its fills reach the others.
    async fn shares(&self) -> bool {
        use stoa_platform::cache::Lookup;
        let before = self.cache.stats().shared_fills;
        let key = format!("probe-{:x}", u128::from_le_bytes(Random::system().bytes()));
        if let Lookup::Fill(guard) = self.cache.get_or_lock(&key).await {
            guard.store(cache::entry("probe", &[])).await;
        }
        self.cache.stats().shared_fills > before
    }

    fn figure(&self, name: &str) -> f64 {
        let text = self.figures.render();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

/// Polls with generous patience.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..6_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// Many at once, each on a task of its own.
async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(running.len());
    for task in running {
        done.push(task.await.unwrap());
    }
    done
}
