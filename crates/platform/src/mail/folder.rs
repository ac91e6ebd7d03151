//! A folder with one `.eml` file per mail, which any mail program opens.
//!
//! Everything here blocks. A file appears whole or not at all: it is written beside its place, synced, renamed. Mails
//! hold links that open accounts, so folder and files are for their owner alone.

use std::{
    cmp::Reverse,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::DateTime;
use parking_lot::Mutex;
use stoa_kernel::Timestamp;

use super::{MailError, SentMail, header, message::checked_id};

/// Enough for the headers we write, whatever the subject.
const HEAD_BYTES: u64 = 16 * 1024;

/// A folder that mails are kept in; clones share it.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// The file being written is named after the mail, so that a crash leaves none behind that the next try would not
    /// use up. Two tries at once take turns.
    writing: Mutex<()>,
}

impl Folder {
    /// Opens the folder and makes it first if need be.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, MailError> {
        let path = path.into();
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Ok(Self(Arc::new(Inner { path, writing: Mutex::new(()) }))),
            Err(source) => Err(MailError::Folder { path, source }),
        }
    }

    /// Writes mail `id` unless it is there already.
    pub(super) fn write(&self, id: &str, at: Timestamp, message: &[u8]) -> Result<(), MailError> {
        let id = checked_id(id)?;
        let place = self.place(id);
        let draft = self.0.path.join(format!(".{id}.draft"));
        let _one_at_a_time = self.0.writing.lock();
        self.told(|| {
            if !place.try_exists()? {
                write_synced(&draft, at, message)?;
                fs::rename(&draft, &place)?;
            }
            // Also when the file was there: whoever wrote it may have died before this.
            File::open(&self.0.path)?.sync_all()
        })
    }

    pub(super) fn list(&self, limit: usize) -> Result<Vec<SentMail>, MailError> {
        self.told(|| {
            let mut mails = self.mails()?;
            mails.sort_unstable_by(|one, other| Reverse(one).cmp(&Reverse(other)));
            mails.truncate(limit);
            mails.into_iter().map(|(at, id)| self.summary(at, id)).collect()
        })
    }

    pub(super) fn read(&self, id: &str) -> Result<Option<Vec<u8>>, MailError> {
        let place = self.place(checked_id(id)?);
        self.told(|| match fs::read(&place) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        })
    }

    /// Removes these mails; one that is not there is no failure.
    pub(super) fn remove(&self, ids: &[String]) -> Result<(), MailError> {
        self.told(|| {
            ids.iter().try_for_each(|id| match fs::remove_file(self.place(id)) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            })
        })
    }

    /// Time and id of each mail. The time is the file's own, which was set from the mail's.
    fn mails(&self) -> io::Result<Vec<(SystemTime, String)>> {
        let mut mails = Vec::new();
        for file in fs::read_dir(&self.0.path)? {
            let file = file?;
            let name = file.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".eml"))
                && checked_id(id).is_ok()
            {
                mails.push((file.metadata()?.modified()?, id.to_owned()));
            }
        }
        Ok(mails)
    }

    fn summary(&self, at: SystemTime, id: String) -> io::Result<SentMail> {
        let mut head = Vec::new();
        File::open(self.place(&id))?.take(HEAD_BYTES).read_to_end(&mut head)?;
        let head = String::from_utf8_lossy(&head);
        let header = |name| header::value(&head, name);
        let sent_at = header("Date")
            .and_then(|date| DateTime::parse_from_rfc2822(&date).ok())
            .map_or_else(|| timestamp(at), |date| date.to_utc().into());
        let (to, subject) = (header("To").unwrap_or_default(), header("Subject").unwrap_or_default());
        Ok(SentMail { id, to, subject, sent_at })
    }

    fn place(&self, id: &str) -> PathBuf {
        self.0.path.join(format!("{id}.eml"))
    }

    fn told<T>(&self, work: impl FnOnce() -> io::Result<T>) -> Result<T, MailError> {
        work().map_err(|source| MailError::Folder { path: self.0.path.clone(), source })
    }
}

fn write_synced(path: &Path, at: Timestamp, message: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(message)?;
    let since_epoch = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
    file.set_modified(SystemTime::UNIX_EPOCH + since_epoch)?;
    file.sync_all()
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::from_micros(0) + at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
