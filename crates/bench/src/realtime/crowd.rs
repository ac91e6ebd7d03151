//! Many sockets at once, each with a listener of its own that counts what comes.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    Door,
    dialect::{Dialect, Heard},
    frames,
    latencies::{Latencies, Stamps},
    session::{Credentials, Origin, Socket, Speaker},
};
use crate::{failure::Failure, measure::Cost, server::Server};

/// What is said in the rooms.
pub(crate) const CONTENT: &str = "Does the linen shrink when it is washed hot?";
/// So many are on their way in at once.
const ON_THE_WAY: usize = 256;
/// The addresses of this machine that sockets come from.
const ADDRESSES: usize = 8;
/// When nobody has heard anything for so long, nothing is on its way.
const QUIET: Duration = Duration::from_millis(500);

/// What is said at full speed, and how many messages are on their way at most: few enough for the queue of each socket, many
/// enough that nobody waits.
pub(crate) struct Speech {
    pub(crate) content: String,
    pub(crate) on_the_way: u64,
}

/// What the listeners have heard together.
struct Told {
    messages: AtomicU64,
    timed: AtomicBool,
    latencies: Latencies,
    stamps: Stamps,
}

/// People with a socket each. Member n is in room n modulo the number of rooms, or in none if there are none.
pub(crate) struct Crowd {
    dialect: Dialect,
    rooms: Vec<String>,
    speakers: Vec<Speaker>,
    told: Arc<Told>,
    listeners: JoinSet<Result<(), Failure>>,
}

impl Crowd {
    /// Opens the sockets and joins the rooms. Where there are fewer people than sockets, they have several.
    pub(crate) async fn gather(
        door: Door,
        people: &[Arc<str>],
        members: usize,
        rooms: Vec<String>,
    ) -> Result<Self, Failure> {
        let told = Arc::new(Told {
            messages: AtomicU64::new(0),
            timed: AtomicBool::new(false),
            latencies: Latencies::default(),
            stamps: Stamps::begin(),
        });
        let (gate, (ready, mut arrived)) =
            (Arc::new(Semaphore::new(ON_THE_WAY)), mpsc::channel(members.max(1)));
        let mut listeners = JoinSet::new();
        for (number, token) in people.iter().cycle().take(members).cloned().enumerate() {
            let room = (!rooms.is_empty()).then(|| rooms.get(number % rooms.len()).cloned()).flatten();
            let (told, gate, ready) = (Arc::clone(&told), Arc::clone(&gate), ready.clone());
            listeners.spawn(async move {
                let place = gate.acquire_owned().await?;
                let mut socket = Socket::open(door, origin(number), Credentials::of(&token)).await?;
                if let Some(room) = room {
                    socket.join(&room).await?;
                }
                // Heard by the one who gathers, who may have given up.
                let _ = ready.send((number, socket.speaker())).await;
                drop((place, ready));
                told.listen(socket).await
            });
        }
        drop(ready);
        let mut speakers = Vec::with_capacity(members);
        while speakers.len() < members {
            tokio::select! {
                Some(speaker) = arrived.recv() => speakers.push(speaker),
                Some(ended) = listeners.join_next() => ended??,
            }
        }
        speakers.sort_unstable_by_key(|(number, _)| *number);
        let speakers = speakers.into_iter().map(|(_, speaker)| speaker).collect();
        Ok(Self { dialect: door.dialect, rooms, speakers, told, listeners })
    }

    pub(crate) fn heard(&self) -> u64 {
        self.told.messages.load(Ordering::Relaxed)
    }

    /// All of them must still be there.
    fn check(&mut self) -> Result<(), Failure> {
        match self.listeners.try_join_next() {
            Some(Ok(Err(failure))) => Err(Failure::new(format!("a socket of the crowd was lost: {failure}"))),
            Some(ended) => ended?,
            None => Ok(()),
        }
    }

    /// Waits until nothing is on its way any more.
    async fn quiet(&self) {
        let mut before = None;
        while before != Some(self.heard()) {
            before = Some(self.heard());
            tokio::time::sleep(QUIET).await;
        }
    }

