//! The lanes in which messages wait to be sent: one to a room, each served by one task while something waits in it.
//!
//! Whatever came while the transaction before was under way goes into the next one together, in the order in which it
//! came. A room in which nobody speaks has no lane.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::Arc,
};

use parking_lot::Mutex;
use stoa_contracts::chat::RoomId;
use stoa_platform::database::DatabaseError;

/// Messages that wait in one room at most.
pub(crate) const MOST_IN_ROOM: usize = 2_048;
/// Messages that wait in all rooms at most.
const MOST_IN_ALL: usize = 8_192;
/// Messages to a transaction at most: what the database's own group takes, so that nobody waits longer for it.
pub(crate) const MOST_TOGETHER: usize = 64;

/// All lanes of a node.
pub(crate) struct Lanes<J>(Mutex<State<J>>);

struct State<J> {
    waiting: usize,
    lanes: HashMap<RoomId, VecDeque<J>>,
}

impl<J> Default for Lanes<J> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: 0, lanes: HashMap::new() }))
    }
}

/// What became of joining a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entered {
    /// The lane is served already.
    Behind,
    /// The lane is new: whoever asked has to see to it that it is served.
    First,
    /// There is no room.
    Full,
}

impl<J> Lanes<J> {
    /// Puts a job at the end of a room's lane.
    pub(crate) fn enter(&self, room: RoomId, job: J) -> Entered {
        let state = &mut *self.0.lock();
        let in_room = state.lanes.get(&room).map_or(0, VecDeque::len);
        if in_room >= MOST_IN_ROOM || state.waiting >= MOST_IN_ALL {
            return Entered::Full;
        }
        state.waiting += 1;
        if let Some(lane) = state.lanes.get_mut(&room) {
            lane.push_back(job);
            return Entered::Behind;
        }
        state.lanes.insert(room, VecDeque::from([job]));
        Entered::First
    }

    /// The next jobs of a lane. When there are none the lane is gone, and whoever served it is done.
    fn next(&self, room: RoomId) -> Vec<J> {
        let state = &mut *self.0.lock();
        let Some(lane) = state.lanes.get_mut(&room) else { return Vec::new() };
        if lane.is_empty() {
            state.lanes.remove(&room);
            return Vec::new();
        }
        let jobs: Vec<J> = lane.drain(..lane.len().min(MOST_TOGETHER)).collect();
        state.waiting -= jobs.len();
        jobs
    }

    /// Gives a lane up with all that waits in it.
    fn abandon(&self, room: RoomId) {
        let state = &mut *self.0.lock();
        let lane = state.lanes.remove(&room).unwrap_or_default();
        state.waiting -= lane.len();
    }

    /// Serves a lane until nothing waits in it.
    pub(crate) async fn serve<F: Future<Output = ()>>(&self, room: RoomId, work: impl Fn(Vec<J>) -> F) {
        // Should the work panic, those who wait are told, and the next one opens the lane anew.
        let mut serving = Serving { lanes: self, room, done: false };
        loop {
            let jobs = self.next(room);
            if jobs.is_empty() {
                serving.done = true;
                return;
            }
            work(jobs).await;
        }
    }

    #[cfg(test)]
    fn lengths(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.waiting, state.lanes.len())
    }
}

struct Serving<'l, J> {
    lanes: &'l Lanes<J>,
    room: RoomId,
    done: bool,
}

impl<J> Drop for Serving<'_, J> {
    fn drop(&mut self) {
        if !self.done {
            self.lanes.abandon(self.room);
        }
    }
}

/// Does several things in one transaction; when one of them spoils it, each in its own, so that only that one fails. When
/// it was the engine that failed nothing is done again: it may have done them.
pub(crate) async fn together_or_alone<P, R, F>(
    posts: Vec<P>,
    write: impl Fn(Arc<[P]>) -> F,
) -> Vec<Result<R, DatabaseError>>
where
    P: Clone,
    F: Future<Output = Result<Vec<R>, DatabaseError>>,
{
    let all: Arc<[P]> = posts.into();
    match write(Arc::clone(&all)).await {
        Ok(done) => done.into_iter().map(Ok).collect(),
        Err(error) if all.len() <= 1 || error.is_engine_failure() => {
            all.iter().map(|_| Err(error.clone())).collect()
        }
        Err(error) => {
            tracing::warn!(%error, messages = all.len(), "messages could not be sent together");
            let mut outcomes = Vec::with_capacity(all.len());
            for post in all.iter() {
                let one = write(Arc::from([post.clone()])).await;
                let nothing = || DatabaseError::Defect("a message was sent and not answered".into());
                outcomes.push(one.and_then(|done| done.into_iter().next().ok_or_else(nothing)));
            }
            outcomes
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn room(number: u128) -> RoomId {
        Uuid::from_u128(number).into()
    }

    fn served(lanes: &Lanes<usize>, room: RoomId) -> Vec<Vec<usize>> {
        let seen = Mutex::new(Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lanes.serve(room, |jobs| {
            seen.lock().push(jobs);
            async {}
        }));
        seen.into_inner()
    }

    #[test]
    fn jobs_go_together_in_the_order_in_which_they_came() {
        let lanes = Lanes::default();
        assert_eq!(lanes.enter(room(1), 0), Entered::First);
        assert!((1..150).all(|job| lanes.enter(room(1), job) == Entered::Behind));
        assert_eq!(lanes.enter(room(2), 7), Entered::First);
        let seen = served(&lanes, room(1));
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 22]);
        assert_eq!(seen.concat(), (0..150).collect::<Vec<_>>());
        assert_eq!(lanes.lengths(), (1, 1), "an idle room has no lane");
        assert_eq!(served(&lanes, room(2)), [[7]]);
        assert_eq!(lanes.lengths(), (0, 0));
    }

    #[test]
    fn lanes_are_bounded_each_and_together() {
        let lanes = Lanes::default();
        assert!((0..MOST_IN_ROOM).all(|job| lanes.enter(room(1), job) != Entered::Full));
        assert_eq!(lanes.enter(room(1), 0), Entered::Full);
        let others = (0..MOST_IN_ALL - MOST_IN_ROOM).map(|job| (room(2 + job as u128), job));
        assert!(others.into_iter().all(|(room, job)| lanes.enter(room, job) == Entered::First));
        assert_eq!(lanes.enter(room(99_999), 0), Entered::Full);
        served(&lanes, room(1));
        assert_eq!(lanes.enter(room(99_999), 0), Entered::First);
    }

    #[test]
    fn a_lane_whose_service_dies_is_opened_anew() {
        let lanes = Lanes::default();
        lanes.enter(room(1), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(lanes.serve(room(1), |_| async { panic!("on purpose") }));
        }));
        assert!(died.is_err());
        assert_eq!(lanes.lengths(), (0, 0));
        assert_eq!(lanes.enter(room(1), 2), Entered::First);
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
