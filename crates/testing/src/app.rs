//! A node under test.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use stoa_accounts::PasswordCost;
use stoa_kernel::{ManualClock, PageRequest, Random};
use stoa_platform::{
    Platform,
    database::{DatabaseConfig, DatabaseError, Engine},
    events::{self, settle},
    jobs,
    mail::SentMail,
    testing::TestDatabase,
};
use stoa_server::{App, Settings, StorageSettings, wiring::Domains};
use tempfile::TempDir;

use crate::{PASSWORD, START, client::Client, live::Live};

/// How a test wants the settings other than usual.
pub type Change = fn(&mut Settings);

/// The same, with something to remember.
pub(crate) type KeptChange = Arc<dyn Fn(&mut Settings) + Send + Sync>;

/// A node with a database of its own, served over real HTTP.
pub struct TestApp {
    /// The hand of its clock.
    pub clock: ManualClock,
    pub(crate) change: KeptChange,
    pub(crate) shared: Shared,
    app: App,
    clerk: tokio::sync::OnceCell<Client>,
    folder: TempDir,
    database: TestDatabase,
}

impl TestApp {
    /// Starts a node on a fresh database. Rate limits are off unless the test turns them on.
    pub async fn start(
        database: TestDatabase,
        change: impl Fn(&mut Settings) + Send + Sync + 'static,
    ) -> Self {
        let change: KeptChange = Arc::new(change);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shared = Shared::beside(&database);
        let mut settings = settings(folder.path(), &shared);
        settings.database = database.config();
        change(&mut settings);
        let clock = ManualClock::starting_at(START);
        let app = App::start(settings, clock.clock(), Random::system()).await.expect("a node that starts");
        Self { clock, change, shared, app, clerk: tokio::sync::OnceCell::new(), folder, database }
    }

    pub(crate) fn database_config(&self) -> DatabaseConfig {
        self.database.config()
    }

