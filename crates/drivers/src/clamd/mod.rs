//! Files shown to clamd, `ClamAV`'s scanner, over its socket.
//!
//! Each file has a connection of its own and goes over it piece by piece, on a thread that may block; only so many at
//! once, for clamd has no more threads. Whatever it says that is not a verdict is none.

mod address;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use stoa_platform::scan::{ScanError, Scanner, Scanning};
use tokio::{sync::Semaphore, task::spawn_blocking};

use self::address::Line;
pub use self::address::{BadScanner, ClamdAddress};

/// Files at once; clamd comes with ten threads, and others may ask it too.
const AT_ONCE: usize = 8;
/// How much of a file is sent at a time.
const CHUNK: usize = 64 * 1_024;
/// The longest answer that is read.
const LONGEST_ANSWER: usize = 1_024;

/// How clamd is used.
#[derive(Clone, Debug)]
pub struct ClamdSettings {
    /// Where it listens.
    pub address: ClamdAddress,
    /// How long it may take for its verdict, and for each piece of a file before.
    pub patience: Duration,
}

impl ClamdSettings {
    /// The usual settings: a minute.
    pub fn of(address: ClamdAddress) -> Self {
        Self { address, patience: Duration::from_mins(1) }
    }
}

/// A clamd somewhere.
pub struct Clamd {
    settings: ClamdSettings,
    at_once: Arc<Semaphore>,
}

impl Clamd {
    /// A way to it; it is asked when there is a file.
    pub fn new(settings: ClamdSettings) -> Arc<Self> {
        Arc::new(Self { settings, at_once: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Asks what it is, as `stoa doctor` does.
    pub async fn version(&self) -> Result<String, ScanError> {
        let settings = self.settings.clone();
        on_thread(move || {
            let mut line = settings.address.connect(settings.patience)?;
            line.write_all(b"zVERSION\0")?;
            answer(&mut line, settings.patience)
        })
        .await
    }

    async fn look(&self, file: &Path) -> Result<Option<String>, ScanError> {
        let stopped = |_| ScanError("the server is stopping".into());
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(stopped)?;
        let (settings, file) = (self.settings.clone(), file.to_owned());
        let said = on_thread(move || {
            // Held until the thread is done, also when nobody waits for it any more.
            let _turn = turn;
            let mut line = settings.address.connect(settings.patience)?;
            match send(&mut line, &file) {
                // It hangs up in the middle of a file only to say why.
                Err(Failed::Line(error)) => answer(&mut line, settings.patience).map_err(|_| error),
                Err(Failed::File(error)) => Err(error),
                Ok(()) => answer(&mut line, settings.patience),
            }
        });
        verdict(&said.await?)
    }
}

impl Scanner for Clamd {
    fn scan<'a>(&'a self, file: &'a Path) -> Scanning<'a> {
        Box::pin(self.look(file))
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ScanError> {
    let done = spawn_blocking(work).await.map_err(|stopped| ScanError(stopped.to_string()))?;
    done.map_err(|error| ScanError(error.to_string()))
}

/// Which end failed.
enum Failed {
    File(io::Error),
    Line(io::Error),
}

/// The file in pieces, each after its length; a length of nothing ends it.
fn send(line: &mut Line, file: &Path) -> Result<(), Failed> {
    let mut file = File::open(file).map_err(Failed::File)?;
    let mut chunk = vec![0; CHUNK];
    line.write_all(b"zINSTREAM\0").map_err(Failed::Line)?;
    loop {
        let read = file.read(&mut chunk).map_err(Failed::File)?;
        let length = u32::try_from(read).unwrap_or_default().to_be_bytes();
        line.write_all(&length).map_err(Failed::Line)?;
        if read == 0 {
            return Ok(());
        }
        line.write_all(chunk.get(..read).unwrap_or_default()).map_err(Failed::Line)?;
    }
}

/// What it says, up to the NUL that ends it.
fn answer(line: &mut Line, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let mut said = Vec::new();
    let mut piece = [0; 256];
    while said.len() < LONGEST_ANSWER {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        line.wait_at_most(left.ok_or(io::ErrorKind::TimedOut)?)?;
        let read = line.read(&mut piece).map_err(in_time)?;
        said.extend_from_slice(piece.get(..read).unwrap_or_default());
        if let Some(end) = said.iter().position(|byte| *byte == 0) {
            said.truncate(end);
            return Ok(String::from_utf8_lossy(&said).into_owned());
        }
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "clamd hung up without a verdict"));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "what answers is not clamd"))
}

/// A read that ended with its time says only that there is nothing yet.
fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no verdict came in time"),
        _ => error,
    }
}

fn verdict(said: &str) -> Result<Option<String>, ScanError> {
    let found = said.strip_prefix("stream: ");
    match (found, found.and_then(|found| found.strip_suffix(" FOUND"))) {
        (Some("OK"), _) => Ok(None),
        (_, Some(name)) => Ok(Some(name.to_owned())),
        _ => Err(ScanError(format!("clamd says {said:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_is_one() {
        assert_eq!(verdict("stream: OK"), Ok(None));
        assert_eq!(verdict("stream: Win.Test.EICAR_HDB-1 FOUND"), Ok(Some("Win.Test.EICAR_HDB-1".into())));
        for other in [
            "",
            "OK",
            "stream: ",
            "stream: OK ",
            "stream: ok",
            "FOUND",
            "INSTREAM size limit exceeded. ERROR",
            "UNKNOWN COMMAND",
        ] {
            assert!(verdict(other).is_err(), "{other:?}");
        }
    }
}
