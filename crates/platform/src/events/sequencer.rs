//! PostgreSQL only: the thread that numbers committed events, and the one that hears of it on every node.
//!
//! Writers append with `pos` NULL, because they commit in another order than they draw numbers. One sequencer in the
//! whole cluster, the holder of a session advisory lock, numbers what it sees committed. The server frees the lock when
//! the holder's connection ends, and only then, so there are never two.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use postgres::{Client, Statement, fallible_iterator::FallibleIterator};

use crate::database::{DatabaseError, Dialling, Signal, Signals};

/// The lock of the one sequencer; any constant that nobody else uses.
const LOCK: i64 = 0x5354_4f41_0002;
/// Events numbered in one transaction at most.
const BATCH: usize = 1_000;
/// How often the log is looked at for events of other nodes; what this node appends wakes the thread at once.
const POLL: Duration = Duration::from_millis(5);
/// The same after a second without any event.
const QUIET_POLL: Duration = Duration::from_millis(20);
/// How often a node asks whether the sequencer's place is free.
const STAND_BY: Duration = Duration::from_millis(50);
/// How often the scan floor is raised.
const FLOOR_EVERY: Duration = Duration::from_secs(1);
const CHANNEL: &str = "stoa_events";

// A hung holder loses its place: it polls all the time, so an idle session is a dead one.
const SESSION: &str = "SET idle_session_timeout = '15s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;
     SET tcp_keepalives_count = 3; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// The threads of one node; they end when this is dropped.
pub(crate) struct LogThreads {
    stopped: Arc<AtomicBool>,
}

impl LogThreads {
    pub(super) fn start(settings: &Dialling, signals: &Arc<Signals>) -> Result<Self, DatabaseError> {
        let stopped = Arc::new(AtomicBool::new(false));
        let node =
            Node { settings: settings.clone(), signals: Arc::clone(signals), stopped: Arc::clone(&stopped) };
        let listener = node.clone();
        spawn("stoa-sequencer", move || node.keep_up("sequencer", Node::sequence))?;
        spawn("stoa-log-listener", move || listener.keep_up("log listener", Node::listen))?;
        Ok(Self { stopped })
    }
}

impl Drop for LogThreads {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), DatabaseError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(drop).map_err(|error| DatabaseError::Unavailable(error.to_string()))
}

#[derive(Clone)]
struct Node {
    settings: Dialling,
    signals: Arc<Signals>,
    stopped: Arc<AtomicBool>,
}

impl Node {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Runs `serve` on ever new connections until the node stops.
    fn keep_up(&self, name: &str, serve: fn(&Self) -> Result<(), postgres::Error>) {
        let mut pause = STAND_BY;
        while !self.is_stopped() {
            let begun = Instant::now();
            if let Err(error) = serve(self) {
                tracing::warn!(%error, "the {name} lost its connection");
                pause = if begun.elapsed() > Duration::from_secs(5) {
                    STAND_BY
                } else {
                    (pause * 2).min(POLL * 400)
                };
                self.pause(pause);
            }
        }
    }

    fn pause(&self, span: Duration) {
        let end = Instant::now() + span;
        while !self.is_stopped() && Instant::now() < end {
            thread::sleep(STAND_BY.min(span));
        }
    }

    fn sequence(&self) -> Result<(), postgres::Error> {
        let mut client = self.settings.connect()?;
        client.batch_execute(SESSION)?;
        while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK])?.get::<_, bool>(0) {
            if self.is_stopped() {
                return Ok(());
            }
            thread::sleep(STAND_BY);
        }
        let mut sequencer = Sequencer::new(client)?;
        let mut busy = Instant::now();
        while !self.is_stopped() {
            if sequencer.number_a_batch()? > 0 {
                self.signals.ring(Signal::Events);
                busy = Instant::now();
            } else {
                let quiet = busy.elapsed() > Duration::from_secs(1);
                self.signals.wait_for_appended(if quiet { QUIET_POLL } else { POLL });
            }
        }
        Ok(())
    }

    fn listen(&self) -> Result<(), postgres::Error> {
        let mut client = self.settings.connect()?;
        client.batch_execute(&format!("LISTEN {CHANNEL}"))?;
        // What was announced while nobody listened.
        self.signals.ring(Signal::Events);
        while !self.is_stopped() && !client.is_closed() {
            let mut notifications = client.notifications();
            if notifications.timeout_iter(STAND_BY * 10).next()?.is_some() {
                while notifications.iter().next()?.is_some() {}
                self.signals.ring(Signal::Events);
            }
        }
        Ok(())
    }
}

/// The holder of the lock at work.
struct Sequencer {
    client: Client,
    waiting: Statement,
    number: Statement,
    /// No event at or below this ident can be without a place.
    floor: i64,
    sample: Option<Sample>,
    sampled: Instant,
}

/// A floor to be: once every transaction older than `horizon` has ended, nothing at or below `ident` is uncommitted.
struct Sample {
    ident: i64,
    horizon: i64,
}

