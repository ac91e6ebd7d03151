//! The runner as a process: what it tells its command, what it passes on, and that nothing is left behind.
//!
//! The tests that need servers run only with the engines that have them (`STOA_TEST_ENGINES`), like every other test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const SAY_WHERE: &str = "echo $STOA_TEST_POSTGRES_URL; echo $STOA_TEST_REDIS_URL";

/// A folder in which the runner makes its own, so that a leftover shows.
struct Yard {
    folder: TempDir,
}

impl Yard {
    fn open() -> Self {
        let folder = tempfile::Builder::new().prefix("stoa-yard-").tempdir_in("/tmp").unwrap();
        // The servers may run under another account, which has to pass through.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn runner(&self, options: &[&str], script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa-testing"));
        command.arg("run").args(options).args(["--", "sh", "-c", script]);
        command.env("TMPDIR", self.path()).stdin(Stdio::null());
        for name in
            ["STOA_TEST_POSTGRES_URL", "STOA_TEST_REDIS_URL", "STOA_TEST_S3_URL", "STOA_TEST_AMQP_URL"]
        {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, options: &[&str], script: &str) -> Output {
        self.runner(options, script).output().unwrap()
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.path()).unwrap().next().is_none()
    }
}

/// A runner whose command has said where its servers are and then sleeps.
struct Background {
    runner: Child,
    addresses: Vec<String>,
}

impl Background {
    fn start(yard: &Yard) -> Self {
        let script = format!("{SAY_WHERE}; exec sleep 600");
        let mut runner =
            yard.runner(&["--engines", "cluster"], &script).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(runner.stdout.take().unwrap()).lines();
        let addresses = (0..2).map(|_| address(&lines.next().unwrap().unwrap())).collect();
        Self { runner, addresses }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.runner.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        self.runner.wait().unwrap()
    }

    fn servers_are_gone(&self) -> bool {
        self.addresses.iter().all(|address| TcpStream::connect(address).is_err())
    }
}

fn address(url: &str) -> String {
    url.split(['/', '@']).find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("{what}: not after a minute");
}

fn without_servers() -> bool {
    !matches!(std::env::var("STOA_TEST_ENGINES").as_deref(), Ok("cluster" | "both"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn embedded_starts_nothing_and_passes_the_exit_code_on() {
    let yard = Yard::open();
    let script = "test -z \"$STOA_TEST_POSTGRES_URL$STOA_TEST_REDIS_URL\" && echo $STOA_TEST_ENGINES; exit 7";
    let output = yard.run(&["--engines", "embedded"], script);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stdout), "embedded\n");
    assert!(yard.is_empty());
}

#[test]
fn a_wrong_command_line_is_2_and_shows_the_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_stoa-testing")).arg("walk").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: stoa-testing run"));
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let output = Command::new(env!("CARGO_BIN_EXE_stoa-testing"))
        .args(["run", "--engines", "embedded", "--", "/nonexistent/program"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output.stderr).contains("/nonexistent/program"));
}

#[test]
fn the_command_reaches_both_servers_and_its_exit_code_is_passed_on() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let output = yard.run(&["--engines", "both"], &format!("{SAY_WHERE}; echo $STOA_TEST_ENGINES; exit 7"));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let [postgres, redis, engines] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(postgres.starts_with("postgres://stoa@127.0.0.1:") && postgres.ends_with("/postgres"));
    assert!(redis.starts_with("redis://127.0.0.1:"));
    assert_eq!(engines, "both");
    for url in [postgres, redis] {
        assert!(TcpStream::connect(address(url)).is_err(), "{url} still listens");
    }
    assert!(yard.is_empty());
}

#[test]
fn servers_listen_while_the_command_runs() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let mut background = Background::start(&yard);
    for address in &background.addresses {
        assert!(TcpStream::connect(address).is_ok(), "{address}");
    }
    assert!(!yard.is_empty());
    background.signal(Signal::TERM);
    background.wait();
}

#[test]
fn sigterm_ends_command_and_servers_before_the_runner_is_gone() {
    if without_servers() {
        return;
    }
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let yard = Yard::open();
        let mut background = Background::start(&yard);
        background.signal(signal);
        assert_eq!(background.wait().code(), Some(code));
        assert!(background.servers_are_gone());
        assert!(yard.is_empty());
    }
}

#[test]
fn sigkill_leaves_the_clearing_away_to_the_undertaker() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let mut background = Background::start(&yard);
    background.signal(Signal::KILL);
    background.wait();
    eventually("the servers end", || background.servers_are_gone());
    eventually("the folder is removed", || yard.is_empty());
}

#[test]
fn what_the_command_leaves_running_is_ended_too() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let output = yard.run(&["--engines", "cluster"], "sleep 600 >/dev/null 2>&1 & echo $!");
    assert!(output.status.success());
    let left: i32 = text(&output.stdout).trim().parse().unwrap();
    // Where nobody collects orphans it stays in the table as a zombie, hence not by signal 0.
    let running = fs::read_to_string(format!("/proc/{left}/cmdline")).is_ok_and(|line| !line.is_empty());
    assert!(!running, "sleep still runs");
}

#[test]
fn a_command_that_cannot_start_leaves_no_servers() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let output = Command::new(env!("CARGO_BIN_EXE_stoa-testing"))
        .args(["run", "--engines", "cluster", "--", "/nonexistent/program"])
        .env("TMPDIR", yard.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(yard.is_empty());
}

#[test]
fn missing_programs_are_all_named() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let output = yard.runner(&["--engines", "cluster"], "true").env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let said = text(&output.stderr);
    assert!(said.contains("redis-server (Debian package redis-server)"), "{said}");
    assert!(said.contains("apt-get install"), "{said}");
    assert!(yard.is_empty());
}

#[test]
fn rabbitmq_starts_when_asked_for() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let script = "echo $STOA_TEST_AMQP_URL; test -z \"$STOA_TEST_POSTGRES_URL\"";
    let output = yard.run(&["--engines", "embedded", "--rabbitmq"], script);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let url = text(&output.stdout).trim().to_owned();
    assert!(url.starts_with("amqp://guest:guest@127.0.0.1:"), "{url}");
    assert!(TcpStream::connect(address(&url)).is_err(), "{url} still listens");
    assert!(yard.is_empty());
}

#[test]
fn s3_starts_when_asked_for_with_a_bucket_in_it() {
    if without_servers() {
        return;
    }
    let yard = Yard::open();
    let script = "echo $STOA_TEST_S3_URL; test -z \"$STOA_TEST_POSTGRES_URL\"";
    let output = yard.run(&["--engines", "embedded", "--s3"], script);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let url = text(&output.stdout).trim().to_owned();
    assert!(url.starts_with("s3://stoa-tests?endpoint=http://127.0.0.1:"), "{url}");
    let endpoint = url.split(['/', '&']).find(|part| part.starts_with("127.0.0.1:")).unwrap();
    assert!(TcpStream::connect(endpoint).is_err(), "{url} still listens");
    assert!(yard.is_empty());
}

#[test]
fn a_missing_moto_is_named() {
    let yard = Yard::open();
    let mut runner = yard.runner(&["--engines", "embedded", "--s3"], "true");
    let output = runner.env("STOA_TEST_MOTO", "/nonexistent/python").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("STOA_TEST_MOTO"), "{}", text(&output.stderr));
}
