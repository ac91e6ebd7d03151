//! The one connection in use: handed out while the server answers, taken back when it does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{
    Client, ErrorKind, FromRedisValue, RedisResult, ScriptInvocation, ServerErrorKind,
    aio::{PubSubSink, PubSubStream},
};
use parking_lot::RwLock;
use stoa_kernel::Random;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    RedisAddress, RedisError, RedisSettings, Seen,
    measures::{Lane, Measures},
    session::{STEP, Session},
};

/// Questions under way at once; one more is not asked.
const MOST_UNDER_WAY: usize = 256;
/// So many answers in a row that come too late, and the server is given time.
const MOST_LATE: u32 = 3;
/// How often a server is asked for a sign of life when nothing else is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon it is tried again; each time twice as late.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that held for so long was a good one.
const HELD: Duration = Duration::from_secs(5);

pub(super) struct Line {
    client: Client,
    address: RedisAddress,
    prefix: String,
    patience: Duration,
    session: RwLock<Option<Session>>,
    opened: AtomicU64,
    late: AtomicU32,
    under_way: Semaphore,
    taken_back: Notify,
    tried: watch::Sender<bool>,
    measures: Measures,
    random: Random,
}

impl Line {
    pub(super) fn new(
        settings: &RedisSettings,
        measures: Measures,
        random: &Random,
    ) -> Result<Self, RedisError> {
        let RedisSettings { address, prefix, patience } = settings.clone();
        Ok(Self {
            client: Client::open(address.connection.clone())?,
            address,
            prefix,
            patience,
            session: RwLock::new(None),
            opened: AtomicU64::new(0),
            late: AtomicU32::new(0),
            under_way: Semaphore::new(MOST_UNDER_WAY),
            taken_back: Notify::new(),
            tried: watch::Sender::new(false),
            measures,
            random: random.clone(),
        })
    }

    /// The connection, if there is one that answers.
    pub(super) fn session(&self) -> Option<Session> {
        self.session.read().clone()
    }

    /// Runs a script. Whatever goes wrong is counted and told here; the caller does without an answer.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        lane: &Lane,
        session: &mut Session,
        call: &ScriptInvocation<'_>,
    ) -> Option<T> {
        self.answer(lane, session.number, call.invoke_async(&mut session.connection)).await
    }

    /// The same for anything that is asked over the session of this number.
    pub(super) async fn answer<T>(
        &self,
        lane: &Lane,
        session: u64,
        asked: impl Future<Output = RedisResult<T>>,
    ) -> Option<T> {
        let Ok(_place) = self.under_way.try_acquire() else {
            self.measures.crowded.increment(1);
            return None;
        };
        let begun = Instant::now();
        let answered = timeout(self.patience, asked).await;
        self.measures.seconds.record(begun.elapsed());
        match answered {
            Ok(Ok(answer)) => {
                self.late.store(0, Ordering::Relaxed);
                lane.works();
                Some(answer)
            }
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.measures.lost.increment(1);
                self.take_back(session, "its connection broke");
                None
            }
            Ok(Err(error)) => {
                self.refused(lane, &error);
                if is_of_a_replica(&error) {
                    self.take_back(session, "it became a replica; its address may lead elsewhere by now");
                }
                None
            }
            Err(_) => {
                self.measures.late.increment(1);
                if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_LATE {
                    self.take_back(session, "its answers come too late");
                }
                None
            }
        }
    }

    /// Counts and tells an answer that is of no use.
    pub(super) fn refused(&self, lane: &Lane, error: &dyn std::fmt::Display) {
        self.measures.refused.increment(1);
        lane.complain(error);
    }

    /// Returns when the server was met, or could not be met, for the first time.
    pub(super) async fn tried(&self) {
        // An error means that nobody tries any more, which is an end as well.
        let _ = self.tried.subscribe().wait_for(|tried| *tried).await;
    }

    pub(super) async fn ping(&self) -> bool {
        let Some(mut session) = self.session() else { return false };
        matches!(timeout(STEP, session.ping()).await, Ok(Ok(())))
    }

    pub(super) async fn try_out(&self) -> Result<Seen, RedisError> {
        let mut session = self.open().await?;
        timeout(STEP, session.look()).await.map_err(|_| RedisError::Silent)?
    }

    /// A connection of its own that hears what is published in a channel, while the server is one that answers.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<(PubSubSink, PubSubStream), RedisError> {
        let subscribing = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(channel).await?;
            Ok((sink, stream))
        };
        timeout(STEP * 3, subscribing).await.map_err(|_| RedisError::Silent)?
    }

    /// Everything a connection must be able to do, within a bounded time.
    async fn open(&self) -> Result<Session, RedisError> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let opening = Session::open(&self.client, &self.prefix, number);
        timeout(STEP * 3, opening).await.map_err(|_| RedisError::Silent)?
    }

    fn hand_out(&self, session: Session) {
        self.late.store(0, Ordering::Relaxed);
        *self.session.write() = Some(session);
        self.measures.up.set(1.0);
    }

    /// Takes a connection back, unless that was done already.
    fn take_back(&self, number: u64, why: &'static str) {
        let mut session = self.session.write();
        if session.as_ref().is_some_and(|session| session.number == number) {
            *session = None;
            tracing::warn!(server = %self.address, why, "Redis was lost; until it is back limits, cache and who is online are of this node alone");
            self.measures.up.set(0.0);
            self.measures.outages.increment(1);
            self.taken_back.notify_one();
        }
    }

    /// Returns when the connection is no longer handed out.
    async fn watch(&self, mut session: Session) {
        loop {
            tokio::select! {
                () = self.taken_back.notified() => {}
                () = sleep(LOOK_EVERY) => {
                    if !matches!(timeout(STEP, session.ping()).await, Ok(Ok(()))) {
                        self.take_back(session.number, "it gives no sign of life");
                    }
                }
            }
            if self.session.read().is_none() {
                return;
            }
        }
    }
}

/// Keeps a connection at hand for as long as it runs. An outage is told once, and that it is over.
pub(super) async fn keep(line: Arc<Line>) {
    let (mut told, mut pause) = (false, FIRST_PAUSE);
    loop {
        match line.open().await {
            Ok(session) => {
                if told {
                    tracing::info!(server = %line.address, "Redis answers again");
                }
                let since = Instant::now();
                line.hand_out(session.clone());
                line.tried.send_replace(true);
                line.watch(session).await;
                told = true;
                if since.elapsed() >= HELD {
                    pause = FIRST_PAUSE;
                }
            }
            Err(error) => {
                if !told {
                    tracing::warn!(server = %line.address, %error, "Redis cannot be used; limits, cache and who is online are of this node alone until it can");
                }
                told = true;
                line.tried.send_replace(true);
            }
        }
        sleep(spread(pause, &line.random)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A primary that was demoted answers on, and takes no writes. Servers before 7.0 wrap that refusal when it comes from
/// within a script, so that only the word is left of it.
fn is_of_a_replica(error: &::redis::RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || error.to_string().contains("READONLY")
}

/// Somewhere between half of the pause and all of it, so that nodes do not come back at once.
fn spread(pause: Duration, random: &Random) -> Duration {
    let half = pause / 2;
    half + Duration::from_micros(random.below(u64::try_from(half.as_micros()).unwrap_or(1).max(1)))
}
