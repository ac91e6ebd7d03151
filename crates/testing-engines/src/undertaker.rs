//! Ends the servers and removes their folder when the runner is gone.
//!
//! The runner starts this as a process of its own and holds the writing end of a pipe to it. Whatever ends the runner,
//! `kill -9` included, closes the pipe, and that is the sign to begin. The orderly way out is the same: the runner closes
//! the pipe and waits. So there is one way of clearing away, and it runs in every test.
//!
//! What the runner writes are lines `<farewell> <process group>`; the groups are ended last come, first gone, so the
//! command goes before the servers it talks to.

use std::{
    fs,
    io::{self, BufRead, PipeWriter, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
};

use crate::{
    failure::{Failure, Result},
    signals::Signals,
};

/// How long a group may take to go after its farewell, before it is killed.
const GRACE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(10);

/// How a process group is asked to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Farewell {
    /// SIGTERM, as for any command.
    Terminate,
    /// SIGQUIT: PostgreSQL stops at once, but still gives its shared memory back.
    Quit,
    /// SIGKILL, for servers that would take their time over data nobody wants.
    Kill,
}

impl Farewell {
    fn word(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Quit => "quit",
            Self::Kill => "kill",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Terminate => Signal::TERM,
            Self::Quit => Signal::QUIT,
            Self::Kill => Signal::KILL,
        }
    }
}

/// The runner's side.
pub(crate) struct Undertaker {
    process: Child,
    pipe: PipeWriter,
}

impl Undertaker {
    /// Starts the process that will remove this folder.
    pub(crate) fn hire(folder: &Path) -> Result<Self> {
        let myself = std::env::current_exe().map_err(Failure::io("finding the runner's own program"))?;
        let (reader, pipe) = io::pipe().map_err(Failure::io("making a pipe"))?;
        let process = Command::new(myself)
            .arg("undertaker")
            .arg(folder)
            .stdin(reader)
            .stdout(Stdio::null())
            // Ctrl-C and a signal to the runner's group are not meant for it.
            .process_group(0)
            .spawn()
            .map_err(Failure::io("starting the undertaker"))?;
        Ok(Self { process, pipe })
    }

    /// Leaves it the process group that this child leads.
    pub(crate) fn take_over(&self, child: &Child, farewell: Farewell) -> Result<()> {
        writeln!(&self.pipe, "{} {}", farewell.word(), child.id())
            .map_err(Failure::io("telling the undertaker of a process"))
    }

    /// Lets it begin and waits until all is gone. `servers` are this process's children: only it can take note of
    /// their end, and until it has, the system counts them as there. Hence the undertaker's order, last come first.
    pub(crate) fn dismiss(self, servers: &mut [Child]) -> Result<()> {
        let Self { mut process, pipe } = self;
        drop(pipe);
        for server in servers.iter_mut().rev() {
            server.wait().map_err(Failure::io("waiting for a server's end"))?;
        }
        let status = process.wait().map_err(Failure::io("waiting for the undertaker"))?;
        if status.success() { Ok(()) } else { Err(Failure::NotBuried(status)) }
    }
}

/// The undertaker's side: waits for the end of its input, then clears away.
pub(crate) fn bury(folder: &Path) -> Result<ExitCode> {
    let _deaf = Signals::catch()?;
    let mut groups = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(Failure::io("reading what the runner says"))?;
        groups.push(parse(&line).ok_or_else(|| Failure::Usage(format!("the runner said `{line}`")))?);
    }
    for (farewell, group) in groups.into_iter().rev() {
        end_group(group, farewell.signal(), GRACE);
    }
    remove(folder)?;
    Ok(ExitCode::SUCCESS)
}

fn parse(line: &str) -> Option<(Farewell, Pid)> {
    let (word, number) = line.split_once(' ')?;
    let farewell = [Farewell::Terminate, Farewell::Quit, Farewell::Kill]
        .into_iter()
        .find(|farewell| farewell.word() == word)?;
    // 1 would be every process there is.
    let number = number.parse().ok().filter(|number| *number > 1)?;
    Some((farewell, Pid::from_raw(number)?))
}

/// Signals a group and waits until nobody is left in it, then with SIGKILL.
pub(crate) fn end_group(group: Pid, signal: Signal, grace: Duration) {
    for signal in [signal, Signal::KILL] {
        if kill_process_group(group, signal) == Err(Errno::SRCH) {
            return;
        }
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if test_kill_process_group(group).is_err() {
                return;
            }
            sleep(PAUSE);
        }
    }
}

/// PostgreSQL's last children may write for a moment after it, hence the attempts.
fn remove(folder: &Path) -> Result<()> {
    let deadline = Instant::now() + GRACE;
    loop {
        match fs::remove_dir_all(folder) {
            Ok(()) => return Ok(()),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound && !folder.exists() => return Ok(()),
            Err(_) if Instant::now() < deadline => sleep(PAUSE),
            Err(source) => return Err(Failure::Io { what: "removing the servers' folder", source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_a_farewell_and_a_group() {
        assert_eq!(parse("quit 4711"), Some((Farewell::Quit, Pid::from_raw(4711).unwrap())));
        assert_eq!(parse("terminate 2"), Some((Farewell::Terminate, Pid::from_raw(2).unwrap())));
    }

    #[test]
    fn what_could_hit_anybody_else_is_refused() {
        for line in ["", "quit", "quit x", "quit 0", "quit 1", "quit -1", "wave 4711"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
