//! The followers of a node at work: one task each.

use std::{sync::Arc, time::Duration};

use stoa_kernel::Clock;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    Follower, head,
    log::unsequenced,
    place::{self, Place},
    pursuit::{Pursued, WINDOW, pursue, retry},
    sequencer::LogThreads,
    service::Progress,
};
use crate::{
    database::{Connection, Database, DatabaseError, Signal, placeholders},
    params,
};

/// How long a place stays untouched by its runner, with events to handle, before another node takes it over.
const TAKE_OVER: Duration = Duration::from_secs(2);
/// How soon a place that another node has is looked at again.
const STAND_BY: Duration = Duration::from_millis(100);
/// How often everybody looks although nobody rang.
const POLL: Duration = Duration::from_secs(1);
/// The pause after the first failure; it doubles.
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// Events passed over before the place is written although nothing was handled.
const LAZY: i64 = 1_000;

/// Starts followers.
pub struct Followers;

impl Followers {
    /// Makes the places of those that are new, then follows. The log is carried as long as the handle lives.
    pub async fn start(
        database: &Database,
        clock: &Clock,
        followers: Vec<Follower>,
    ) -> Result<FollowersHandle, DatabaseError> {
        let threads = database.log().threads(database)?;
        let installed: Vec<Follower> = followers.clone();
        database
            .write(move |tx| installed.iter().try_for_each(|follower| place::install(tx, follower)))
            .await?;
        let (stop, stopped) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for follower in followers {
            let runner = Runner::new(database, clock, follower, stopped.clone());
            tasks.spawn(runner.run());
        }
        Ok(FollowersHandle { database: database.clone(), tasks, stop, threads })
    }
}

/// Followers that run; dropped, they stop where they are.
pub struct FollowersHandle {
    database: Database,
    tasks: JoinSet<()>,
    stop: watch::Sender<Option<i64>>,
    threads: Option<Arc<LogThreads>>,
}

impl FollowersHandle {
    /// Handles what is committed by now, then stops and leaves the places to whoever comes next.
    pub async fn drain(mut self) {
        let target = match self.committed_head().await {
            Ok(target) => target,
            Err(error) => {
                tracing::warn!(%error, "followers stop where they are");
                0
            }
        };
        self.stop.send_replace(Some(target));
        while self.tasks.join_next().await.is_some() {}
        drop(self.threads);
    }

