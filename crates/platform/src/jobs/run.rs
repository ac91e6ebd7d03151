//! One job from claim to end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use stoa_kernel::{Clock, Random, Timestamp};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::{
    Handler, JobContext, JobFailure, Watch,
    store::{self, Claimed, Wanted},
};
use crate::{
    database::{Database, DatabaseError},
    traces::{self, Span, TraceState},
};

/// The pause before the second attempt; it doubles.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause between attempts.
const LONGEST_BACKOFF: Duration = Duration::from_hours(1);
/// How many workers a job may outlive. Mostly it is not the job that ends a process, and whoever restarts one a few
/// times should find no mail buried; one that does end it is found out all the same.
const MOST_DEATHS: u32 = 9;
/// How often the end of a job is written again when the database fails.
const END_ATTEMPTS: u32 = 8;

/// What running jobs takes.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) lease: Duration,
    pub(super) watch: Watch,
}

/// How a run ended.
enum End {
    Done,
    Failed(JobFailure),
    /// Another worker has the job by now.
    LeaseLost,
}

impl End {
    fn name(&self, job: &Claimed) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(failure) if failure.fatal || job.attempt >= job.max_attempts => "dead",
            Self::Failed(_) => "retried",
            Self::LeaseLost => "lost",
        }
    }
}

fn describe(span: &Span, handler: &Handler, job: &Claimed, outcome: &'static str) {
    span.note("job.id", job.id.to_string());
    span.note("job.queue", handler.queue);
    span.note("job.kind", handler.kind);
    span.note("job.attempt", i64::from(job.attempt));
    span.note("job.outcome", outcome);
    if outcome != "done" {
        span.fail(outcome);
    }
}

impl Bench {
    /// Takes up to `most` jobs that are due.
    pub(super) async fn claim(&self, wanted: &Wanted, most: u32) -> Result<Vec<Claimed>, DatabaseError> {
        let (asked, now) = (wanted.clone(), self.clock.now());
        if !self.database.get(move |c| asked.any_due(c, now)).await? {
            return Ok(Vec::new());
        }
        let (wanted, until) = (wanted.clone(), now + self.lease);
        let lease = Uuid::from_bytes(self.random.bytes());
        let claimed = self.database.write(move |tx| wanted.claim(tx, most, now, until, lease)).await?;
        crate::failpoint::reach("job.claimed");
        Ok(claimed)
    }

    /// Runs a claimed job and writes how it ended.
    pub(super) async fn run(&self, handler: &Handler, job: Claimed) {
        let begun = Instant::now();
        let queued_in = job.trace.as_deref().and_then(|text| traces::read(text, TraceState::default()));
        let span = self.watch.traces.job(format!("job {}", handler.kind), queued_in.as_ref());
        let end = if job.deaths > MOST_DEATHS {
            End::Failed(JobFailure::fatal("every worker that took it died"))
        } else {
            let end = match &span {
                Some(span) => span.over(self.attempt(handler, &job)).await,
                None => self.attempt(handler, &job).await,
            };
            crate::failpoint::reach("job.ran");
            end
        };
        let outcome = end.name(&job);
        self.watch.ended(handler.queue, handler.kind, outcome, begun.elapsed());
        if let Some(span) = &span {
            describe(span, handler, &job, outcome);
        }
        match &end {
            End::Done => tracing::debug!(job.id = %job.id, job.kind = job.kind, "job done"),
            End::Failed(failure) => {
                let JobFailure { reason, fatal } = failure;
                tracing::warn!(job.id = %job.id, job.kind = job.kind, job.attempt, fatal, reason, "job failed");
            }
            End::LeaseLost => {
                tracing::warn!(job.id = %job.id, job.kind = job.kind, "the lease of a running job was lost");
                return;
            }
        }
        self.write_end(&job, end).await;
    }

    /// Runs the handler and keeps the lease meanwhile; a panic is a failure.
    async fn attempt(&self, handler: &Handler, job: &Claimed) -> End {
        let context = JobContext {
            id: job.id,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            clock: self.clock.clone(),
            random: self.random.clone(),
            kind: handler.kind,
        };
        let mut run = pin!(caught(async { (handler.run)(&job.payload, context).await }));
        let mut beat = interval(self.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            tokio::select! {
                outcome = &mut run => return outcome.map_or_else(End::Failed, |()| End::Done),
                _ = beat.tick() => if !self.keeps_lease(job).await { return End::LeaseLost },
            }
        }
    }

    async fn keeps_lease(&self, job: &Claimed) -> bool {
        let (claimed, until) = (job.clone(), self.clock.now() + self.lease);
        match self.database.write(move |tx| store::extend(tx, &claimed, until)).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(job.id = %job.id, %error, "the lease of a running job could not be prolonged");
                true
            }
        }
    }

    /// Writes the end, more than once if the database fails; when it cannot be written the lease brings the job back.
    async fn write_end(&self, job: &Claimed, end: End) {
        let reason = match end {
            End::Failed(failure) => Some(failure),
            End::Done | End::LeaseLost => None,
        };
        let (now, last) = (self.clock.now(), job.attempt >= job.max_attempts);
        let buried = last || reason.as_ref().is_some_and(|failure| failure.fatal);
        let reason = reason.map(|failure| failure.reason);
        let run_at = self.next_attempt(job.attempt, now);
        for attempt in 0..END_ATTEMPTS {
            let (job, reason) = (job.clone(), reason.clone());
            let written = self.database.write(move |tx| match &reason {
                None => store::finish(tx, &job),
                Some(reason) if buried => store::bury(tx, &job, reason, now),
                Some(reason) => store::put_back(tx, &job, reason, run_at),
            });
            match written.await {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "the end of a job could not be written"),
            }
            sleep(Duration::from_millis(100) * 2_u32.pow(attempt)).await;
        }
    }

    /// One second after the first attempt, then twice as long each time, and up to a tenth more by chance.
    fn next_attempt(&self, attempt: u32, now: Timestamp) -> Timestamp {
        let doublings = attempt.saturating_sub(1).min(20);
        let pause = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_BACKOFF);
        let tenth = u64::try_from(pause.as_micros() / 10).unwrap_or(0);
        now + pause + Duration::from_micros(self.random.below(tenth))
    }
}

/// Turns a panic of the future into a failure.
async fn caught(run: impl Future<Output = Result<(), JobFailure>>) -> Result<(), JobFailure> {
    let mut run = pin!(run);
    std::future::poll_fn(move |context| {
        catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(JobFailure::new("the handler panicked"))))
    })
    .await
}
