//! The queue between those who end spans and the one who sends them.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use stoa_platform::metrics::{Counter, Metrics};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

/// Spans that may wait.
const WAITING: usize = 4_096;
/// Spans to a batch at most.
const BATCH: usize = 512;
/// How long a batch is gathered.
const GATHERING: Duration = Duration::from_millis(500);
/// A collector that is away is told of once in so many failed batches.
const TOLD_EACH: u64 = 60;

/// Where spans go when they end. Never waits: a span that finds no room is dropped and counted.
pub(super) struct SpanQueue {
    spans: mpsc::Sender<SpanData>,
    dropped: Counter,
    full: AtomicBool,
}

impl SpanQueue {
    /// A queue, and the task that empties it into `exporter`.
    pub(super) fn open(
        exporter: impl SpanExporter + 'static,
        batch_time: Duration,
        metrics: &Metrics,
    ) -> (Self, Sending) {
        let (spans, waiting) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let about = "Spans of traces, by what became of them.";
        let counter = |outcome| metrics.counter("stoa_trace_spans_total", about, &[("outcome", outcome)]);
        let sender = Sender {
            exporter,
            waiting,
            batch_time,
            sent: counter("sent"),
            failed: counter("failed"),
            failures: 0,
            travelling: 0,
        };
        let queue = Self { spans, dropped: counter("dropped"), full: AtomicBool::new(false) };
        (queue, Sending { task: tokio::spawn(sender.run(stopped)), stop })
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let refused = self.spans.try_send(span).is_err();
        if refused {
            self.dropped.increment(1);
        }
        if refused != self.full.swap(refused, Ordering::Relaxed) && refused {
            tracing::warn!("traces come faster than the collector takes them; some are dropped");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpanQueue")
    }
}

/// The task that sends.
pub(super) struct Sending {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Sending {
    /// Sends what waits, for `at_most` so long, then gives the rest up.
    pub(super) async fn stop(mut self, at_most: Duration) {
        // An error says that the task has ended by itself.
        let _ = self.stop.send(());
        if timeout(at_most, &mut self.task).await.is_err() {
            tracing::warn!("the collector did not take the last traces in time");
            self.task.abort();
        }
    }
}

struct Sender<E> {
    exporter: E,
    waiting: mpsc::Receiver<SpanData>,
    batch_time: Duration,
    sent: Counter,
    failed: Counter,
    failures: u64,
    /// Spans of the batch that is on its way.
    travelling: u64,
}

impl<E: SpanExporter> Sender<E> {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                received = self.waiting.recv_many(&mut batch, BATCH) => if received == 0 { return },
                _ = &mut stopped, if !stopped.is_terminated() => {
                    // What waits is still to be had, and then the end.
                    self.waiting.close();
                    continue;
                }
            }
            self.gather(&mut batch, &mut stopped).await;
            self.send(batch).await;
        }
    }

    /// Waits a little for more, so that spans do not travel alone.
    async fn gather(&mut self, batch: &mut Vec<SpanData>, stopped: &mut oneshot::Receiver<()>) {
        let until = Instant::now() + GATHERING;
        while batch.len() < BATCH && !self.waiting.is_closed() {
            let room = BATCH - batch.len();
            tokio::select! {
                more = timeout_at(until, self.waiting.recv_many(batch, room)) => {
                    if !matches!(more, Ok(1..)) {
                        return;
                    }
                }
                _ = &mut *stopped => self.waiting.close(),
            }
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = u64::try_from(batch.len()).unwrap_or(0);
        self.travelling = count;
        let sent = timeout(self.batch_time, self.exporter.export(batch)).await;
        self.travelling = 0;
        let reason = match sent {
            Ok(Ok(())) => {
                self.sent.increment(count);
                self.failures = 0;
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        self.failed.increment(count);
        if self.failures.is_multiple_of(TOLD_EACH) {
            tracing::warn!(reason, spans = count, "the collector did not take traces");
        }
        self.failures += 1;
    }
}

impl<E> Drop for Sender<E> {
    fn drop(&mut self) {
        // Given up at the end: what is on its way may arrive or not, what still waits will not.
        self.failed.increment(self.travelling + u64::try_from(self.waiting.len()).unwrap_or(0));
    }
}
