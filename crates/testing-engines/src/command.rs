//! Running the command itself.

use std::{
    io::{IsTerminal, stdin},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{
    arguments::Run,
    cluster::Cluster,
    failure::{Failure, Result, signals_exit_code},
    signals::Signals,
};

/// How long the command may take to end after a signal; nextest gives tests ten seconds of it.
const GRACE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the command to its end, or until a signal asks for it, and returns the exit code to pass on.
pub(crate) fn run(run: &Run, cluster: &Cluster, signals: &Signals) -> Result<u8> {
    let mut command = Running::spawn(run, cluster)?;
    loop {
        if let Some(status) = command.ended()? {
            return Ok(exit_code(status));
        }
        if let Some(signal) = signals.take() {
            command.end(signal)?;
            return Ok(signals_exit_code(signal));
        }
        sleep(PAUSE);
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let by_signal = || status.signal().map_or(u8::MAX, signals_exit_code);
    status.code().map_or_else(by_signal, |code| u8::try_from(code).unwrap_or(u8::MAX))
}

struct Running {
    child: Child,
    group: Group,
}

/// Whose process group the command is in.
#[derive(Clone, Copy, PartialEq)]
enum Group {
    /// Its own, so that it can be ended with all that it started.
    Own,
    /// The runner's. Somebody sits at a terminal, which only lets the group in front read keys, and sends Ctrl-C to
    /// everybody in it by itself.
    Terminal,
}

impl Running {
    fn spawn(run: &Run, cluster: &Cluster) -> Result<Self> {
        let group = if stdin().is_terminal() { Group::Terminal } else { Group::Own };
        let mut command = Command::new(&run.program);
        command.args(&run.arguments).envs(cluster.environment().iter().map(|(name, value)| (name, value)));
        if group == Group::Own {
            command.process_group(0);
        }
        let child =
            command.spawn().map_err(|source| Failure::Command { program: run.program.clone(), source });
        let running = Self { child: child?, group };
        if group == Group::Own {
            cluster.take_over(&running.child)?;
        }
        Ok(running)
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Failure::io("looking after the command"))
    }

    /// Passes the signal on and waits; what does not heed it is killed.
    fn end(&mut self, signal: i32) -> Result<()> {
        let passed_on = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        if !(self.group == Group::Terminal && passed_on == Signal::INT) {
            self.signal(passed_on);
        }
        let deadline = Instant::now() + GRACE;
        while self.ended()?.is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::KILL);
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // It may have ended just now, which is what is wanted.
        let _ = match self.group {
            Group::Own => kill_process_group(pid, signal),
            Group::Terminal => kill_process(pid, signal),
        };
    }
}
