//! One fill per key at a time: the first to miss fills, the others wait for what becomes of it.
//!
//! The one who fills holds the sender of a watch channel and the waiters hold receivers, so whichever way a fill
//! ends (stored, refused, panicked, its request cancelled) the sender is dropped and everybody wakes. A waiter owns
//! nothing that others need, so it may be cancelled at any point.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Cached;

/// What became of a fill: an entry, or nothing.
pub(super) type Outcome = watch::Receiver<Option<Cached>>;

#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Arc<str>, Outcome>>);

pub(super) enum Place {
    /// The caller fills.
    Lead(Flight),
    /// Somebody else does.
    Follow(Outcome),
}

impl Flights {
    pub(super) fn join(self: &Arc<Self>, key: &str) -> Place {
        let mut flying = self.0.lock();
        if let Some(outcome) = flying.get(key) {
            return Place::Follow(outcome.clone());
        }
        let (announce, outcome) = watch::channel(None);
        let key: Arc<str> = key.into();
        flying.insert(Arc::clone(&key), outcome);
        Place::Lead(Flight { flights: Arc::clone(self), key, announce, landed: None })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// The right to fill one key; ends when dropped.
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: Arc<str>,
    announce: watch::Sender<Option<Cached>>,
    landed: Option<Cached>,
}

impl Flight {
    /// Hands the entry to those who wait.
    pub(super) fn land(mut self, cached: Cached) {
        self.landed = Some(cached);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Off the list before anybody wakes: a waiter that looks again must not find this flight.
        self.flights.0.lock().remove(&self.key);
        if let Some(cached) = self.landed.take() {
            self.announce.send_replace(Some(cached));
        }
    }
}
