//! One transaction of a follower: its place, the events after it, their effects and the new place, all or nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stoa_kernel::Timestamp;
use uuid::Uuid;

use super::{
    Filter, Follower, HandlerError, StoredEvent, head,
    log::read_between,
    place::{self, Place},
};
use crate::{
    database::{DatabaseError, Tx},
    traces,
};

/// Events handled in one transaction at most.
const BATCH: u32 = 100;
/// How far one look reaches, so that a follower of rare types reads no million rows at once.
pub(super) const WINDOW: i64 = 5_000;
/// Tries at an event before it is parked.
pub(super) const MOST_ATTEMPTS: u32 = 5;

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pursued {
    /// Another node has the place.
    Elsewhere,
    /// The place moved, or a parked event was dealt with.
    Moved,
    /// The next event failed and is to be tried for the n-th time.
    Failing(u32),
}

/// Handles the events after the follower's place; `looked_at` is how far there is nothing for it.
pub(super) fn pursue(
    tx: &mut Tx<'_>,
    follower: &Follower,
    runner: Uuid,
    looked_at: i64,
    now: Timestamp,
) -> Result<Pursued, DatabaseError> {
    let Some(old) = place::lock(tx, follower.name)?.filter(|place| place.runner == Some(runner)) else {
        return Ok(Pursued::Elsewhere);
    };
    let from = old.pos.max(looked_at);
    let to = head(tx)?.pos.min(from + WINDOW);
    let limit = if old.careful > 0 || old.attempts > 1 { 1 } else { BATCH };
    let events = read_between(tx, from, to, Filter { types: &follower.types, topics: &[] }, limit)?;
    let cut = u32::try_from(events.len()).is_ok_and(|count| count >= limit);
    let some_parked = follower.ordered && place::has_parked(tx, follower.name)?;
    let new = Place { attempts: 1, last_error: None, ..old.clone() };
    let mut course = Course { follower, now, some_parked, new };
    let failure = course.follow(tx, &events, &old)?;
    let Course { mut new, .. } = course;
    let outcome = match failure {
        None if cut => Pursued::Moved,
        None => {
            new.pos = to.max(new.pos);
            Pursued::Moved
        }
        Some(reason) => {
            // The tries that failed, and the coming one.
            new.attempts = if new.pos == old.pos { old.attempts + 1 } else { 2 };
            new.last_error = Some(reason);
            Pursued::Failing(new.attempts)
        }
    };
    place::advance(tx, follower.name, &old, &new)?;
    Ok(outcome)
}

/// Gives one parked event another try. The wish was taken from it in a transaction before, so that an event that kills
/// the process is not tried for ever.
pub(super) fn retry(
    tx: &mut Tx<'_>,
    follower: &Follower,
    runner: Uuid,
    pos: i64,
) -> Result<Pursued, DatabaseError> {
    let mine = place::lock(tx, follower.name)?.is_some_and(|place| place.runner == Some(runner));
    if !mine {
        return Ok(Pursued::Elsewhere);
    }
    let Some(event) = read_between(tx, pos - 1, pos, Filter::default(), 1)?.pop() else {
        place::unpark(tx, follower.name, pos)?;
        return Ok(Pursued::Moved);
    };
    if follower.ordered && place::parked_before(tx, follower.name, &event.aggregate, pos)?.is_some() {
        return Ok(Pursued::Moved);
    }
    match apply(tx, follower, &event)? {
        Ok(()) => place::unpark(tx, follower.name, pos)?,
        Err(reason) => place::park_again(tx, follower.name, pos, &reason)?,
    }
    Ok(Pursued::Moved)
}

struct Course<'f> {
    follower: &'f Follower,
    now: Timestamp,
    /// Whether an event may have to wait for a parked one.
    some_parked: bool,
    new: Place,
}

impl Course<'_> {
    /// Handles the events in order; stops at the first that fails and is to be tried again, with its reason.
    fn follow(
        &mut self,
        tx: &mut Tx<'_>,
        events: &[StoredEvent],
        old: &Place,
    ) -> Result<Option<String>, DatabaseError> {
        let follower = self.follower;
        for (index, event) in events.iter().enumerate() {
            let attempt = if index == 0 { old.attempts } else { 1 };
            if let Some(blocker) = self.blocker(tx, event)? {
                self.park(tx, event, &format!("waits behind event {blocker} of its aggregate"))?;
            } else if attempt > MOST_ATTEMPTS {
                let told = old.last_error.as_deref().unwrap_or("the process died while handling it");
                self.park(tx, event, told)?;
            } else {
                match apply(tx, follower, event)? {
                    Ok(()) => {}
                    Err(reason) if attempt < MOST_ATTEMPTS => return Ok(Some(reason)),
                    Err(reason) => self.park(tx, event, &reason)?,
                }
            }
            self.new.pos = event.pos;
            self.new.careful = self.new.careful.saturating_sub(1);
        }
        Ok(None)
    }

    /// The parked event of the same aggregate that this one has to wait for.
    fn blocker(&self, tx: &mut Tx<'_>, event: &StoredEvent) -> Result<Option<i64>, DatabaseError> {
        if !self.some_parked {
            return Ok(None);
        }
        place::parked_before(tx, self.follower.name, &event.aggregate, event.pos)
    }

    fn park(&mut self, tx: &mut Tx<'_>, event: &StoredEvent, reason: &str) -> Result<(), DatabaseError> {
        tracing::error!(follower = self.follower.name, event.pos = event.pos, reason, "parked an event");
        self.some_parked = self.follower.ordered;
        place::park(tx, self.follower.name, event, reason, self.now)
    }
}

/// The effect of one event in a savepoint: done, or the reason why not. A failing engine fails the transaction.
fn apply(
    tx: &mut Tx<'_>,
    follower: &Follower,
    event: &StoredEvent,
) -> Result<Result<(), String>, DatabaseError> {
    let applied = tx.savepoint(|tx| {
        let work = || traces::under(event.trace.as_deref(), || (follower.apply)(tx, event));
        let ran = catch_unwind(AssertUnwindSafe(work));
        ran.unwrap_or_else(|_| Err(HandlerError::new("the handler panicked")))
    });
    if let Some(failure) = tx.failure() {
        return Err(failure.clone());
    }
    crate::failpoint::reach("follower.applied");
    match applied {
        Err(error) if error.is_engine_failure() => Err(DatabaseError::Unavailable(error.to_string())),
        applied => Ok(applied.map_err(|error| error.to_string())),
    }
}
