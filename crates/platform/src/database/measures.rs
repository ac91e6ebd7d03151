//! What the database counts and times of itself, and how loaded it is.

use std::time::Instant;

use super::Engine;
use crate::metrics::{Counter, Gauge, Histogram, Metrics};

const WAIT: &str = "stoa_database_queue_wait_seconds";
const WAIT_ABOUT: &str = "How long work waited for a thread of the database.";
const TRANSACTION: &str = "stoa_database_transaction_seconds";
const TRANSACTION_ABOUT: &str =
    "How long transactions and reads took once begun; on SQLite a write is a commit of several.";
const REFUSED: &str = "stoa_database_refused_total";
const REFUSED_ABOUT: &str = "Work that was refused because its queue was full.";
const BUSY: &str = "stoa_database_connections_busy";
const BUSY_ABOUT: &str = "Connections that do something at this moment.";

/// The handles by which an engine records.
pub(super) struct Measures {
    pub(super) write: Lane,
    pub(super) read: Lane,
    /// Reads by key on the thread that asks.
    pub(super) get: Histogram,
    pub(super) statements: Histogram,
    pub(super) commits: Counter,
    /// Transactions to a commit.
    pub(super) members: Histogram,
    /// Transactions run again after a conflict.
    pub(super) retries: Counter,
}

/// One way into the database.
pub(super) struct Lane {
    pub(super) wait: Histogram,
    pub(super) time: Histogram,
    pub(super) refused: Counter,
    pub(super) busy: Gauge,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics, engine: Engine) -> Self {
        let name = engine.name();
        let lane = |kind: &'static str| {
            let labels = [("engine", name), ("kind", kind)];
            Lane {
                wait: metrics.histogram(WAIT, WAIT_ABOUT, &labels),
                time: metrics.histogram(TRANSACTION, TRANSACTION_ABOUT, &labels),
                refused: metrics.counter(REFUSED, REFUSED_ABOUT, &labels),
                busy: metrics.gauge(BUSY, BUSY_ABOUT, &labels),
            }
        };
        let labels = [("engine", name)];
        Self {
            write: lane("write"),
            read: lane("read"),
            get: metrics.histogram(TRANSACTION, TRANSACTION_ABOUT, &[("engine", name), ("kind", "get")]),
            statements: metrics.histogram(
                "stoa_database_statement_seconds",
                "How long single statements took.",
                &labels,
            ),
            commits: metrics.counter("stoa_database_commits_total", "Commits.", &labels),
            members: metrics.histogram(
                "stoa_database_commit_members",
                "Transactions that one commit made durable.",
                &labels,
            ),
            retries: metrics.counter(
                "stoa_database_retries_total",
                "Transactions that were run again after a conflict.",
                &labels,
            ),
        }
    }
}

impl Lane {
    /// Begins something that keeps a connection busy.
    pub(super) fn begin(&self) -> Busy<'_> {
        self.busy.increment(1.0);
        Busy { lane: self, begun: Instant::now() }
    }
}

/// A connection at work; dropped, it is free again, and the time is recorded.
pub(super) struct Busy<'l> {
    lane: &'l Lane,
    begun: Instant,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.lane.busy.decrement(1.0);
        self.lane.time.record(self.begun.elapsed());
    }
}

/// How loaded the database is at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// Transactions that wait. On PostgreSQL reads wait in the same queue.
    pub writes_waiting: usize,
    /// Reads that wait.
    pub reads_waiting: usize,
    /// Connections there are.
    pub connections: usize,
    /// Bytes of the write-ahead log, which only SQLite has here.
    pub wal_bytes: Option<u64>,
}
