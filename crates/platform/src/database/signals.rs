//! What a commit announces to the rest of this node: that events were appended, that jobs were queued.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    cache::{Generation, Generations, Tag},
    events::Recent,
};

/// Things whose last change is remembered one by one; beyond that all are taken for changed.
const MOST_TOUCHED: usize = 100_000;

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

/// Wakes followers, the sequencer and workers after a commit. Missing a call is harmless because everybody also looks by
/// themselves now and then.
#[derive(Debug)]
pub struct Signals {
    events: watch::Sender<u64>,
    jobs: watch::Sender<u64>,
    /// Events that were appended and have no place yet, for the thread that numbers them; on SQLite they have one.
    unnumbered: Option<Knock>,
    recent: Recent,
    touched: Generations,
}

impl Signals {
    /// `numbered_later`: whether events get their place only after their commit.
    pub(super) fn new(numbered_later: bool) -> Self {
        Self {
            events: watch::Sender::new(0),
            jobs: watch::Sender::new(0),
            unnumbered: numbered_later.then(Knock::default),
            recent: Recent::default(),
            touched: Generations::new(MOST_TOUCHED),
        }
    }

    /// Marks the beginning of a read whose outcome is kept in memory; for [`Signals::holds`].
    pub fn now(&self) -> Generation {
        self.touched.current()
    }

    /// Whether no commit of this node has touched `what` since `began`. Commits of other nodes are not known here.
    pub fn holds(&self, began: Generation, what: Tag) -> bool {
        self.touched.current() == began || self.touched.confirm(began, &[what]).is_some()
    }

    /// Before the commit is answered.
    pub(super) fn touch(&self, what: &[Tag]) {
        if !what.is_empty() {
            self.touched.stamp(what);
        }
    }

    /// Wakes whoever listens for `signal`.
    pub fn ring(&self, signal: Signal) {
        self.bell(signal).send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A receiver for async waiting. Events are announced when they can be read from the log.
    pub fn listen(&self, signal: Signal) -> watch::Receiver<u64> {
        self.bell(signal).subscribe()
    }

    /// Blocks the numbering thread until events are appended on this node, or `at_most` has passed.
    pub(crate) fn wait_for_appended(&self, at_most: Duration) {
        if let Some(unnumbered) = &self.unnumbered {
            unnumbered.wait(at_most);
        }
    }

    pub(super) fn announce(&self, raised: Raised) {
        if raised.events {
            match &self.unnumbered {
                Some(unnumbered) => unnumbered.knock(),
                None => self.ring(Signal::Events),
            }
        }
        if raised.jobs {
            self.ring(Signal::Jobs);
        }
    }

    /// The newest events that were committed here, where they have their place at once.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    fn bell(&self, signal: Signal) -> &watch::Sender<u64> {
        match signal {
            Signal::Events => &self.events,
            Signal::Jobs => &self.jobs,
        }
    }
}

/// Wakes one thread, however often it was knocked.
#[derive(Debug, Default)]
struct Knock {
    knocked: Mutex<bool>,
    condition: Condvar,
}

impl Knock {
    fn knock(&self) {
        *self.knocked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_one();
    }

    fn wait(&self, at_most: Duration) {
        let knocked = self.knocked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut knocked, _) = self
            .condition
            .wait_timeout_while(knocked, at_most, |knocked| !*knocked)
            .unwrap_or_else(PoisonError::into_inner);
        *knocked = false;
    }
}
