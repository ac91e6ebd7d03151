//! Lanes in which small writes wait for each other, each served by one task while something waits in it.
//!
//! Whatever came while the transaction before was under way goes into the next one together, in the order in which it
//! came to its queue. Where queues can be written side by side each has a lane of its own; an engine with one writer has
//! one lane for all of them, in which queues take turns, so that a busy one does not hold up the others. When nothing
//! waits there is no lane.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    hash::Hash,
    sync::Arc,
};

use parking_lot::Mutex;

use super::{DatabaseError, Engine};

/// How much waits at most, and how much of it goes together.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Jobs that wait in one queue.
    pub in_queue: usize,
    /// Jobs that wait in all of them.
    pub in_all: usize,
    /// Jobs to a transaction. The more there are, the longer everybody else waits for it.
    pub together: usize,
}

/// The lanes of one kind of write, by queue.
pub struct Lanes<Q, J> {
    bounds: Bounds,
    shared: bool,
    state: Mutex<State<Q, J>>,
}

struct State<Q, J> {
    waiting: usize,
    /// By queue, or the one of all.
    lanes: HashMap<Option<Q>, Lane<Q, J>>,
}

struct Lane<Q, J> {
    queues: HashMap<Q, VecDeque<J>>,
    /// Queues in which something waits, the one whose turn it is first.
    turns: VecDeque<Q>,
}

/// What became of joining a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    /// The lane is served already.
    Behind,
    /// The lane is new: whoever asked has to see to it that it is served.
    First,
    /// There is no room.
    Full,
}

impl<Q: Copy + Eq + Hash, J> Lanes<Q, J> {
    /// Lanes for what this engine can do at once.
    pub fn of(engine: Engine, bounds: Bounds) -> Self {
        let state = Mutex::new(State { waiting: 0, lanes: HashMap::new() });
        Self { bounds, shared: engine == Engine::Sqlite, state }
    }

    fn lane_of(&self, queue: Q) -> Option<Q> {
        if self.shared { None } else { Some(queue) }
    }

    /// Puts a job at the end of a queue.
    pub fn enter(&self, queue: Q, job: J) -> Entered {
        let (key, state) = (self.lane_of(queue), &mut *self.state.lock());
        let entered = match state.lanes.get(&key) {
            Some(lane) if lane.waiting_in(queue) >= self.bounds.in_queue => return Entered::Full,
            _ if state.waiting >= self.bounds.in_all => return Entered::Full,
            Some(_) => Entered::Behind,
            None => Entered::First,
        };
        state.waiting += 1;
        state.lanes.entry(key).or_default().push(queue, job);
        entered
    }

    /// Serves the lane of a queue until nothing waits in it. Jobs of one queue come one after the other.
    pub async fn serve<F: Future<Output = ()>>(&self, queue: Q, work: impl Fn(Vec<J>) -> F) {
        // Should the work panic, those who wait are told, and the next one opens the lane anew.
        let mut serving = Serving { lanes: self, key: self.lane_of(queue), done: false };
        loop {
            let jobs = self.next(serving.key);
            if jobs.is_empty() {
                serving.done = true;
                return;
            }
            work(jobs).await;
        }
    }

    /// The next jobs of a lane. When there are none the lane is gone, and whoever served it is done.
    fn next(&self, key: Option<Q>) -> Vec<J> {
        let state = &mut *self.state.lock();
        let Some(lane) = state.lanes.get_mut(&key) else { return Vec::new() };
        let jobs = lane.take(self.bounds.together);
        if jobs.is_empty() {
            state.lanes.remove(&key);
        }
        state.waiting -= jobs.len();
        jobs
    }

    /// Gives a lane up with all that waits in it.
    fn abandon(&self, key: Option<Q>) {
        let state = &mut *self.state.lock();
        let lane = state.lanes.remove(&key).unwrap_or_default();
        state.waiting -= lane.queues.values().map(VecDeque::len).sum::<usize>();
    }

    #[cfg(test)]
    fn lengths(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.waiting, state.lanes.len())
    }
}

impl<Q, J> Default for Lane<Q, J> {
    fn default() -> Self {
        Self { queues: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<Q: Copy + Eq + Hash, J> Lane<Q, J> {
    fn waiting_in(&self, queue: Q) -> usize {
        self.queues.get(&queue).map_or(0, VecDeque::len)
    }

    fn push(&mut self, queue: Q, job: J) {
        let jobs = self.queues.entry(queue).or_default();
        if jobs.is_empty() {
            self.turns.push_back(queue);
        }
        jobs.push_back(job);
    }

    /// So many jobs at most, each queue's share as long as there are others; what is left over goes to those that have
    /// more.
    fn take(&mut self, most: usize) -> Vec<J> {
        let mut taken = Vec::new();
        let share = most.div_ceil(self.turns.len().max(1));
        while taken.len() < most
            && let Some(queue) = self.turns.pop_front()
        {
            let Some(jobs) = self.queues.get_mut(&queue) else { continue };
            taken.extend(jobs.drain(..jobs.len().min(share).min(most - taken.len())));
            if jobs.is_empty() {
                self.queues.remove(&queue);
            } else {
                self.turns.push_back(queue);
            }
        }
        taken
    }
}

struct Serving<'l, Q: Copy + Eq + Hash, J> {
    lanes: &'l Lanes<Q, J>,
    key: Option<Q>,
    done: bool,
}

impl<Q: Copy + Eq + Hash, J> Drop for Serving<'_, Q, J> {
    fn drop(&mut self) {
        if !self.done {
            self.lanes.abandon(self.key);
        }
    }
}

impl<Q, J> std::fmt::Debug for Lanes<Q, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("waiting", &self.state.lock().waiting).finish_non_exhaustive()
    }
}

