//! What a node counts and times of its own work.
//!
//! Every engine asks for its counters and histograms once, by name and labels, and records through those handles: no
//! name is looked up while a request is served. Where the figures go is the recorder's business; without one they go
//! nowhere, and recording costs a branch. What the last hour was like is kept here as well, in [`Recent`].

mod buckets;
mod memory;
mod recent;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

pub use ::metrics::{Counter, Gauge, Histogram};
use ::metrics::{Key, KeyName, Label, Level, Metadata, NoopRecorder, Recorder};

pub use self::{
    memory::{Growth, ProcessMemory, SystemMemory},
    recent::{Endpoint, EndpointSummary, Finished, LONGEST_WINDOW, Recent, SlowRequest, Summary},
};

const METADATA: Metadata<'static> = Metadata::new("stoa", Level::INFO, None);

/// Where figures are kept; clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: Box<dyn Recorder + Send + Sync>,
    recent: Recent,
    growth: Growth,
    begun: Instant,
}

impl Metrics {
    /// Figures that a recorder keeps.
    pub fn to(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            recorder: Box::new(recorder),
            recent: Recent::default(),
            growth: Growth::default(),
            begun: Instant::now(),
        }))
    }

    /// Figures that nobody keeps.
    pub fn off() -> Self {
        Self::to(NoopRecorder)
    }

    /// The counter of this name and these labels. The values of a label must be few.
    pub fn counter(
        &self,
        name: &'static str,
        about: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Counter {
        self.0.recorder.describe_counter(KeyName::from_const_str(name), None, about.into());
        self.0.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// The gauge of this name and these labels.
    pub fn gauge(&self, name: &'static str, about: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.0.recorder.describe_gauge(KeyName::from_const_str(name), None, about.into());
        self.0.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// The histogram of this name and these labels; times in seconds are given as `Duration`.
    pub fn histogram(
        &self,
        name: &'static str,
        about: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Histogram {
        self.0.recorder.describe_histogram(KeyName::from_const_str(name), None, about.into());
        self.0.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// How the memory of the process grows.
    pub fn growth(&self) -> &Growth {
        &self.0.growth
    }

    /// For how long figures have been kept.
    pub fn uptime(&self) -> Duration {
        self.0.begun.elapsed()
    }

    /// What the requests of the last hour were like.
    pub fn recent(&self) -> &Recent {
        &self.0.recent
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::off()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}
