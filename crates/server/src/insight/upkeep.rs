//! What has to be done now and then so that figures stay small and true.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use stoa_platform::{Platform, metrics::ProcessMemory};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// How often times that were recorded are sorted into their buckets: until then each takes its own place in memory.
const SORTING: Duration = Duration::from_secs(1);
/// After how many of those memory is looked at.
const SAMPLING: u32 = 30;

/// The task that does it, as long as this lives.
pub(crate) struct Upkeep(JoinHandle<()>);

impl Upkeep {
    pub(crate) fn start(kept: PrometheusHandle, platform: &Platform) -> Self {
        let (metrics, clock) = (platform.metrics.clone(), platform.clock.clone());
        Self(tokio::spawn(async move {
            let mut beat = interval(SORTING);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for turn in (0..SAMPLING).cycle() {
                beat.tick().await;
                kept.run_upkeep();
                if turn == 0
                    && let Some(memory) = ProcessMemory::read()
                {
                    metrics.growth().sample(clock.now(), memory.rss);
                }
            }
        }))
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.0.abort();
    }
}
