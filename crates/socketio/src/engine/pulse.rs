//! One clock for all sessions: a heap of when to look at which, and one task that sleeps until the next.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::session::Watched;

/// How long the task sleeps when there is nothing to look at.
const IDLE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Pulse {
    agenda: Mutex<Agenda>,
    changed: Arc<Notify>,
    running: AtomicBool,
}

#[derive(Default)]
struct Agenda {
    due: BinaryHeap<Reverse<Visit>>,
    /// Those that ended, or for another reason cannot wait.
    now: Vec<Weak<dyn Watched>>,
    count: u64,
}

struct Visit {
    at: Instant,
    number: u64,
    session: Weak<dyn Watched>,
}

impl Pulse {
    /// Looks at `session` at `at`, and then when it asks for.
    pub(super) fn beat_at(self: &Arc<Self>, at: Instant, session: Weak<dyn Watched>) {
        let first = self.agenda.lock().add(at, session);
        if first {
            self.changed.notify_one();
        }
        if !self.running.swap(true, Ordering::Relaxed) {
            tokio::spawn(run(Arc::downgrade(self), self.changed.clone()));
        }
    }

    /// Looks at `session` as soon as can be, once.
    pub(super) fn beat_now(&self, session: Weak<dyn Watched>) {
        self.agenda.lock().now.push(session);
        self.changed.notify_one();
    }

    /// Looks at all that are due, and answers how long there is nothing to do.
    fn beat(&self) -> Duration {
        let urgent = std::mem::take(&mut self.agenda.lock().now);
        for session in urgent {
            if let Some(session) = session.upgrade() {
                // Its next visit is on the agenda already.
                session.beat(Instant::now());
            }
        }
        loop {
            let now = Instant::now();
            let visit = {
                let mut agenda = self.agenda.lock();
                match agenda.due.peek() {
                    Some(Reverse(visit)) if visit.at <= now => agenda.due.pop(),
                    Some(Reverse(visit)) => return visit.at - now,
                    None => return IDLE,
                }
            };
            let Some(Reverse(visit)) = visit else { return IDLE };
            let next = visit.session.upgrade().and_then(|session| session.beat(now));
            if let Some(next) = next {
                self.agenda.lock().add(next, visit.session);
            }
        }
    }
}

impl Agenda {
    fn add(&mut self, at: Instant, session: Weak<dyn Watched>) -> bool {
        let first = self.due.peek().is_none_or(|Reverse(visit)| at < visit.at);
        self.count = self.count.wrapping_add(1);
        self.due.push(Reverse(Visit { at, number: self.count, session }));
        first
    }
}

async fn run(pulse: Weak<Pulse>, changed: Arc<Notify>) {
    loop {
        let Some(wait) = pulse.upgrade().map(|pulse| pulse.beat()) else { return };
        // Elapsed or notified, it looks again.
        let _ = timeout(wait, changed.notified()).await;
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

impl Ord for Visit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Visit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Visit {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Visit {}
