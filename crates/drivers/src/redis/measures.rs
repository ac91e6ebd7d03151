//! What is counted of Redis, and when it is told in the log.

use std::sync::atomic::{AtomicBool, Ordering};

use stoa_platform::metrics::{Counter, Gauge, Histogram, Metrics};

pub(super) struct Measures {
    pub(super) up: Gauge,
    pub(super) outages: Counter,
    /// Answers that did not come in time.
    pub(super) late: Counter,
    /// Answers lost with their connection.
    pub(super) lost: Counter,
    /// Answers that were refusals, or made no sense.
    pub(super) refused: Counter,
    /// Questions not asked, because too many were under way.
    pub(super) crowded: Counter,
    pub(super) seconds: Histogram,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let failed = |kind| {
            let about = "Questions to Redis that were not answered, by reason.";
            metrics.counter("stoa_redis_errors_total", about, &[("kind", kind)])
        };
        let up = metrics.gauge("stoa_redis_up", "Whether Redis is asked; 0 while it is given time.", &[]);
        up.set(0.0);
        Self {
            up,
            outages: metrics.counter("stoa_redis_outages_total", "How often Redis was lost.", &[]),
            late: failed("timeout"),
            lost: failed("connection"),
            refused: failed("answer"),
            crowded: failed("full"),
            seconds: metrics.histogram("stoa_redis_seconds", "How long Redis took for an answer.", &[]),
        }
    }
}

/// One use of Redis, which complains once until it works again.
pub(super) struct Lane {
    purpose: &'static str,
    complaining: AtomicBool,
}

impl Lane {
    pub(super) fn new(purpose: &'static str) -> Self {
        Self { purpose, complaining: AtomicBool::new(false) }
    }

    pub(super) fn works(&self) {
        if self.complaining.load(Ordering::Relaxed) && self.complaining.swap(false, Ordering::Relaxed) {
            tracing::info!(purpose = self.purpose, "Redis takes what it refused");
        }
    }

    pub(super) fn complain(&self, error: &dyn std::fmt::Display) {
        if !self.complaining.swap(true, Ordering::Relaxed) {
            tracing::warn!(purpose = self.purpose, %error, "Redis refuses what is asked; this node does without it");
        }
    }
}
