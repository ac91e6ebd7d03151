//! Jobs that come by the clock: cron expressions in UTC, each tick queued once for the whole cluster.

use std::{str::FromStr, sync::Arc};

use croner::Cron;
use stoa_kernel::{Clock, Random, Timestamp};

use super::{Job, enqueue};
use crate::{
    Occasion,
    database::{Connection, Database, DatabaseError, Tx},
    params,
};

type Queue = dyn Fn(&mut Tx<'_>, &Occasion) -> Result<(), DatabaseError> + Send + Sync;

/// A job that is queued whenever its cron expression says so.
#[derive(Clone)]
pub struct Schedule {
    pub(super) name: &'static str,
    pub(super) cron: String,
    pub(super) queue: Arc<Queue>,
}

impl Schedule {
    /// Queues a copy of `job` at every tick of `cron` (five fields, or six with seconds first; UTC).
    pub fn of<J: Job + Sync>(name: &'static str, cron: impl Into<String>, job: J) -> Self {
        let queue = move |tx: &mut Tx<'_>, occasion: &Occasion| enqueue(tx, occasion, &job).map(drop);
        Self { name, cron: cron.into(), queue: Arc::new(queue) }
    }

    /// The name it keeps its next tick under.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("name", &self.name).field("cron", &self.cron).finish_non_exhaustive()
    }
}

/// Why workers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A cron expression that cannot be understood, or never comes.
    #[error("schedule {name}: {cron:?} is no cron expression that comes again: {reason}")]
    Cron {
        /// The schedule's name.
        name: &'static str,
        /// What was given.
        cron: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be reached.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Schedule {
    /// The first tick after `now`.
    fn next_after(&self, now: Timestamp) -> Result<Timestamp, StartError> {
        let next =
            Cron::from_str(&self.cron).and_then(|cron| cron.find_next_occurrence(&now.to_datetime(), false));
        next.map(Timestamp::from).map_err(|error| StartError::Cron {
            name: self.name,
            cron: self.cron.clone(),
            reason: error.to_string(),
        })
    }
}

/// Notes when each schedule is due first; one that is known keeps its next tick unless its expression has changed.
pub(super) async fn install(
    database: &Database,
    clock: &Clock,
    schedules: &[Schedule],
) -> Result<(), StartError> {
    let now = clock.now();
    let ticks = schedules.iter().map(|schedule| Ok((schedule.clone(), schedule.next_after(now)?)));
    let ticks = ticks.collect::<Result<Vec<_>, StartError>>()?;
    let installed = database.write(move |tx| {
        for (schedule, next_at) in &ticks {
            tx.execute(
                "INSERT INTO schedules (name, cron, next_at) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, next_at = excluded.next_at
                 WHERE schedules.cron <> excluded.cron",
                params![schedule.name, &schedule.cron, *next_at],
            )?;
        }
        Ok::<_, DatabaseError>(())
    });
    Ok(installed.await?)
}

/// Queues the job of every schedule that is due; a tick that another node was quicker at is not queued again. Ticks
/// that were missed while nobody ran come once. Answers how many were queued here.
pub async fn run_schedules(
    database: &Database,
    clock: &Clock,
    random: &Random,
    schedules: &[Schedule],
) -> Result<usize, StartError> {
    let mut queued = 0;
    let now = clock.now();
    for (name, tick) in database.get(move |c| due(c, now)).await? {
        let Some(schedule) = schedules.iter().find(|schedule| schedule.name == name) else { continue };
        let (schedule, next) = (schedule.clone(), schedule.next_after(now)?);
        let occasion = Occasion::system(clock, random, "schedule");
        let first = database.write(move |tx| {
            let moved = tx.execute(
                "UPDATE schedules SET next_at = $2 WHERE name = $1 AND next_at = $3",
                params![schedule.name, next, tick],
            )?;
            if moved == 1 {
                (schedule.queue)(tx, &occasion)?;
            }
            Ok::<_, DatabaseError>(moved == 1)
        });
        queued += usize::from(first.await?);
    }
    Ok(queued)
}

fn due(connection: &mut Connection<'_>, now: Timestamp) -> Result<Vec<(String, Timestamp)>, DatabaseError> {
    connection.query(
        "SELECT name, next_at FROM schedules WHERE next_at <= $1 ORDER BY next_at",
        params![now],
        |row| Ok((row.read()?, row.read()?)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Sweep {}

    impl Job for Sweep {
        const QUEUE: &'static str = "sync";
        const KIND: &'static str = "sweep";
    }

    fn next(cron: &str, now: &str) -> Result<String, StartError> {
        let schedule = Schedule::of::<Sweep>("sweep", cron, Sweep {});
        schedule.next_after(Timestamp::parse(now).unwrap()).map(|at| at.to_string())
    }

    #[test]
    fn ticks_are_in_utc_and_after_now() {
        assert_eq!(next("*/5 * * * *", "2024-03-01T10:05:00Z").unwrap(), "2024-03-01T10:10:00.000Z");
        assert_eq!(next("0 0 * * *", "2024-02-28T23:59:59Z").unwrap(), "2024-02-29T00:00:00.000Z");
        assert_eq!(next("*/10 * * * * *", "2024-03-01T10:05:01Z").unwrap(), "2024-03-01T10:05:10.000Z");
    }

    #[test]
    fn nonsense_names_the_schedule() {
        let error = next("every now and then", "2024-03-01T10:05:00Z").unwrap_err();
        assert!(error.to_string().starts_with("schedule sweep: \"every now and then\""), "{error}");
    }
}
