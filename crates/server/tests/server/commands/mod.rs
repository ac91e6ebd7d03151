//! The commands of the binary, as whoever types them sees them: what they print, what they leave behind, their exit code.

mod configuration;
mod database;
mod serve;
mod verify;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use stoa_platform::database::{Database, DatabaseConfig, DatabaseError, SqliteConfig};
use tempfile::TempDir;

/// A machine with nothing on it but a folder, and a few settings.
pub(crate) struct Machine {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("STOA_PORT", "0").envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Changes the database behind everybody's back.
    fn sql(&self, sql: &'static str) {
        let config = DatabaseConfig::Sqlite(SqliteConfig::at(self.path("data/stoa.db")));
        let database = Database::open(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let done: Result<(), DatabaseError> = runtime.block_on(database.write(move |tx| tx.batch(sql)));
        done.unwrap();
    }

    /// Starts the server and waits until it says where it is.
    pub(crate) fn serve(&self) -> Server {
        let mut child =
            self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = child.stderr.take().unwrap();
        // Read all along, or the server would wait for room in the pipe.
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let log = thread::spawn(move || {
            for line in BufReader::new(log).lines() {
                let mut text = heard.lock().unwrap();
                text.push_str(&line.unwrap());
                text.push('\n');
            }
        });
        let address = line.split("://").nth(1).and_then(|rest| rest.split(',').next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            log.join().unwrap();
            panic!("it does not serve: {line:?} {}", said.lock().unwrap());
        };
        Server { child, line, address, log: Some(log), said }
    }
}

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    code: Option<i32>,
    pub(crate) out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// It must have ended with this code; what it printed.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// It must have complained about this, all of it.
    #[track_caller]
    pub(crate) fn complained(self, of: &[&str]) -> Self {
        assert!(of.iter().all(|part| self.err.contains(part)), "{:?} is not in: {}", of, self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A running server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// What it said when it was ready.
    pub(crate) line: String,
    pub(crate) address: SocketAddr,
    log: Option<thread::JoinHandle<()>>,
    said: Arc<Mutex<String>>,
}

impl Server {
    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    fn get(&self, path: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").unwrap();
        Answer::read(stream)
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let head = format!(
            "Host: stoa\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}"
        );
        write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
        Answer::read(stream)
    }

    /// Waits until its log has this.
    pub(crate) fn says(&self, part: &str) {
        for _ in 0..12_000 {
            if self.said.lock().unwrap().contains(part) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{part:?} is not in {}", self.said.lock().unwrap());
    }

    /// Waits until it refuses connections.
    fn closes(&self) {
        while TcpStream::connect(self.address).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end; its exit code and its log.
    fn ends(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap();
        (status.code(), self.said.lock().unwrap().clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "the length is known");
        Self { status, body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
