//! The binary under measurement.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    client::{Connection, request},
    failure::Failure,
};

/// A running server on a data folder.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From starting the process to the first ready answer.
    pub(crate) time_to_ready: Duration,
}

impl Server {
    /// Starts `stoa serve` with these settings beside the usual ones.
    pub(crate) async fn start(
        binary: &Path,
        data: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let address = free_address()?;
        let mut serve = command(binary, data, settings);
        serve.arg("serve").env("STOA_PORT", address.port().to_string());
        Self::run(serve, address).await
    }

    /// Runs what serves at that address.
    pub(crate) async fn run(mut command: Command, address: SocketAddr) -> Result<Self, Failure> {
        let begun = Instant::now();
        let child = command.stdout(Stdio::null()).spawn()?;
        let mut server = Self { child, address, time_to_ready: Duration::ZERO };
        server.wait_until_ready(begun).await?;
        server.time_to_ready = begun.elapsed();
        Ok(server)
    }

    async fn wait_until_ready(&mut self, begun: Instant) -> Result<(), Failure> {
        let ready = request("GET", "/health/ready", None, None);
        while begun.elapsed() < Duration::from_mins(2) {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.send(&ready).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::new(format!("the server ended with {status}")));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(Failure::new("the server did not become ready"))
    }

    /// CPU time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path: PathBuf = task?.path().join("schedstat");
            // A thread may end between the listing and the reading.
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            nanos += text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
        Ok(kib / 1_024.0)
    }

    /// Ends it in peace: asked to by a signal, and waited for.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the binary to its end.
pub(crate) fn run(binary: &Path, data: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let status = command(binary, data, &[]).args(arguments).stdout(Stdio::null()).status()?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("stoa {} ended with {status}", arguments.join(" "))))
}

fn command(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command
        .current_dir(data)
        .env_remove("DATABASE_URL")
        .env("STOA_DATA_DIR", data)
        .env("STOA_RATE_LIMITS", "off")
        .env("STOA_LOG", "error")
        .envs(settings.iter().copied());
    command
}

pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
