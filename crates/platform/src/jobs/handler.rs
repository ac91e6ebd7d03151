//! What runs a kind of job.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use stoa_kernel::{Clock, Random};

use super::{Job, JobId};
use crate::{Occasion, mail::MailError};

/// A handler's run, on its way to an end.
type Outcome = Pin<Box<dyn Future<Output = Result<(), JobFailure>> + Send>>;
type RunPayload = dyn Fn(&str, JobContext) -> Outcome + Send + Sync;

/// Runs the jobs of one kind.
#[derive(Clone)]
pub struct Handler {
    pub(super) queue: &'static str,
    pub(super) kind: &'static str,
    pub(super) run: Arc<RunPayload>,
}

impl Handler {
    /// The handler of `J`'s kind: `Handler::of::<Welcome>(move |job: Welcome, context: JobContext| async move { … })`.
    pub fn of<J: Job>(run: impl Run<J>) -> Self {
        let run = move |payload: &str, context: JobContext| -> Outcome {
            match serde_json::from_str::<J>(payload) {
                Ok(job) => run.run(job, context),
                Err(error) => Box::pin(std::future::ready(Err(JobFailure::fatal(format!(
                    "the payload cannot be read: {error}"
                ))))),
            }
        };
        Self { queue: J::QUEUE, kind: J::KIND, run: Arc::new(run) }
    }

    /// The queue it serves.
    pub fn queue(&self) -> &'static str {
        self.queue
    }

    /// The kind it runs.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("queue", &self.queue)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What [`Handler::of`] takes: any async function of a job and its context.
pub trait Run<J>: Send + Sync + 'static {
    /// Does the job.
    fn run(
        &self,
        job: J,
        context: JobContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), JobFailure>> + Send>>;
}

impl<J, F, Fut> Run<J> for F
where
    F: Fn(J, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), JobFailure>> + Send + 'static,
{
    fn run(&self, job: J, context: JobContext) -> Outcome {
        Box::pin(self(job, context))
    }
}

/// What a handler is told beside the job itself.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The job's id, the same at every attempt: the key for effects outside the database.
    pub id: JobId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there are at most.
    pub max_attempts: u32,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where randomness comes from.
    pub random: Random,
    pub(super) kind: &'static str,
}

impl JobContext {
    /// Now, done by this kind of job (`system:<kind>`).
    pub fn occasion(&self) -> Occasion {
        Occasion::system(&self.clock, &self.random, self.kind)
    }

    /// Whether a failure now makes the job a dead letter.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

/// Why a job failed, and whether trying again may help. `?` makes one of any error, to be retried unless it is a mail's
/// that is final.
#[derive(Debug)]
pub struct JobFailure {
    pub(super) reason: String,
    pub(super) fatal: bool,
}

impl JobFailure {
    /// A failure that another attempt may mend.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fatal: false }
    }

    /// A failure that no attempt can mend: the job is a dead letter at once.
    pub fn fatal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fatal: true }
    }
}

impl<E: Error + 'static> From<E> for JobFailure {
    fn from(error: E) -> Self {
        let outer: &(dyn Error + 'static) = &error;
        let fatal = outer.downcast_ref::<MailError>().is_some_and(MailError::is_final);
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        Self { reason, fatal }
    }
}