/// Does several things in one transaction; when one of them spoils it, each in its own, so that only that one fails. When
/// it was the engine that failed nothing is done again: it may have done them.
pub async fn together_or_alone<P, R, F>(
    jobs: Vec<P>,
    write: impl Fn(Arc<[P]>) -> F,
) -> Vec<Result<R, DatabaseError>>
where
    P: Clone,
    F: Future<Output = Result<Vec<R>, DatabaseError>>,
{
    let all: Arc<[P]> = jobs.into();
    match write(Arc::clone(&all)).await {
        Ok(done) => done.into_iter().map(Ok).collect(),
        Err(error) if all.len() <= 1 || error.is_engine_failure() => {
            all.iter().map(|_| Err(error.clone())).collect()
        }
        Err(error) => {
            tracing::warn!(%error, jobs = all.len(), "what waited could not be done together");
            let mut outcomes = Vec::with_capacity(all.len());
            for job in all.iter() {
                let one = write(Arc::from([job.clone()])).await;
                let nothing = || DatabaseError::Defect("something was done and not answered".into());
                outcomes.push(one.and_then(|done| done.into_iter().next().ok_or_else(nothing)));
            }
            outcomes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { in_queue: 200, in_all: 1_000, together: 64 };

    fn served(lanes: &Lanes<usize, usize>, queue: usize) -> Vec<Vec<usize>> {
        let seen = Mutex::new(Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lanes.serve(queue, |jobs| {
            seen.lock().push(jobs);
            async {}
        }));
        seen.into_inner()
    }

    #[test]
    fn jobs_go_together_in_the_order_in_which_they_came() {
        let lanes = Lanes::of(Engine::Postgres, BOUNDS);
        assert_eq!(lanes.enter(1, 0), Entered::First);
        assert!((1..150).all(|job| lanes.enter(1, job) == Entered::Behind));
        assert_eq!(lanes.enter(2, 7), Entered::First);
        let seen = served(&lanes, 1);
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 22]);
        assert_eq!(seen.concat(), (0..150).collect::<Vec<_>>());
        assert_eq!(lanes.lengths(), (1, 1), "an idle queue has no lane");
        assert_eq!(served(&lanes, 2), [[7]]);
        assert_eq!(lanes.lengths(), (0, 0));
    }

    #[test]
    fn where_one_writes_all_queues_go_together_and_take_turns() {
        let lanes = Lanes::of(Engine::Sqlite, BOUNDS);
        assert_eq!(lanes.enter(1, 0), Entered::First);
        assert!((1..200).all(|job| lanes.enter(1, job) == Entered::Behind));
        assert!((200..203).all(|job| lanes.enter(2, job) == Entered::Behind));
        assert_eq!(lanes.enter(3, 300), Entered::Behind);
        let seen = served(&lanes, 3);
        let first: Vec<usize> = (0..22).chain(200..203).chain([300]).chain(22..60).collect();
        assert_eq!(seen.first().map(Vec::as_slice), Some(first.as_slice()));
        let rest: Vec<usize> = seen.into_iter().skip(1).flatten().collect();
        assert_eq!(rest, (60..200).collect::<Vec<_>>());
        assert_eq!(lanes.lengths(), (0, 0));
    }

    #[test]
    fn lanes_are_bounded_each_and_together() {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let lanes = Lanes::of(engine, BOUNDS);
            assert!((0..BOUNDS.in_queue).all(|job| lanes.enter(1, job) != Entered::Full));
            assert_eq!(lanes.enter(1, 0), Entered::Full);
            let mut others = 2..2 + BOUNDS.in_all - BOUNDS.in_queue;
            assert!(others.all(|queue| lanes.enter(queue, 0) != Entered::Full));
            assert_eq!(lanes.enter(99_999, 0), Entered::Full);
            served(&lanes, 1);
            assert_eq!(lanes.enter(99_999, 0), Entered::First);
        }
    }

    #[test]
    fn a_lane_whose_service_dies_is_opened_anew() {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let lanes = Lanes::of(engine, BOUNDS);
            lanes.enter(1, 1);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(lanes.serve(1, |_| async { panic!("on purpose") }));
            }));
            assert!(died.is_err());
            assert_eq!(lanes.lengths(), (0, 0));
            assert_eq!(lanes.enter(1, 2), Entered::First);
        }
    }

    /// Doubles numbers, unless 13 is among them.
    async fn doubled(numbers: Arc<[u32]>) -> Result<Vec<u32>, DatabaseError> {
        if numbers.contains(&13) {
            return Err(DatabaseError::Defect("13".into()));
        }
        Ok(numbers.iter().map(|number| number * 2).collect())
    }

    fn outcomes(numbers: &[u32]) -> Vec<Option<u32>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcomes = runtime.block_on(together_or_alone(numbers.to_vec(), doubled));
        outcomes.into_iter().map(Result::ok).collect()
    }

    #[test]
    fn what_spoils_a_transaction_fails_alone() {
        assert_eq!(outcomes(&[1, 2, 3]), [Some(2), Some(4), Some(6)]);
        assert_eq!(outcomes(&[1, 13, 3]), [Some(2), None, Some(6)]);
        assert_eq!(outcomes(&[13]), [None]);
    }

    #[test]
    fn what_the_engine_may_have_done_is_not_done_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tries = Mutex::new(0);
        let lost = |_: Arc<[u32]>| {
            *tries.lock() += 1;
            async { Err::<Vec<u32>, _>(DatabaseError::CommitUnknown("lost".into())) }
        };
        let outcomes = runtime.block_on(together_or_alone(vec![1, 2], lost));
        assert!(outcomes.iter().all(|one| matches!(one, Err(DatabaseError::CommitUnknown(_)))));
        assert_eq!(*tries.lock(), 1);
    }
}
