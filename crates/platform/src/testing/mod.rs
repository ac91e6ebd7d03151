//! Fresh databases for tests, on every engine that is asked for.
//!
//! `STOA_TEST_ENGINES` is `embedded` (also when unset), `cluster` or `both`; the cluster engine needs
//! `STOA_TEST_POSTGRES_URL`, an address where databases may be made.

pub mod storage;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    thread,
};

use postgres::{Client, Config, NoTls};
use stoa_kernel::{Clock, Random};
use tempfile::TempDir;

use crate::database::{Database, DatabaseConfig, Engine, Migration, PostgresConfig, SqliteConfig, migrate};

/// Lets one process at a time make a template; any constant that nobody else uses.
const TEMPLATE_LOCK: i64 = 0x5354_4f41_0003;
/// Connections of a test's pool: few, so that many tests run side by side.
const CONNECTIONS: usize = 4;

/// The engines that tests are to run on.
pub fn engines_under_test() -> Vec<Engine> {
    match std::env::var("STOA_TEST_ENGINES").as_deref() {
        Ok("cluster") => vec![Engine::Postgres],
        Ok("both") => vec![Engine::Sqlite, Engine::Postgres],
        Ok("embedded") | Err(_) => vec![Engine::Sqlite],
        Ok(other) => fail(&format!("STOA_TEST_ENGINES={other:?}; it is embedded, cluster or both")),
    }
}

/// An empty, migrated database of a test's own; it is gone when this is dropped.
pub struct TestDatabase {
    config: DatabaseConfig,
    _home: Home,
}

enum Home {
    Folder { _folder: TempDir },
    Server { maintenance: Box<Config>, name: String },
}

impl TestDatabase {
    /// A fresh database on `engine` with these tables.
    pub fn new(engine: Engine, migrations: &[Migration]) -> Self {
        match engine {
            Engine::Sqlite => Self::in_folder(migrations),
            Engine::Postgres => {
                let migrations = migrations.to_vec();
                // The synchronous client must not run on a runtime's thread.
                joined(thread::spawn(move || Self::on_server(&migrations)))
            }
        }
    }

    /// How to open it.
    pub fn config(&self) -> DatabaseConfig {
        self.config.clone()
    }

    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        match self.config {
            DatabaseConfig::Sqlite(_) => Engine::Sqlite,
            DatabaseConfig::Postgres(_) => Engine::Postgres,
        }
    }

    /// A handle on it, as a node has one; open it twice for two nodes.
    pub fn open(&self) -> Database {
        let config = self.config();
        let opened = joined(thread::spawn(move || Database::open(&config)));
        opened.unwrap_or_else(|error| fail(&format!("the test database cannot be opened: {error}")))
    }

    fn in_folder(migrations: &[Migration]) -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| fail(&format!("no temporary folder: {error}")));
        let config = DatabaseConfig::Sqlite(SqliteConfig::at(folder.path().join("stoa.db")));
        apply(&config, migrations);
        Self { config, _home: Home::Folder { _folder: folder } }
    }

    fn on_server(migrations: &[Migration]) -> Self {
        let maintenance = server();
        let mut client = connect(&maintenance);
        let template = template(&mut client, &maintenance, migrations);
        let name = format!("stoa_test_{:x}", u128::from_le_bytes(Random::system().bytes()));
        run(&mut client, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        let url = address(&maintenance, &name);
        let config = DatabaseConfig::Postgres(PostgresConfig { url, connections: CONNECTIONS });
        Self { config, _home: Home::Server { maintenance: Box::new(maintenance), name } }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Server { maintenance, name } = self {
            let (maintenance, name) = (maintenance.clone(), name.clone());
            let dropped = thread::spawn(move || {
                run(&mut connect(&maintenance), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            });
            // A test that fails already tells more by its own panic.
            if let (Err(panic), false) = (dropped.join(), thread::panicking()) {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// A database with these migrations applied, made once and copied from then on; named by what is in it.
fn template(client: &mut Client, maintenance: &Config, migrations: &[Migration]) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{migrations:?}").hash(&mut hasher);
    let name = format!("stoa_template_{:x}", hasher.finish());
    run(client, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"));
    let known = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]);
    if known.unwrap_or_else(|error| fail(&error.to_string())).is_none() {
        // Made under another name, so that a process that dies here leaves no half template behind.
        let draft = format!("{name}_draft");
        run(client, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"));
        run(client, &format!("CREATE DATABASE {draft}"));
        let config = PostgresConfig { url: address(maintenance, &draft), connections: 1 };
        apply(&DatabaseConfig::Postgres(config), migrations);
        run(client, &format!("ALTER DATABASE {draft} RENAME TO {name}"));
    }
    run(client, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"));
    name
}

fn apply(config: &DatabaseConfig, migrations: &[Migration]) {
    if let Err(error) = migrate(config, migrations, &Clock::system()) {
        fail(&format!("the test database cannot be migrated: {error}"));
    }
}

fn server() -> Config {
    let Ok(url) = std::env::var("STOA_TEST_POSTGRES_URL") else {
        fail("STOA_TEST_ENGINES asks for PostgreSQL, and STOA_TEST_POSTGRES_URL does not say where it is");
    };
    url.parse().unwrap_or_else(|error| fail(&format!("STOA_TEST_POSTGRES_URL: {error}")))
}

/// The same server, another database, in the form libpq reads.
fn address(server: &Config, database: &str) -> String {
    let mut address = format!("dbname={database}");
    if let Some(host) = server.get_hosts().first() {
        let host = match host {
            postgres::config::Host::Tcp(name) => name.clone(),
            postgres::config::Host::Unix(path) => path.display().to_string(),
        };
        address = format!("{address} host={host}");
    }
    if let Some(port) = server.get_ports().first() {
        address = format!("{address} port={port}");
    }
    if let Some(user) = server.get_user() {
        address = format!("{address} user={user}");
    }
    if let Some(password) = server.get_password() {
        address = format!("{address} password='{}'", String::from_utf8_lossy(password));
    }
    address
}

fn connect(config: &Config) -> Client {
    config.connect(NoTls).unwrap_or_else(|error| fail(&format!("the test server cannot be reached: {error}")))
}

fn run(client: &mut Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql) {
        fail(&format!("{sql}: {error}"));
    }
}

fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[expect(clippy::panic, reason = "a test that cannot have its database must fail")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

/// Runs a test's body on a runtime of its own with a fresh database, when its engine is asked for.
pub fn on_engine<F: Future<Output = ()>>(
    engine: Engine,
    migrations: &[Migration],
    test: impl FnOnce(TestDatabase) -> F,
) {
    if !engines_under_test().contains(&engine) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| fail(&format!("no runtime: {error}")));
    runtime.block_on(test(TestDatabase::new(engine, migrations)));
}

/// Makes of each test two, `<name>::sqlite` and `<name>::postgres`, each with a fresh database:
/// `each_engine! { MIGRATIONS; async fn name(db: TestDatabase) { … } }`.
#[macro_export]
macro_rules! each_engine {
    ($migrations:expr; $($(#[$meta:meta])* async fn $name:ident($db:ident: TestDatabase) $body:block)+) => {
        $($(#[$meta])* mod $name {
            use super::*;

            async fn body($db: $crate::testing::TestDatabase) $body

            #[test]
            fn sqlite() {
                $crate::testing::on_engine($crate::database::Engine::Sqlite, $migrations, body);
            }

            #[test]
            fn postgres() {
                $crate::testing::on_engine($crate::database::Engine::Postgres, $migrations, body);
            }
        })+
    };
}
