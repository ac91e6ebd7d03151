//! Mail handed to an SMTP server.
//!
//! Lines to the server are kept and used again, never more than a given number. Each step has a time; what failed for
//! now is told apart from what was refused, and the job queue does the rest.

mod line;
mod server;

use std::{sync::Arc, time::Duration};

use lettre::transport::smtp::{
    client::{Certificate, TlsParameters},
    extension::ClientId,
};
use parking_lot::Mutex;
use stoa_kernel::{Clock, Timestamp};
use stoa_platform::mail::{Delivered, Parcel, Transport, Undelivered};
use tokio::sync::Semaphore;

use self::line::{Dialling, Line};
pub use self::server::{BadServer, Security, SmtpServer};

/// A line that was idle for longer is not trusted; servers hang up after some minutes.
const MOST_IDLE: Duration = Duration::from_mins(1);
/// Servers dislike lines that never end.
const MOST_CARRIED: u32 = 100;

/// How mail is handed to a server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Which server.
    pub server: SmtpServer,
    /// Lines at once.
    pub lines: usize,
    /// How long each step may take; accepting a message four times that.
    pub step: Duration,
    /// Certificates to trust beside those of the system, as PEM.
    pub roots: Vec<u8>,
}

impl SmtpSettings {
    /// The usual settings for a server: five lines, half a minute a step.
    pub fn of(server: SmtpServer) -> Self {
        Self { server, lines: 5, step: Duration::from_secs(30), roots: Vec::new() }
    }
}

/// Why no mail can be sent this way.
#[derive(Debug, thiserror::Error)]
#[error("TLS to the mail server cannot be set up: {0}")]
pub struct SetupError(#[from] lettre::transport::smtp::Error);

/// Hands mails to an SMTP server.
pub struct Smtp {
    dialling: Dialling,
    lines: Semaphore,
    idle: Mutex<Vec<Idle>>,
    clock: Clock,
}

struct Idle {
    line: Line,
    since: Timestamp,
}

impl Smtp {
    /// The way to a server; connects when there is something to send.
    pub fn new(settings: SmtpSettings, clock: Clock) -> Result<Arc<Self>, SetupError> {
        let SmtpSettings { server, lines, step, roots } = settings;
        let mut tls = TlsParameters::builder(server.host.clone());
        if !roots.is_empty() {
            tls = tls.add_root_certificate(Certificate::from_pem(&roots)?);
        }
        let dialling = Dialling { tls: tls.build()?, hello: hello(), server, step };
        Ok(Arc::new(Self {
            dialling,
            lines: Semaphore::new(lines.max(1)),
            idle: Mutex::new(Vec::new()),
            clock,
        }))
    }

    /// Connects and signs in without sending anything: what `stoa doctor` asks.
    pub async fn check(&self) -> Result<(), Undelivered> {
        let line = self.dialling.open().await?;
        line.close().await;
        Ok(())
    }

    async fn carry(&self, parcel: Parcel) -> Result<(), Undelivered> {
        let stopped = |_| Undelivered::Unavailable("the server is stopping".into());
        let _held = self.lines.acquire().await.map_err(stopped)?;
        let mut line = match self.kept().await {
            Some(line) => line,
            None => self.dialling.open().await?,
        };
        line.carry(&parcel).await?;
        self.keep(line).await;
        Ok(())
    }

    /// A kept line that still answers. One that was idle too long is let go.
    async fn kept(&self) -> Option<Line> {
        loop {
            let Idle { mut line, since } = self.idle.lock().pop()?;
            if self.clock.now().since(since) < MOST_IDLE && line.answers().await {
                return Some(line);
            }
        }
    }

    async fn keep(&self, line: Line) {
        if line.carried >= MOST_CARRIED {
            return line.close().await;
        }
        let since = self.clock.now();
        self.idle.lock().push(Idle { line, since });
    }
}

impl Transport for Smtp {
    fn deliver(&self, parcel: Parcel) -> Delivered<'_> {
        Box::pin(self.carry(parcel))
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("server", &self.dialling.server).finish_non_exhaustive()
    }
}

/// What we call ourselves: the machine's name, if it is one that a server takes.
fn hello() -> ClientId {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let is_name = !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if is_name { ClientId::Domain(name.into_owned()) } else { ClientId::default() }
}
