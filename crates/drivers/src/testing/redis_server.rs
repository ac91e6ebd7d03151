//! A Redis server of a test's own, which may be killed, frozen and started anew.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How often a start is tried; somebody may be quicker to take a port that was free.
const TRIES: usize = 20;
/// How often it is looked whether it answers, and after which pause.
const LOOKS: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(10);

/// A Redis server that is running or was killed; it ends when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one on a free port, with nothing in it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for _ in 0..TRIES {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("its address").port();
            drop(free);
            if let Some(child) = launch(port, &folder) {
                return Self { child, port, folder };
            }
        }
        panic!("redis-server does not start; is it installed?");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Writes what it holds to disk, for [`restart`](Self::restart) to read.
    pub fn save(&self) {
        assert!(ask(self.port, b"SAVE\r\n").starts_with(b"+OK"), "it saves");
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a server to be killed");
        self.child.wait().expect("its end");
    }

    /// Starts it anew, on the same port, with what it last saved.
    pub fn restart(&mut self) {
        for _ in 0..TRIES {
            if let Some(child) = launch(self.port, &self.folder) {
                self.child = child;
                return;
            }
        }
        panic!("redis-server does not start again");
    }

    /// Stops it from doing anything; its connections stay.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a server that runs");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that answers; `None` when it ended, as one whose port is taken does.
fn launch(port: u16, folder: &TempDir) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
    command.args(["--enable-debug-command", "yes", "--port"]).arg(port.to_string());
    command.arg("--dir").arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().expect("redis-server, of the Debian package of that name");
    for _ in 0..LOOKS {
        if child.try_wait().expect("a child of ours").is_some() {
            return None;
        }
        if ask(port, b"PING\r\n").starts_with(b"+PONG") {
            return Some(child);
        }
        std::thread::sleep(PAUSE);
    }
    panic!("redis-server does not answer");
}

/// What it says, or nothing.
fn ask(port: u16, question: &[u8]) -> Vec<u8> {
    let said = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(question).ok()?;
        let mut answer = vec![0; 64];
        let length = stream.read(&mut answer).ok()?;
        answer.truncate(length);
        Some(answer)
    };
    said().unwrap_or_default()
}
