//! The sessions that live.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::{Protocol, session::Session};

pub(super) struct Sessions<P: Protocol> {
    by_id: Mutex<HashMap<Arc<str>, Arc<Session<P>>>>,
    most: usize,
}

impl<P: Protocol> Sessions<P> {
    pub(super) fn new(most: usize) -> Self {
        Self { by_id: Mutex::default(), most }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.count() < self.most
    }

    /// Keeps it, if there is room.
    pub(super) fn insert(&self, session: Arc<Session<P>>) -> bool {
        let mut by_id = self.by_id.lock();
        if by_id.len() >= self.most {
            return false;
        }
        by_id.insert(session.link().shared_id(), session);
        true
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Session<P>>> {
        let found = self.by_id.lock().get(id).cloned();
        found.filter(|session| session.is_reachable())
    }

    pub(super) fn remove(&self, id: &str) {
        let mut by_id = self.by_id.lock();
        // Dropped after the lock: its end may be heard by code that takes its time.
        let removed = by_id.remove(id);
        drop(by_id);
        drop(removed);
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.lock().len()
    }

    pub(super) fn all(&self) -> Vec<Arc<Session<P>>> {
        self.by_id.lock().values().cloned().collect()
    }
}
