//! Work that keeps a processor busy, on a few threads of its own: never on those that answer requests, and never more of
//! it waiting than is said.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use stoa_kernel::Refusal;
use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// A bounded number of threads behind a bounded queue. Clones share them; the threads end with the last clone.
#[derive(Clone)]
pub struct ProcessorPool {
    queue: Sender<Task>,
}

/// Why work was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PoolError {
    /// As much as may wait is waiting.
    #[error("too much is waiting for a processor")]
    Busy,
    /// The work panicked.
    #[error("the work could not be finished")]
    Stopped,
}

/// Busy passes; a panic is a fault of ours.
impl From<PoolError> for Refusal {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::unavailable(error),
            PoolError::Stopped => Self::internal(error),
        }
    }
}

impl ProcessorPool {
    /// Starts `threads` threads, at least one, for each of which `waiting` pieces of work may wait.
    pub fn start(name: &str, threads: usize, waiting: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let (queue, tasks) = bounded(threads.saturating_mul(waiting));
        for number in 0..threads {
            let tasks = tasks.clone();
            std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work_through(&tasks))?;
        }
        Ok(Self { queue })
    }

    /// Does the work on one of the threads. Who stops waiting before its turn has it left out.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(move || {
            if !reply.is_closed() {
                // Whoever asked may have gone away meanwhile.
                let _ = reply.send(work());
            }
        });
        self.queue.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => PoolError::Busy,
            TrySendError::Disconnected(_) => PoolError::Stopped,
        })?;
        answer.await.map_err(|_| PoolError::Stopped)
    }
}

fn work_through(tasks: &Receiver<Task>) {
    for task in tasks {
        // A panic fails the one who asked, whose channel it closes; the thread goes on for the others.
        if catch_unwind(AssertUnwindSafe(task)).is_err() {
            tracing::error!(thread = std::thread::current().name(), "work on a pool of threads panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        task::{Context, Poll, Waker},
    };

    use stoa_kernel::RefusalKind;

    use super::*;

    const WAITING: usize = 4;

    fn pool() -> ProcessorPool {
        ProcessorPool::start("tests", 1, WAITING).unwrap()
    }

    /// Polled once, so that it is queued.
    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// Keeps the one thread busy until told otherwise.
    async fn occupied(pool: &ProcessorPool) -> mpsc::Sender<()> {
        let (begun, has_begun) = oneshot::channel();
        let (release, held) = mpsc::channel::<()>();
        let pool = pool.clone();
        tokio::spawn(async move {
            let work = move || {
                begun.send(()).unwrap();
                held.recv().unwrap();
            };
            pool.run(work).await.unwrap();
        });
        has_begun.await.unwrap();
        release
    }

    #[tokio::test]
    async fn work_is_done_on_a_thread_of_the_pool() {
        let name = pool().run(|| std::thread::current().name().map(str::to_owned)).await.unwrap();
        assert_eq!(name.as_deref(), Some("tests-0"));
    }

    #[tokio::test]
    async fn more_than_the_bound_are_told_to_come_back() {
        let pool = pool();
        let release = occupied(&pool).await;
        let mut waiting: Vec<_> = (0..WAITING).map(|number| Box::pin(pool.run(move || number))).collect();
        assert!(waiting.iter_mut().all(|one| poll(one.as_mut()).is_none()));
        assert_eq!(pool.run(|| ()).await, Err(PoolError::Busy));
        release.send(()).unwrap();
        for (number, one) in waiting.into_iter().enumerate() {
            assert_eq!(one.await, Ok(number), "what was let in is done");
        }
        assert_eq!(pool.run(|| 7).await, Ok(7), "and there is room again");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_left_out() {
        let pool = pool();
        let release = occupied(&pool).await;
        let done = Arc::new(AtomicBool::new(false));
        let mut given_up = Box::pin(pool.run({
            let done = Arc::clone(&done);
            move || done.store(true, Ordering::SeqCst)
        }));
        assert!(poll(given_up.as_mut()).is_none());
        drop(given_up);
        release.send(()).unwrap();
        pool.run(|| ()).await.unwrap();
        assert!(!done.load(Ordering::SeqCst));
    }

    #[test]
    fn too_much_passes_and_a_panic_is_our_fault() {
        assert_eq!(Refusal::from(PoolError::Busy).kind, RefusalKind::Unavailable);
        assert_eq!(Refusal::from(PoolError::Stopped).kind, RefusalKind::Internal);
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_work_alone() {
        let pool = pool();
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err(PoolError::Stopped));
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
