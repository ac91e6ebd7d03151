//! Words between nodes by PUBLISH and SUBSCRIBE: nothing of them is kept there.
//!
//! What is said waits in a bounded queue and goes out over the one connection that everything shares, many words at once.
//! Listening takes a connection of its own, which is opened when that other one is well.

use std::{sync::Arc, time::Duration};

use ::redis::{Msg, aio::PubSubSink, aio::PubSubStream};
use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use stoa_platform::{
    metrics::{Counter, Gauge, Metrics},
    relay::{Heard, Relay},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Redis, RedisError,
    line::Line,
    measures::Lane,
    session::{STEP, Session},
};

/// Words that wait to be said, and to be heard; one more is lost.
const MOST_WAITING: usize = 1_024;
/// A longer word is not said.
const LONGEST_WORD: usize = 64 * 1024;
/// Words that are said at once.
const AT_ONCE: usize = 64;
/// How often it is looked whether the listening connection lives, and whether there is a server again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Channel {
    redis: Redis,
    lane: Arc<Lane>,
    words: mpsc::Sender<Bytes>,
    measures: Arc<Words>,
    /// They end with this.
    tasks: Mutex<JoinSet<()>>,
}

/// What is counted of words.
struct Words {
    said: Counter,
    heard: Counter,
    lost: Counter,
    up: Gauge,
}

impl Words {
    fn new(metrics: &Metrics) -> Self {
        let words = |way| {
            let about = "Words between nodes: said by this one, heard of all, or lost before they were said.";
            metrics.counter("stoa_relay_words_total", about, &[("way", way)])
        };
        let up = metrics.gauge("stoa_relay_up", "Whether other nodes are heard.", &[]);
        up.set(0.0);
        Self { said: words("said"), heard: words("heard"), lost: words("lost"), up }
    }
}

impl Channel {
    pub(super) fn over(redis: Redis, lane: Lane, metrics: &Metrics) -> Self {
        let (words, waiting) = mpsc::channel(MOST_WAITING);
        let (lane, measures) = (Arc::new(lane), Arc::new(Words::new(metrics)));
        let mut tasks = JoinSet::new();
        tasks.spawn(publish(Arc::clone(redis.line()), Arc::clone(&lane), Arc::clone(&measures), waiting));
        Self { redis, lane, words, measures, tasks: Mutex::new(tasks) }
    }
}

impl Relay for Channel {
    fn say(&self, word: Bytes) -> bool {
        let is_said = word.len() <= LONGEST_WORD
            && self.redis.line().session().is_some()
            && self.words.try_send(word).is_ok();
        if !is_said {
            self.measures.lost.increment(1);
        }
        is_said
    }

    fn listen(&self) -> mpsc::Receiver<Heard> {
        let (heard, listening) = mpsc::channel(MOST_WAITING);
        let listener = Listener {
            line: Arc::clone(self.redis.line()),
            lane: Arc::clone(&self.lane),
            measures: Arc::clone(&self.measures),
            heard,
        };
        self.tasks.lock().spawn(listener.listen());
        listening
    }
}

/// Says what waits, in order. What cannot be said is lost.
async fn publish(
    redis: Arc<Line>,
    lane: Arc<Lane>,
    measures: Arc<Words>,
    mut waiting: mpsc::Receiver<Bytes>,
) {
    let mut words = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut words, AT_ONCE).await > 0 {
        let count = words.len() as u64;
        let said = match redis.session() {
            Some(session) => say_all(&redis, &lane, session, &words).await,
            None => None,
        };
        if said.is_some() {
            measures.said.increment(count);
        } else {
            measures.lost.increment(count);
        }
        words.clear();
    }
}

async fn say_all(redis: &Line, lane: &Lane, mut session: Session, words: &[Bytes]) -> Option<Vec<u64>> {
    let mut pipe = ::redis::pipe();
    for word in words {
        pipe.cmd("PUBLISH").arg(&session.names.relay).arg(&**word);
    }
    redis.answer(lane, session.number, pipe.query_async(&mut session.connection)).await
}

struct Listener {
    line: Arc<Line>,
    lane: Arc<Lane>,
    measures: Arc<Words>,
    heard: mpsc::Sender<Heard>,
}

impl Listener {
    async fn listen(self) {
        while !self.heard.is_closed() {
            if let Some(session) = self.line.session() {
                match self.line.subscribe(&session.names.relay).await {
                    Ok((sink, stream)) => self.hear(sink, stream).await,
                    Err(RedisError::Refused(error)) if !error.is_io_error() => {
                        self.line.refused(&self.lane, &error);
                    }
                    // The line itself notices as well, and tells.
                    Err(_) => {}
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Hands on what is heard until the connection breaks, or whoever listens does not keep up.
    async fn hear(&self, mut sink: PubSubSink, mut stream: PubSubStream) {
        if self.heard.send(Heard::Up).await.is_err() {
            return;
        }
        self.lane.works();
        self.measures.up.set(1.0);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) if self.hand_on(&message) => {}
                    _ => break,
                },
                () = sleep(LOOK_EVERY) => {
                    let sign: Result<Result<::redis::Value, _>, _> = timeout(STEP, sink.ping()).await;
                    if !matches!(sign, Ok(Ok(_))) {
                        break;
                    }
                }
            }
        }
        self.measures.up.set(0.0);
        // Fails when nobody listens any more.
        let _ = self.heard.send(Heard::Down).await;
    }

    fn hand_on(&self, message: &Msg) -> bool {
        self.measures.heard.increment(1);
        let word = Bytes::copy_from_slice(message.get_payload_bytes());
        self.heard.try_send(Heard::Word(word)).is_ok()
    }
}
