//! Serving what is in files: whole or in parts, with what browsers need to keep it and not to be harmed by it.

mod conditions;
mod content;
mod ranges;
mod renditions;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use moka::sync::Cache;
use parking_lot::Mutex;
use stoa_platform::storage::ObjectKey;

pub(crate) use self::content::{Asked, Head};

/// The largest object that is kept in memory.
const LARGEST_KEPT: u64 = 256 * 1024;

/// What serving remembers: small objects that were asked for last, which never change, and who makes which rendition.
pub(crate) struct Servings {
    kept: Cache<ObjectKey, Bytes>,
    made: Mutex<HashMap<ObjectKey, Arc<tokio::sync::Mutex<()>>>>,
}

impl Servings {
    /// Keeps at most so many bytes.
    pub(crate) fn holding(bytes: u64) -> Self {
        let weigh = |key: &ObjectKey, bytes: &Bytes| {
            u32::try_from(key.as_str().len() + bytes.len() + 64).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder().max_capacity(bytes).weigher(weigh).build(),
            made: Mutex::new(HashMap::new()),
        }
    }

    fn kept(&self, key: &ObjectKey) -> Option<Bytes> {
        self.kept.get(key)
    }

    fn keep(&self, key: ObjectKey, bytes: Bytes) {
        self.kept.insert(key, bytes);
    }

    /// The turn at making something: whoever comes while it is being made waits, and finds it made.
    fn turn(&self, key: &ObjectKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut made = self.made.lock();
        // Turns that nobody holds any more are as good as none.
        made.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(made.entry(key.clone()).or_default())
    }
}