    fn in_each_room(&self) -> u64 {
        (self.speakers.len() / self.rooms.len().max(1)) as u64
    }

    /// Everybody speaks in turn, as fast as all are told.
    async fn speak_at_full_speed(&self, speech: &Speech) -> Result<(), Failure> {
        let said =
            self.rooms.iter().map(|room| frames::text(&self.dialect.say(room, &speech.content, false)));
        let frames = said.collect::<Result<Vec<_>, _>>()?;
        let (before, mut owed) = (self.heard(), 0);
        for (speaker, frame) in self.speakers.iter().zip(frames.iter().cycle()).cycle() {
            while owed >= self.heard() - before + speech.on_the_way * self.in_each_room() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            speaker.say(frame).await?;
            owed += self.in_each_room();
        }
        Ok(())
    }

    /// Somebody says something so many times a second, and everybody notes how long it took.
    async fn speak_in_peace(&self, per_second: u32) -> Result<(), Failure> {
        let mut clock = tokio::time::interval(Duration::from_secs(1) / per_second);
        for (speaker, room) in self.speakers.iter().zip(self.rooms.iter().cycle()).cycle() {
            clock.tick().await;
            let content = self.told.stamps.stamped(CONTENT);
            speaker.say(&frames::text(&self.dialect.say(room, &content, false))?).await?;
        }
        Ok(())
    }

    /// What a delivery costs at full speed.
    pub(crate) async fn at_full_speed(
        &mut self,
        server: &Server,
        time: Duration,
        speech: &Speech,
    ) -> Result<Cost, Failure> {
        self.quiet().await;
        let cost = tokio::select! {
            ended = self.speak_at_full_speed(speech) => Err(stopped(ended)),
            cost = self.measured(server, time) => cost,
        }?;
        self.check()?;
        if cost.requests == 0 {
            return Err(Failure::new("nothing was delivered"));
        }
        Ok(cost)
    }

    /// What a delivery costs at so many messages a second, and how long deliveries took.
    pub(crate) async fn in_peace(
        &mut self,
        server: &Server,
        time: Duration,
        per_second: u32,
    ) -> Result<(Cost, Vec<Duration>), Failure> {
        self.quiet().await;
        let cost = tokio::select! {
            ended = self.speak_in_peace(per_second) => Err(stopped(ended)),
            cost = self.measured(server, time) => cost,
        }?;
        self.check()?;
        Ok((cost, self.told.latencies.take()))
    }

    async fn measured(&self, server: &Server, time: Duration) -> Result<Cost, Failure> {
        tokio::time::sleep(time / 4).await;
        self.told.timed.store(true, Ordering::Relaxed);
        let (begun, cpu, before) = (Instant::now(), server.cpu()?, self.heard());
        tokio::time::sleep(time).await;
        let cost = Cost {
            requests: self.heard() - before,
            wall: begun.elapsed(),
            cpu: server.cpu()?.saturating_sub(cpu),
        };
        self.told.timed.store(false, Ordering::Relaxed);
        Ok(cost)
    }
}

impl Told {
    async fn listen(&self, mut socket: Socket) -> Result<(), Failure> {
        loop {
            match socket.hear().await? {
                Heard::Message => {
                    self.messages.fetch_add(1, Ordering::Relaxed);
                    if self.timed.load(Ordering::Relaxed)
                        && let Some(latency) = self.stamps.since(socket.payload())
                    {
                        self.latencies.note(latency);
                    }
                }
                Heard::Refused => return Err(socket.complaint()),
                _ => {}
            }
        }
    }
}

/// Who speaks until the measuring is done has stopped too early.
fn stopped(ended: Result<(), Failure>) -> Failure {
    ended.err().unwrap_or_else(|| Failure::new("nobody spoke"))
}

fn origin(number: usize) -> Origin {
    let last = u8::try_from(2 + number % ADDRESSES).unwrap_or(2);
    Origin { address: Some(Ipv4Addr::new(127, 0, 0, last)), receive_buffer: None }
}