    /// The head once all that is committed has its place.
    async fn committed_head(&self) -> Result<i64, DatabaseError> {
        let give_up = Instant::now() + Duration::from_secs(5);
        loop {
            let (open, head) =
                self.database.read(|c| Ok::<_, DatabaseError>((unsequenced(c)?, head(c)?.pos))).await?;
            if !open || Instant::now() > give_up {
                return Ok(head);
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What a turn came to.
enum Turn {
    /// There may be more to do at once.
    Again,
    /// Nothing to do up to the head.
    Idle,
    /// Another node has the place.
    Elsewhere,
    /// The next event failed this often.
    Failing(u32),
}

/// What a look at the log finds.
struct View {
    place: Place,
    head: i64,
    /// How far it reached.
    to: i64,
    /// Whether there is an event for this follower on the way.
    found: bool,
    retry: Option<i64>,
}

struct Runner {
    database: Database,
    clock: Clock,
    follower: Arc<Follower>,
    progress: Arc<Progress>,
    id: Uuid,
    stop: watch::Receiver<Option<i64>>,
    /// The place as it was seen last, and since when it is like that.
    seen: Option<(Place, Instant)>,
    looked_at: i64,
    failures: u32,
}

impl Runner {
    fn new(
        database: &Database,
        clock: &Clock,
        follower: Follower,
        stop: watch::Receiver<Option<i64>>,
    ) -> Self {
        // Not one of the ids that tests foretell: two nodes must differ even with equal seeds.
        let id = Uuid::from_bytes(stoa_kernel::Random::system().bytes());
        Self {
            database: database.clone(),
            clock: clock.clone(),
            progress: database.log().new_progress(follower.name),
            follower: Arc::new(follower),
            id,
            stop,
            seen: None,
            looked_at: 0,
            failures: 0,
        }
    }

    async fn run(mut self) {
        let mut bell = self.database.signals().listen(Signal::Events);
        loop {
            bell.mark_unchanged();
            let turn = self.turn().await;
            if self.is_done(&turn) {
                return self.leave().await;
            }
            let pause = self.pause_after(turn);
            let rung = pause == POLL;
            let mut stop = self.stop.clone();
            tokio::select! {
                _ = bell.changed(), if rung => {}
                _ = stop.changed() => {}
                () = sleep(pause), if !pause.is_zero() => if rung { self.write_place().await },
                () = std::future::ready(()), if pause.is_zero() => {}
            }
        }
    }

    fn is_done(&self, turn: &Result<Turn, DatabaseError>) -> bool {
        let Some(target) = *self.stop.borrow() else { return false };
        !matches!(turn, Ok(Turn::Again)) || self.looked_at >= target
    }

    fn pause_after(&mut self, turn: Result<Turn, DatabaseError>) -> Duration {
        let engine_failures = std::mem::take(&mut self.failures);
        match turn {
            Ok(Turn::Again) => Duration::ZERO,
            Ok(Turn::Idle) => POLL,
            Ok(Turn::Elsewhere) => STAND_BY,
            Ok(Turn::Failing(attempt)) => backoff(attempt),
            Err(error) => {
                self.failures = engine_failures + 1;
                tracing::warn!(follower = self.follower.name, %error, "a follower waits for the database");
                backoff(self.failures)
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, DatabaseError> {
        let view = self.look().await?;
        if !view.found && view.retry.is_none() {
            return self.pass_to(&view).await;
        }
        if view.place.runner != Some(self.id) {
            return self.claim(view.place).await;
        }
        let turn = match view.retry {
            Some(pos) => {
                self.progress.set_retrying(true);
                let turn = self.retry(pos).await;
                self.progress.set_retrying(false);
                turn?
            }
            None => self.pursue().await?,
        };
        crate::failpoint::reach("follower.committed");
        Ok(turn)
    }

    async fn look(&mut self) -> Result<View, DatabaseError> {
        let (follower, seen, looked_at) = (Arc::clone(&self.follower), self.seen.clone(), self.looked_at);
        let view = self
            .database
            .get(move |c| {
                let (place, retry, head) = place::look(c, follower.name)?;
                let moved = seen.as_ref().is_none_or(|(seen, _)| seen.pos != place.pos);
                let from = if moved { place.pos } else { looked_at };
                let to = head.min(from + WINDOW).max(from);
                let found = to > from && finds(c, &follower, from, to)?;
                Ok::<_, DatabaseError>(View { place, head, to, found, retry })
            })
            .await?;
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != view.place) {
            self.looked_at = view.place.pos;
            self.seen = Some((view.place.clone(), Instant::now()));
        }
        Ok(view)
    }

    /// Nothing to handle up to where the look reached.
    async fn pass_to(&mut self, view: &View) -> Result<Turn, DatabaseError> {
        self.looked_at = view.to;
        self.progress.reach(view.to);
        if view.to - view.place.pos >= LAZY {
            self.write_place().await;
        }
        Ok(if view.to < view.head { Turn::Again } else { Turn::Idle })
    }

    async fn claim(&mut self, place: Place) -> Result<Turn, DatabaseError> {
        let waited = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if place.runner.is_some() && waited < TAKE_OVER {
            return Ok(Turn::Elsewhere);
        }
        let (follower, id) = (Arc::clone(&self.follower), self.id);
        let claimed = self.database.write(move |tx| place::claim(tx, follower.name, id, &place)).await?;
        Ok(if claimed { Turn::Again } else { Turn::Elsewhere })
    }

    async fn pursue(&self) -> Result<Turn, DatabaseError> {
        let (follower, id) = (Arc::clone(&self.follower), self.id);
        let (looked_at, now) = (self.looked_at, self.clock.now());
        let pursued = self.database.write(move |tx| pursue(tx, &follower, id, looked_at, now)).await;
        match pursued {
            Err(error) if !error.is_engine_failure() => self.count_failure(error).await,
            pursued => Ok(pursued?.into()),
        }
    }

    async fn retry(&self, pos: i64) -> Result<Turn, DatabaseError> {
        let (follower, id) = (Arc::clone(&self.follower), self.id);
        let name = follower.name;
        if !self.database.write(move |tx| place::begin_retry(tx, name, pos)).await? {
            return Ok(Turn::Again);
        }
        Ok(self.database.write(move |tx| retry(tx, &follower, id, pos)).await?.into())
    }

    /// The transaction as a whole failed, and not for the engine's sake: an attempt, though nobody knows at which event.
    async fn count_failure(&self, error: DatabaseError) -> Result<Turn, DatabaseError> {
        let (name, id, reason) = (self.follower.name, self.id, error.to_string());
        let counted = self.database.write(move |tx| {
            let Some(old) = place::lock(tx, name)?.filter(|place| place.runner == Some(id)) else {
                return Ok(Turn::Elsewhere);
            };
            let new = Place {
                attempts: old.attempts + 1,
                careful: place::CAREFUL,
                last_error: Some(reason.clone()),
                ..old.clone()
            };
            place::advance(tx, name, &old, &new)?;
            Ok::<_, DatabaseError>(Turn::Failing(new.attempts))
        });
        counted.await
    }

    /// Writes how far there was nothing to handle, so that retention and a restart know.
    async fn write_place(&mut self) {
        let Some((place, _)) = &self.seen else { return };
        let (name, id, from, to) = (self.follower.name, self.id, place.pos, self.looked_at);
        if to > from
            && let Err(error) = self.database.write(move |tx| place::pass_over(tx, name, id, from, to)).await
        {
            tracing::warn!(follower = name, %error, "a follower could not write its place");
        }
    }

    async fn leave(mut self) {
        self.write_place().await;
        let (name, id) = (self.follower.name, self.id);
        if let Err(error) = self.database.write(move |tx| place::release(tx, name, id)).await {
            tracing::warn!(follower = name, %error, "a follower could not release its place");
        }
    }
}

impl From<Pursued> for Turn {
    fn from(pursued: Pursued) -> Self {
        match pursued {
            Pursued::Elsewhere => Self::Elsewhere,
            Pursued::Moved => Self::Again,
            Pursued::Failing(attempts) => Self::Failing(attempts),
        }
    }
}

fn backoff(attempt: u32) -> Duration {
    BACKOFF.saturating_mul(2_u32.saturating_pow(attempt.min(16))).min(LONGEST_BACKOFF)
}

/// Whether there is an event for this follower.
fn finds(
    connection: &mut Connection<'_>,
    follower: &Follower,
    from: i64,
    to: i64,
) -> Result<bool, DatabaseError> {
    let mut values = params![from, to].to_vec();
    let mut sql = "SELECT pos FROM events WHERE pos > $1 AND pos <= $2".to_owned();
    if !follower.types.is_empty() {
        sql = format!("{sql} AND type IN ({})", placeholders(3, follower.types.len()));
        values.extend(follower.types.iter().map(|name| (*name).into()));
    }
    sql.push_str(" LIMIT 1");
    Ok(connection.find(&sql, &values, |row| row.read::<i64>())?.is_some())
}