    /// Its address, e.g. `http://127.0.0.1:4711`.
    pub fn address(&self) -> String {
        format!("http://{}", self.app.address())
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its engines, to look behind the surface.
    pub fn platform(&self) -> &Platform {
        self.app.platform()
    }

    /// Its domains, to be asked without HTTP.
    pub fn domains(&self) -> &Domains {
        self.app.domains()
    }

    /// Somebody signed in at `/ws`.
    pub async fn plain(&self, who: &Client) -> Live {
        Live::plain(&self.address(), who).await
    }

    /// Somebody signed in over Socket.IO.
    pub async fn socketio(&self, who: &Client) -> Live {
        Live::socketio(&self.address(), who).await
    }

    /// Nobody.
    pub fn anon(&self) -> Client {
        Client::new(self.address())
    }

    /// Somebody who has just registered as `<name>@example.com`.
    pub async fn shopper(&self, name: &str) -> Client {
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
        let answer = self.anon().post("/api/auth/register", body).await.expect(201);
        self.anon().signed_in(answer.body)
    }

    /// An administrator, made behind the surface and signed in.
    pub async fn admin(&self) -> Client {
        self.admin_called("admin@example.com").await
    }

    async fn admin_called(&self, email: &str) -> Client {
        let accounts = &self.app.domains().accounts;
        accounts.create_user("admin", email, PASSWORD).await.expect("an admin");
        self.sign_in(email).await
    }

    /// Somebody known, signed in.
    pub async fn sign_in(&self, email: &str) -> Client {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = self.anon().post("/api/auth/login", body).await.expect(200);
        self.anon().signed_in(answer.body)
    }

    /// A product that is on offer, made by an administrator of its own; answers its id.
    pub async fn product(&self, price: &str, stock: i64) -> String {
        let price: Box<serde_json::value::RawValue> = serde_json::from_str(price).expect("a price");
        let body =
            format!(r#"{{"name":"Tea","price":{price},"stock":{stock},"category":"tea","status":"ACTIVE"}}"#);
        let clerk = self.clerk.get_or_init(|| self.admin_called("clerk@example.com")).await;
        clerk.post_raw("/api/products", body).await.expect(201).id()
    }

    /// Waits until followers have heard everything and no job is due.
    pub async fn settle(&self) {
        loop {
            settle(&self.platform().database).await.expect("followers that settle");
            let now = self.clock.clock().now();
            if self.read(move |connection| jobs::due(connection, now)).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Moves the clock, lets everything that came due happen.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.app.tick().await.expect("schedules that run");
        self.settle().await;
    }

    /// The mails sent so far, newest first.
    pub async fn mails(&self) -> Vec<SentMail> {
        self.settle().await;
        self.platform().mailer.list(100).await.expect("mails")
    }

    /// The payloads of the events of a type, in order.
    pub async fn events(&self, kind: &'static str) -> Vec<Value> {
        self.settle().await;
        let found = self
            .read(move |connection| {
                let kinds = [kind];
                let filter = events::Filter { types: &kinds, topics: &[] };
                events::read_after(connection, 0, filter, 10_000)
            })
            .await;
        found.iter().map(|event| serde_json::from_str(&event.payload).expect("a JSON payload")).collect()
    }

    /// Reads behind the surface.
    pub async fn read<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Fn(&mut stoa_platform::database::Connection<'_>) -> Result<T, DatabaseError> + Send + 'static,
    {
        self.platform().database.read(work).await.expect("a read that works")
    }

    /// Ends the node; nothing may be left behind: no dead job, no parked event.
    pub async fn finish(self) {
        self.settle().await;
        let dead = self.read(|connection| jobs::dead_letters(connection, &PageRequest::first(10))).await;
        assert!(dead.entries.is_empty(), "dead jobs: {:?}", dead.entries);
        let followers = self.read(events::followers).await;
        let parked: Vec<_> = followers.iter().filter(|follower| follower.parked > 0).collect();
        assert!(parked.is_empty(), "parked events: {parked:?}");
        self.app.stop().await;
    }
}

/// What the nodes of a test share beside their database, as far as the test run has it.
#[derive(Default)]
pub(crate) struct Shared {
    redis: Option<SharedRedis>,
    bucket: Option<StorageSettings>,
}

/// The Redis of the test run, and where in it a test keeps what its nodes share.
struct SharedRedis {
    url: String,
    prefix: String,
}

impl Shared {
    /// Nodes on PostgreSQL share; SQLite is for one node.
    fn beside(database: &TestDatabase) -> Self {
        if database.engine() == Engine::Sqlite {
            return Self::default();
        }
        let redis = std::env::var("STOA_TEST_REDIS_URL").ok();
        Self { redis: redis.map(|url| SharedRedis { url, prefix: own_name() }), bucket: bucket() }
    }
}

/// A name that no other test has.
fn own_name() -> String {
    format!("test-{:x}", u128::from_le_bytes(Random::system().bytes()))
}

/// A folder of a test's own in the bucket of the test run; `None` where the run has none. On PostgreSQL it is where
/// files are kept unless the test wants it otherwise.
pub fn bucket() -> Option<StorageSettings> {
    let url = std::env::var("STOA_TEST_S3_URL").ok()?;
    let url = url.replacen('?', &format!("/{}?", own_name()), 1);
    let variables = [
        ("STOA_STORAGE_URL", url.as_str()),
        ("STOA_S3_ACCESS_KEY_ID", "test"),
        ("STOA_S3_SECRET_ACCESS_KEY", "test"),
    ];
    Some(Settings::of(&variables).expect("settings that hold").storage)
}

/// The usual settings, with cheap passwords and without limits.
pub(crate) fn settings(folder: &Path, shared: &Shared) -> Settings {
    let folder = folder.to_str().expect("a folder with a plain name");
    let mut variables = vec![
        ("STOA_DATA_DIR", folder),
        ("STOA_PORT", "0"),
        ("STOA_JWT_SECRET", "a secret that is good for tests alone"),
        ("STOA_RATE_LIMITS", "off"),
        // A test that looks at the cache knows what is in it.
        ("STOA_CACHE_WARM", "off"),
    ];
    if let Some(redis) = &shared.redis {
        // A machine that is busy with other tests is no outage.
        let (url, prefix) = (redis.url.as_str(), redis.prefix.as_str());
        variables.extend([("REDIS_URL", url), ("STOA_REDIS_PREFIX", prefix), ("STOA_REDIS_TIMEOUT", "5s")]);
    }
    let mut settings = Settings::of(&variables).expect("settings that hold");
    settings.accounts.password_cost = PasswordCost::FOR_TESTS;
    if let Some(bucket) = &shared.bucket {
        settings.storage = bucket.clone();
    }
    settings
}

/// Runs many futures at once and gives their results in order.
pub async fn at_once<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.expect("a task that ends"));
    }
    results
}
