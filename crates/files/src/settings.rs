//! What files can be told by configuration.

use std::{collections::BTreeMap, fmt, io, path::PathBuf, time::Duration};

use crate::kinds::Kind;

/// Why files cannot be kept with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No threads for pictures.
    #[error("the threads for pictures cannot be started: {0}")]
    Threads(#[from] io::Error),
    /// No key can be made of the secret.
    #[error("no key for signed links can be made of the secret")]
    Key,
}

/// Settings of files.
#[derive(Clone)]
pub struct FilesSettings {
    /// The largest file, in bytes.
    pub limit: u64,
    /// The largest file of some kinds, in bytes.
    pub limits: BTreeMap<Kind, u64>,
    /// What somebody may keep altogether, in bytes; without one as much as there is room for.
    pub quota: Option<u64>,
    /// What all guests together may keep.
    pub guest_quota: Option<u64>,
    /// How long what guests send is kept.
    pub guest_retention: Duration,
    /// Whether guests may use the file calls of the first surface.
    pub guests: bool,
    /// Whether the originals of pictures are kept beside what is made of them.
    pub keep_originals: bool,
    /// How long sending one request of files may take.
    pub upload_timeout: Duration,
    /// How many requests of files are received at once.
    pub uploads_at_once: usize,
    /// How many bytes of small files are kept in memory.
    pub cache_bytes: u64,
    /// Threads that work on pictures.
    pub picture_threads: usize,
    /// The folder in which files lie while they are received. It must be for this node alone.
    pub spool: PathBuf,
    /// The address people reach the server by, without a slash at the end; links are relative without one.
    pub public_url: Option<String>,
    /// What signed links are signed by; the same on all nodes.
    pub secret: Vec<u8>,
}

/// The secret is not shown.
impl fmt::Debug for FilesSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesSettings")
            .field("limit", &self.limit)
            .field("limits", &self.limits)
            .field("quota", &self.quota)
            .field("guests", &self.guests)
            .field("keep_originals", &self.keep_originals)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}

const MIB: u64 = 1024 * 1024;

impl FilesSettings {
    /// The usual ones, with this folder to receive files in.
    pub fn new(spool: impl Into<PathBuf>) -> Self {
        Self {
            limit: 10 * MIB,
            limits: BTreeMap::new(),
            quota: Some(1024 * MIB),
            guest_quota: Some(1024 * MIB),
            guest_retention: Duration::from_hours(7 * 24),
            guests: false,
            keep_originals: false,
            upload_timeout: Duration::from_mins(15),
            uploads_at_once: 256,
            cache_bytes: 32 * MIB,
            picture_threads: 2,
            spool: spool.into(),
            public_url: None,
            secret: Vec::new(),
        }
    }

    /// The largest file of a kind.
    pub(crate) fn limit_of(&self, kind: Kind) -> u64 {
        self.limits.get(&kind).copied().unwrap_or(self.limit)
    }
}
