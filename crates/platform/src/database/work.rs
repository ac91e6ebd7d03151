//! A closure on its way through an engine's queue, with the place to send its answer.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{DatabaseError, Tx};

/// What the engine sees of a queued closure.
pub(super) trait Work: Send {
    /// Runs the closure; true when what it did is to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// How long ago it was queued.
    fn waited(&self) -> Duration;

    /// Sends the answer: the closure's own, or why the engine could not keep it.
    fn answer(self: Box<Self>, outcome: Result<(), DatabaseError>);
}

struct Queued<F, T, E> {
    work: F,
    since: Instant,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

/// Wraps a closure for a queue; the receiver gets its answer.
pub(super) fn queued<T, E, F>(work: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T, E>>)
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DatabaseError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Queued { work, since: Instant::now(), result: None, reply }), answer)
}

impl<F, T, E> Work for Queued<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result.insert((self.work)(tx)).is_ok()
    }

    fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    fn answer(self: Box<Self>, outcome: Result<(), DatabaseError>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(DatabaseError::Defect("a transaction was never run".into()).into()),
            (Err(error), _) => Err(error.into()),
        };
        // The asker may have gone away; the transaction stands all the same.
        let _ = self.reply.send(answer);
    }
}
