//! The real binary as a child process: started, killed and started again on one data folder and one address.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    panic,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, Once, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use stoa_kernel::Random;
use stoa_platform::{
    database::{Database, DatabaseConfig, Engine, SqliteConfig},
    testing::TestDatabase,
};
use stoa_testing::{Client, PASSWORD, json};
use tempfile::TempDir;

/// The administrator of [`Home::admin`].
pub(crate) const ADMIN: &str = "admin@example.com";
/// How often a node that starts or ends is looked at, and how many times.
const PAUSE: Duration = Duration::from_millis(3);
const PATIENCE: usize = 20_000;
/// How much of its log is shown when a test fails, and how much of why it failed is said again after that.
const LAST_LINES: usize = 15;
const LONGEST_REASON: usize = 2_000;
/// Below the ports that the system gives to connections, so that nobody takes ours while the node is down.
const FIRST_PORT: u64 = 18_000;
const PORTS: u64 = 12_000;

/// What outlives a process: its data folder, its database, its address.
pub(crate) struct Home {
    folder: TempDir,
    port: u16,
    database: Option<Arc<TestDatabase>>,
    settings: Vec<(&'static str, String)>,
}

impl Home {
    /// An empty one. Rate limits are off, and nothing of the environment reaches the node.
    pub(crate) fn new(engine: Engine) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Arc::new(TestDatabase::new(engine, &stoa_server::wiring::migrations()))),
        };
        let home =
            Self { folder: tempfile::tempdir().unwrap(), port: free_port(), database, settings: Vec::new() };
        let address = home.database.as_ref().map(|database| database_url(&database.config()));
        let home = match address {
            Some(address) => home.with("DATABASE_URL", &address),
            None => home,
        };
        home.with("STOA_RATE_LIMITS", "off").with("STOA_ACCESS_TOKEN_TTL", "24h")
    }

    /// One for another node on the same database, with the same settings. SQLite is for one node.
    pub(crate) fn another(&self) -> Self {
        let (database, settings) = (self.database.clone(), self.settings.clone());
        assert!(database.is_some(), "SQLite is for one node");
        Self { folder: tempfile::tempdir().unwrap(), port: free_port(), database, settings }
    }

    /// The same with one more setting.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where a node of it is reached.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nobody.
    pub(crate) fn anon(&self) -> Client {
        Client::new(self.address())
    }

    /// A handle on the database beside the node's own.
    pub(crate) fn open(&self) -> Database {
        if let Some(database) = &self.database {
            return database.open();
        }
        let config = DatabaseConfig::Sqlite(SqliteConfig::at(self.data().join("stoa.db")));
        Database::open(&config).unwrap()
    }

    /// The binary with these arguments and this home's settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("STOA_DATA_DIR", self.data()).env("STOA_PORT", self.port.to_string());
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs a command of the binary to its end; it must succeed.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "stoa {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs a command of the binary to its end; whether it succeeded, and what it printed.
    pub(crate) fn tries(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }

    /// Makes the administrator. Only before the node is started: signing in needs it, this does not.
    pub(crate) fn make_admin(&self) {
        self.run(&["admin", "create", "--email", ADMIN, "--password", PASSWORD]);
    }

    /// The administrator, signed in.
    pub(crate) async fn admin(&self) -> Client {
        let credentials = json!({"email": ADMIN, "password": PASSWORD});
        let answer = self.anon().post("/api/auth/login", credentials).await.expect(200);
        self.anon().signed_in(answer.body)
    }

    /// Starts a node and waits until it is ready.
    pub(crate) async fn start(&self) -> Node {
        let mut node = self.spawn(&[]);
        let ready = node.becomes_ready().await;
        assert!(ready, "the node died at its start: {:?}", node.child.try_wait());
        node
    }

    /// Starts a node that is to die at the n-th passage of a failpoint, which may be before it is ready.
    pub(crate) async fn start_doomed(&self, failpoint: &str, passage: u32) -> Node {
        let mut node = self.spawn(&[("FAILPOINT_KILL", format!("{failpoint}:{passage}"))]);
        node.becomes_ready().await;
        node
    }

    fn spawn(&self, variables: &[(&str, String)]) -> Node {
        remember_panics();
        let log = self.folder.path().join("stderr.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = self.command(&["serve"]);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Node { child, log, anon: self.anon() }
    }
}

/// A running process. It is killed when it is dropped; if its test has failed, the end of its log is shown, and after it
/// why the test failed: of a long output the last lines are what is seen.
pub(crate) struct Node {
    child: Child,
    log: PathBuf,
    anon: Client,
}

impl Node {
    /// Waits until it says that it is ready; false when it ended instead.
    async fn becomes_ready(&mut self) -> bool {
        for _ in 0..PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let answer = self.anon.attempt(reqwest::Method::GET, "/health/ready", None).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the node does not become ready");
    }

    /// Kills it with SIGKILL, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended by itself");
    }

    /// Asks it to stop, as a supervisor does.
    pub(crate) fn is_told_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        for _ in 0..PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the node does not end");
    }

    /// Its log, and that of those before it in the same home.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended before; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let reasons = PANICS.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
            tell(&format!("--- the node's log ends so:\n{}\n--- the test {reasons}", self.last_words()));
        }
    }
}

/// What panics have said so far: a shopper's, then that of the test that waits for it.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn remember_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell_at_once = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let told = panic.to_string().chars().take(LONGEST_REASON).collect();
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            tell_at_once(panic);
        }));
    });
}

/// Says something about a test beside its result.
pub(crate) fn tell(text: &str) {
    // Nobody needs to hear it.
    let _ = writeln!(io::stderr(), "{text}");
}

fn free_port() -> u16 {
    let random = Random::system();
    (0..100)
        .map(|_| u16::try_from(FIRST_PORT + random.below(PORTS)).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// As an address what a test's database says in libpq's own form, `dbname=… host=…`.
fn database_url(config: &DatabaseConfig) -> String {
    let DatabaseConfig::Postgres(config) = config else { panic!("not on PostgreSQL") };
    let part = |name: &str| {
        let found = config.url.split(' ').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_default().trim_matches('\'').to_owned()
    };
    let secret = if part("password").is_empty() { String::new() } else { format!(":{}", part("password")) };
    format!("postgres://{}{secret}@{}:{}/{}", part("user"), part("host"), part("port"), part("dbname"))
}
