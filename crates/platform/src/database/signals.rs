//! What a commit announces to the rest of this node: that events were appended, that jobs were queued.

use std::sync::{Condvar, Mutex, PoisonError};

use tokio::sync::watch;

/// A kind of announcement a transaction can make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Events were appended.
    Events,
    /// Jobs were queued.
    Jobs,
}

/// The announcements of a transaction, or of a group of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Raised {
    events: bool,
    jobs: bool,
}

impl Raised {
    pub(super) fn raise(&mut self, signal: Signal) {
        match signal {
            Signal::Events => self.events = true,
            Signal::Jobs => self.jobs = true,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.events |= other.events;
        self.jobs |= other.jobs;
    }
}

/// Wakes followers, the sequencer and workers after a commit. Counters only ever grow; missing one is harmless because
/// everybody also looks by themselves now and then.
#[derive(Debug, Default)]
pub struct Signals {
    events: Bell,
    jobs: Bell,
}

impl Signals {
    /// Wakes whoever waits for `signal`.
    pub fn ring(&self, signal: Signal) {
        match signal {
            Signal::Events => self.events.ring(),
            Signal::Jobs => self.jobs.ring(),
        }
    }

    /// A receiver for async waiting.
    pub fn listen(&self, signal: Signal) -> watch::Receiver<u64> {
        match signal {
            Signal::Events => self.events.changes.subscribe(),
            Signal::Jobs => self.jobs.changes.subscribe(),
        }
    }

    /// Blocks a thread until events are appended on this node, or `at_most` has passed.
    pub fn wait_for_events(&self, at_most: std::time::Duration) {
        let rung = self.events.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .events
            .condition
            .wait_timeout_while(rung, at_most, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    pub(super) fn announce(&self, raised: Raised) {
        if raised.events {
            self.events.ring();
        }
        if raised.jobs {
            self.jobs.ring();
        }
    }
}

#[derive(Debug)]
struct Bell {
    changes: watch::Sender<u64>,
    rung: Mutex<bool>,
    condition: Condvar,
}

impl Default for Bell {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0), rung: Mutex::new(false), condition: Condvar::new() }
    }
}

impl Bell {
    fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }
}
