//! Where files lie while they are received and looked at: a folder of this node, one file each, read by nobody else.
//!
//! What is received is hashed and written in pieces on threads that may block, never held whole in memory. A file goes
//! with its handle; what a crash leaves is swept at the next start, and now and then.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use stoa_kernel::{Clock, Id, Random};

use crate::{
    error::FileError,
    sniff::{self, Guess, TextCheck},
};

/// What is gathered before it is hashed and written.
const PIECE: usize = 128 * 1024;
/// How old a file is that nobody receives any more.
const LEFT_AFTER: Duration = Duration::from_hours(24);

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    clock: Clock,
    random: Random,
}

impl Spool {
    pub(crate) fn at(folder: PathBuf, clock: Clock, random: Random) -> Self {
        Self { folder, clock, random }
    }

    /// A path in it that nobody else has. The folder is made when it is first needed.
    fn fresh(&self) -> io::Result<Leftover> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        Ok(Leftover(self.folder.join(Id::<()>::new(self.clock.now(), &self.random).to_string())))
    }

    /// Begins to receive a file.
    pub(crate) fn begin(&self) -> Receiving {
        Receiving { spool: self.clone(), piece: Vec::new(), head: Vec::new(), size: 0, written: None }
    }

    /// Takes over a file that something else writes to the path that it is given.
    pub(crate) async fn filled<F: Future<Output = Result<(), FileError>>>(
        &self,
        fill: impl FnOnce(PathBuf) -> F,
    ) -> Result<SpoolFile, FileError> {
        let spool = self.clone();
        let leftover = blocking(move || spool.fresh()).await?;
        fill(leftover.0.clone()).await?;
        blocking(move || look_at(leftover)).await
    }

    /// Removes what was left behind by whoever received it; all of it when nobody can be receiving.
    pub(crate) fn sweep(&self, all: bool) -> io::Result<u64> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut removed = 0;
        for entry in entries {
            let entry = entry?;
            let is_old = || {
                let age =
                    entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
                age.is_some_and(|age| age > LEFT_AFTER)
            };
            if all || is_old() {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// A path that is cleared when it is dropped.
#[derive(Debug)]
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a received file cannot be removed; the next start does it");
            }
            _ => {}
        }
    }
}

/// A file that was received whole.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    path: Leftover,
    /// How many bytes it has.
    pub(crate) size: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub(crate) checksum: String,
    /// What its beginning says.
    pub(crate) guess: Guess,
    /// Whether all of it is text.
    pub(crate) is_text: bool,
}

impl SpoolFile {
    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path.0
    }
}

/// A file that is being received.
pub(crate) struct Receiving {
    spool: Spool,
    piece: Vec<u8>,
    head: Vec<u8>,
    size: u64,
    written: Option<Written>,
}

/// What of a file is on disk already.
struct Written {
    path: Leftover,
    file: File,
    hash: Sha256,
    text: TextCheck,
}

impl Receiving {
    /// How much has come.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What its beginning says, once enough of it is here.
    pub(crate) fn early_guess(&self) -> Option<Guess> {
        (self.head.len() >= sniff::ENOUGH).then(|| sniff::guess(&self.head))
    }

    /// Takes the next bytes.
    pub(crate) async fn take(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.size += bytes.len() as u64;
        let room = sniff::HEAD.saturating_sub(self.head.len()).min(bytes.len());
        let (beginning, _) = bytes.split_at(room);
        self.head.extend_from_slice(beginning);
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE { self.write().await } else { Ok(()) }
    }

    /// It is all there.
    pub(crate) async fn finish(mut self) -> Result<SpoolFile, FileError> {
        self.write().await?;
        let lost = || FileError::Disk(io::Error::other("a file was received and is not there"));
        let Written { path, hash, text, .. } = self.written.take().ok_or_else(lost)?;
        Ok(SpoolFile {
            path,
            size: self.size,
            checksum: hexadecimal(&hash.finalize()),
            guess: sniff::guess(&self.head),
            is_text: text.held(),
        })
    }

    async fn write(&mut self) -> Result<(), FileError> {
        let (spool, piece, written) = (self.spool.clone(), mem::take(&mut self.piece), self.written.take());
        let (written, mut piece) = blocking(move || {
            let mut written = match written {
                Some(written) => written,
                None => Written::begin(&spool)?,
            };
            written.file.write_all(&piece)?;
            written.hash.update(&piece);
            written.text.take(&piece);
            Ok((written, piece))
        })
        .await?;
        piece.clear();
        (self.piece, self.written) = (piece, Some(written));
        Ok(())
    }
}

impl Written {
    fn begin(spool: &Spool) -> io::Result<Self> {
        let path = spool.fresh()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path.0)?;
        Ok(Self { path, file, hash: Sha256::new(), text: TextCheck::default() })
    }
}

/// What a file is that somebody else has written.
fn look_at(path: Leftover) -> io::Result<SpoolFile> {
    let mut file = File::open(&path.0)?;
    let (mut hash, mut text, mut head, mut size) = (Sha256::new(), TextCheck::default(), Vec::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let read = io::Read::read(&mut file, &mut piece)?;
        let (bytes, _) = piece.split_at(read);
        if bytes.is_empty() {
            let (checksum, guess) = (hexadecimal(&hash.finalize()), sniff::guess(&head));
            return Ok(SpoolFile { path, size, checksum, guess, is_text: text.held() });
        }
        let (beginning, _) = bytes.split_at(sniff::HEAD.saturating_sub(head.len()).min(bytes.len()));
        head.extend_from_slice(beginning);
        hash.update(bytes);
        text.take(bytes);
        size += bytes.len() as u64;
    }
}

/// Does work that may wait for the disk where that holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FileError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(FileError::Disk(io::Error::other(error))),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 0xF] {
            text.extend(char::from_digit(digit.into(), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(folder: &Path) -> Spool {
        Spool::at(folder.join("spool"), Clock::system(), Random::system())
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder.join("spool")).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn what_comes_in_pieces_is_there_whole_and_goes_with_its_handle() {
        let folder = tempfile::tempdir().unwrap();
        let mut receiving = spool(folder.path()).begin();
        let text = "Grüße aus dem Norden. ".repeat(20_000);
        for piece in text.as_bytes().chunks(7_001) {
            receiving.take(piece).await.unwrap();
        }
        let file = receiving.finish().await.unwrap();
        assert_eq!((file.size, file.is_text, file.guess), (text.len() as u64, true, Guess::Text));
        assert_eq!(file.checksum, hexadecimal(&Sha256::digest(text.as_bytes())));
        assert_eq!(fs::read(file.path()).unwrap(), text.as_bytes());
        let copy =
            spool(folder.path()).filled(|path| async move { Ok(fs::write(path, "a\0b")?) }).await.unwrap();
        assert_eq!((copy.size, copy.is_text, copy.guess), (3, false, Guess::Foreign));
        assert_eq!(files(folder.path()), 2);
        drop((file, copy));
        assert_eq!(files(folder.path()), 0);
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut receiving = spool(folder.path()).begin();
        receiving.take(&vec![7; 2 * PIECE]).await.unwrap();
        assert_eq!(files(folder.path()), 1);
        drop(receiving);
        assert_eq!(files(folder.path()), 0);
        fs::write(folder.path().join("spool/left"), "behind").unwrap();
        assert_eq!(spool(folder.path()).sweep(false).unwrap(), 0, "somebody may still receive it");
        assert_eq!(spool(folder.path()).sweep(true).unwrap(), 1);
    }
}