impl Sequencer {
    fn new(mut client: Client) -> Result<Self, postgres::Error> {
        let waiting = client
            .prepare("SELECT ident FROM events WHERE pos IS NULL AND ident > $1 ORDER BY ident LIMIT $2")?;
        let number = client.prepare(&format!(
            "WITH moved AS (UPDATE event_log SET pos = pos + $2::BIGINT RETURNING pos),
             numbered AS (
                 UPDATE events SET pos = moved.pos - $2::BIGINT + batch.place
                 FROM moved, unnest($1::BIGINT[]) WITH ORDINALITY AS batch (ident, place)
                 WHERE events.ident = batch.ident AND events.pos IS NULL
                 RETURNING 1)
             SELECT (SELECT COUNT(*) FROM numbered), pg_notify('{CHANNEL}', pos::TEXT) FROM moved",
        ))?;
        Ok(Self { client, waiting, number, floor: 0, sample: None, sampled: Instant::now() })
    }

    /// Numbers committed events without a place in the order of their idents; answers how many.
    fn number_a_batch(&mut self) -> Result<usize, postgres::Error> {
        let settled = self.settled_sample()?;
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = self.client.query(&self.waiting, &[&self.floor, &limit])?;
        let idents: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        if !idents.is_empty() {
            self.number(&idents)?;
        }
        // Whatever the sample covers was committed before this scan, and a scan that was not cut has numbered it.
        if let Some(floor) = settled
            && idents.len() < BATCH
        {
            self.floor = floor;
            self.sample = None;
        }
        Ok(idents.len())
    }

    fn number(&mut self, idents: &[i64]) -> Result<(), postgres::Error> {
        let count = i64::try_from(idents.len()).unwrap_or(i64::MAX);
        let mut transaction = self.client.transaction()?;
        let numbered: i64 = transaction.query_one(&self.number, &[&idents, &count])?.get(0);
        crate::failpoint::reach("sequencer.numbered");
        if numbered == count {
            return transaction.commit();
        }
        tracing::error!(numbered, count, "events changed under the sequencer");
        transaction.rollback()
    }

    /// The sampled floor, once it holds; takes a sample when it is time for one.
    ///
    /// An ident is drawn by a transaction that has its number already, so whoever still holds one at or below
    /// `sample.ident` has a number below the one taken right after.
    fn settled_sample(&mut self) -> Result<Option<i64>, postgres::Error> {
        if let Some(Sample { ident, horizon }) = self.sample {
            let oldest: i64 =
                self.number_of("SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT")?;
            return Ok((oldest >= horizon).then_some(ident));
        }
        if self.sampled.elapsed() >= FLOOR_EVERY {
            self.sampled = Instant::now();
            let ident = self.number_of("SELECT COALESCE(MAX(ident), 0) FROM events")?;
            if ident > self.floor {
                let horizon = self.number_of("SELECT pg_current_xact_id()::TEXT::BIGINT")?;
                self.sample = Some(Sample { ident, horizon });
            }
        }
        Ok(None)
    }

    fn number_of(&mut self, sql: &str) -> Result<i64, postgres::Error> {
        Ok(self.client.query_one(sql, &[])?.get(0))
    }
}

#[cfg(test)]
mod tests {
    use postgres::{Config, NoTls};

    use super::*;
    use crate::{
        MIGRATIONS,
        database::{DatabaseConfig, Engine},
        testing::on_engine,
    };

    const INSERT: &str = "INSERT INTO events (id, topic, type, aggregate, version, actor, at, payload)
         VALUES (gen_random_uuid(), 'raw', 'raw.event', 'raw', 1, 'test', 0, '{}')";

    /// The trap of a floor that is taken from the newest *ended* transaction: the one with the low ident is younger
    /// than any that has ended, so such a floor would already cover it.
    #[test]
    fn the_floor_waits_for_the_youngest_transaction_too() {
        on_engine(Engine::Postgres, MIGRATIONS, |db| async move {
            let DatabaseConfig::Postgres(config) = db.config() else { unreachable!() };
            let settings: Config = config.url.parse().unwrap();
            tokio::task::spawn_blocking(move || thread::spawn(move || crossing(&settings)).join().unwrap())
                .await
                .unwrap();
        });
    }

    fn crossing(settings: &Config) {
        let [mut one, mut other, third] = [(), (), ()].map(|()| settings.connect(NoTls).unwrap());
        let mut sequencer = Sequencer::new(third).unwrap();
        let (mut older, mut younger) = (one.transaction().unwrap(), other.transaction().unwrap());
        older.execute("SELECT pg_current_xact_id()", &[]).unwrap();
        younger.execute("SELECT pg_current_xact_id()", &[]).unwrap();
        younger.execute(INSERT, &[]).unwrap();
        older.execute(INSERT, &[]).unwrap();
        older.commit().unwrap();
        sequencer.sampled -= FLOOR_EVERY;
        for numbered in [1, 0, 0] {
            assert_eq!(sequencer.number_a_batch().unwrap(), numbered);
        }
        assert_eq!(sequencer.floor, 0);
        younger.commit().unwrap();
        assert_eq!(sequencer.number_a_batch().unwrap(), 1, "the late one is found");
        // Any transaction in the cluster may hold the floor back, but none for ever.
        while sequencer.floor != 2 {
            sequencer.sampled -= FLOOR_EVERY;
            assert_eq!(sequencer.number_a_batch().unwrap(), 0);
        }
    }
}
