//! Starting one server and waiting until it answers.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    account::Account,
    failure::{Failure, Result},
    ports::Ports,
    signals::Signals,
    undertaker::{Farewell, Undertaker},
};

const START_LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);
/// A port looked free but was taken before the server's bind: how often to take another.
const ATTEMPTS: u32 = 3;

/// A kind of server, as this runner starts it.
pub(crate) trait Engine {
    /// What people call it.
    fn name(&self) -> &'static str;
    /// How it is asked to end.
    fn farewell(&self) -> Farewell;
    /// The account it runs under.
    fn account(&self, place: &Place) -> Account {
        place.account
    }
    /// The program with its arguments, to listen on this port of 127.0.0.1 and stay in the foreground.
    fn command(&self, place: &Place, port: u16) -> Command;
    /// Whether it answers yet.
    fn answers(&self, port: u16) -> bool;
}

/// The folder that all servers of a run share, and the account that owns it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) account: Account,
}

impl Place {
    /// A program that runs in the folder, under an account, leading a process group, and writes to `<name>.log`.
    pub(crate) fn prepare(&self, mut command: Command, name: &str, account: Account) -> Result<Command> {
        let log = File::create(self.log(name)).map_err(Failure::io("creating a server's log"))?;
        let errors = log.try_clone().map_err(Failure::io("sharing a server's log"))?;
        account.run(&mut command);
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        Ok(command)
    }

    /// What a server did wrong, with the end of its log.
    pub(crate) fn trouble(&self, server: &'static str, what: impl Into<String>) -> Failure {
        Failure::Server { server, what: what.into(), log: tail(&self.log(server)) }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
    last.join("\n")
}

/// What starting a server needs beside the server.
pub(crate) struct Starter<'a> {
    pub(crate) place: &'a Place,
    pub(crate) ports: &'a mut Ports,
    pub(crate) undertaker: &'a Undertaker,
    pub(crate) signals: &'a Signals,
    /// The servers started so far; one that fails stays among them, to be waited for.
    pub(crate) children: &'a mut Vec<Child>,
}

impl Starter<'_> {
    /// Starts the server on a free port and returns the port once it answers there.
    pub(crate) fn start(&mut self, engine: &impl Engine) -> Result<u16> {
        let mut attempt = 1;
        loop {
            match self.attempt(engine) {
                Err(Failure::Server { .. }) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn attempt(&mut self, engine: &impl Engine) -> Result<u16> {
        let port = self.ports.take()?;
        let mut command = self.place.prepare(
            engine.command(self.place, port),
            engine.name(),
            engine.account(self.place),
        )?;
        let child = command.spawn().map_err(Failure::io("starting a server"))?;
        self.undertaker.take_over(&child, engine.farewell())?;
        self.children.push(child);
        let deadline = Instant::now() + START_LIMIT;
        while !engine.answers(port) {
            if let Some(status) = self.newest_ended()? {
                return Err(self.place.trouble(engine.name(), format!("did not start ({status})")));
            }
            if let Some(signal) = self.signals.take() {
                return Err(Failure::Interrupted(signal));
            }
            if Instant::now() > deadline {
                return Err(self.place.trouble(engine.name(), "does not answer"));
            }
            sleep(PAUSE);
        }
        Ok(port)
    }

    fn newest_ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        let newest = self.children.last_mut().map(Child::try_wait);
        newest.transpose().map(Option::flatten).map_err(Failure::io("looking after a server"))
    }
}

/// Whether a server on this port answers `question` with something that begins with `answer`.
pub(crate) fn answers(port: u16, question: &[u8], answer: &[u8]) -> bool {
    let limit = Duration::from_secs(1);
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(question)?;
        let mut heard = vec![0; answer.len()];
        stream.read_exact(&mut heard)?;
        Ok(heard)
    };
    ask().is_ok_and(|heard| heard == answer)
}
