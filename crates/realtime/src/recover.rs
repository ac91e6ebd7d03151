//! What a client missed: read from the log, and told as it would have been told live.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use stoa_kernel::Refusal;
use stoa_platform::events::{Filter, StoredEvent, read_after};

use crate::{
    Dialect, Fault, Hub, Topic,
    arrive::by_itself,
    peer::Peer,
    sockets::{Effect, Hearer},
    store::{Kept, KeptSubscription},
    topics::{Subscription, Wanted},
    utterance::Utterance,
};

/// Events read at once.
const PAGE: u32 = 500;
/// Bytes of missed events that are sent at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a client missed cannot be told: it is too much.
pub(crate) struct Lost;

/// In which words a topic is heard, and after which place.
struct Hearing {
    dialect: Dialect,
    name: Option<Arc<str>>,
    since: i64,
}

impl Hub {
    /// Subscribes a socket to what it heard, and reads what it missed of that; answers also up to where it was read.
    pub(crate) async fn missed(
        &self,
        peer: &Arc<Peer>,
        kept: &Kept,
        wanted: Vec<KeptSubscription>,
        offset: i64,
    ) -> Result<Result<(Vec<Arc<Utterance>>, i64), Lost>, Refusal> {
        let looked_at = self.heard();
        let home = if kept.seat.home { self.home_of(peer.user).await? } else { Vec::new() };
        let speaks_rooms = kept.seat.home || wanted.iter().any(|one| one.dialect == Dialect::Rooms);
        let mut all = by_itself(peer.user, speaks_rooms, home);
        for (_, since) in &mut all {
            *since = Some(kept.since);
        }
        all.extend(wanted.into_iter().map(|KeptSubscription { topic, dialect, name, since }| {
            let (topic, name) = (Topic::from(topic.as_str()), name.map(Arc::from));
            (Wanted { topic, dialect, name, by_itself: false }, Some(since))
        }));
        let hearing = |(wanted, since): &(Wanted, Option<i64>)| {
            let since = since.unwrap_or(kept.since);
            (wanted.topic.clone(), Hearing { dialect: wanted.dialect, name: wanted.name.clone(), since })
        };
        let hearings: HashMap<_, _> = all.iter().map(hearing).collect();
        let until = self.register_all(peer, all);
        if kept.seat.home && until > looked_at {
            self.look_at_home_again(peer).await?;
        }
        for subscription in hearings.iter().filter(|(_, hearing)| hearing.dialect == Dialect::Snake) {
            self.tell_coming(peer, subscription.0);
        }
        self.read_missed(peer, hearings, offset, until).await.map(|read| read.map(|first| (first, until)))
    }

    /// Subscribes a live socket to one thing of which it wants what came after `from`, and sends it that first.
    pub(crate) async fn catch_up(&self, peer: &Arc<Peer>, wanted: Wanted, from: i64) -> Result<(), Fault> {
        let hearing = Hearing { dialect: wanted.dialect, name: wanted.name.clone(), since: from };
        let (topic, of) = (wanted.topic.clone(), wanted.topic.clone());
        peer.gate.close();
        let until = self.register_all(peer, vec![(wanted, Some(from))]);
        let read = self.read_missed(peer, HashMap::from([(topic, hearing)]), from, until).await;
        if let Ok(Ok(missed)) = &read {
            for utterance in missed {
                peer.line.send_uncounted(utterance);
            }
        }
        peer.gate.open(&peer.line);
        if let Ok(Ok(_)) = &read {
            return Ok(());
        }
        // It is as if it had not been asked for. The next time the client hears only what comes.
        self.drop_subscription(peer, &of);
        peer.seat.lock().resume_from = None;
        read?.map(drop).map_err(|Lost| too_much())
    }

    /// Sends a live socket what it missed of everything that it hears, from `from` to where it began to hear it.
    pub(crate) async fn resume(&self, peer: &Arc<Peer>, from: i64) -> Result<usize, Fault> {
        peer.gate.close();
        let (hearings, until) = {
            let mut seat = peer.seat.lock();
            (seat.resume_from, seat.told) = (Some(from), HashMap::new());
            let hearing = |one: &Arc<Subscription>| {
                let hearing = Hearing { dialect: one.dialect, name: one.name.clone(), since: from };
                (one.topic.clone(), (hearing, one.since))
            };
            let all: HashMap<_, _> = seat.subscriptions.values().map(hearing).collect();
            let until = all.values().map(|(_, since)| *since).max().unwrap_or(from);
            (all, until)
        };
        let begun: HashMap<Topic, i64> =
            hearings.iter().map(|(topic, (_, since))| (topic.clone(), *since)).collect();
        let hearings = hearings.into_iter().map(|(topic, (hearing, _))| (topic, hearing)).collect();
        let read = self.read_events(peer, hearings, from, until).await;
        let mut sent = 0;
        if let Ok(Ok(missed)) = &read {
            let before = |event: &StoredEvent| {
                begun.get(event.topic.as_str()).is_some_and(|since| event.pos <= *since)
            };
            for (_, utterance) in missed.iter().filter(|(event, _)| before(event)) {
                peer.line.send_uncounted(utterance);
                sent += 1;
            }
        }
        peer.gate.open(&peer.line);
        match read? {
            Ok(_) => Ok(sent),
            Err(Lost) => Err(too_much()),
        }
    }

    async fn read_missed(
        &self,
        peer: &Arc<Peer>,
        hearings: HashMap<Topic, Hearing>,
        from: i64,
        until: i64,
    ) -> Result<Result<Vec<Arc<Utterance>>, Lost>, Refusal> {
        let read = self.read_events(peer, hearings, from, until).await?;
        Ok(read.map(|missed| missed.into_iter().map(|(_, utterance)| utterance).collect()))
    }

    /// What the log has for these hearings after `from` and up to `until`, as it would have been told.
    async fn read_events(
        &self,
        peer: &Arc<Peer>,
        mut hearings: HashMap<Topic, Hearing>,
        from: i64,
        until: i64,
    ) -> Result<Result<Vec<(StoredEvent, Arc<Utterance>)>, Lost>, Refusal> {
        let topics = padded(hearings.keys().map(|topic| topic.as_str().to_owned()).collect());
        let (mut place, mut found, mut bytes) = (from, Vec::new(), 0);
        let most = self.settings().recovery_events as usize;
        while place < until && !topics.is_empty() {
            let topics = Arc::clone(&topics);
            let read = self.0.platform.database.read(move |c| {
                let names: Vec<&str> = topics.iter().map(String::as_str).collect();
                read_after(c, place, Filter { topics: &names, ..Filter::default() }, PAGE)
            });
            let (events, counted) = (read.await?, found.len());
            let is_last = events.len() < PAGE as usize;
            place = events.last().map_or(until, |event| event.pos);
            found.extend(events.into_iter().filter(|event| event.pos <= until));
            bytes =
                found.iter().skip(counted).fold(bytes, |sum, event: &StoredEvent| sum + event.payload.len());
            if found.len() > most || bytes > MOST_BYTES {
                return Ok(Err(Lost));
            }
            if is_last {
                break;
            }
        }
        self.account_for(peer, &mut hearings, &found);
        let told = found.into_iter().filter_map(|event| {
            let topic = Topic::from(event.topic.as_str());
            let hearing = hearings.get(&topic).filter(|hearing| event.pos > hearing.since)?;
            let hearer = Hearer { dialect: hearing.dialect, topic: &topic, name: hearing.name.as_deref() };
            let utterance = self.utterance(&event, &hearer)?;
            Some((event, Arc::new(utterance)))
        });
        Ok(Ok(told.collect()))
    }
}

impl Hub {
    /// Of what somebody came into meanwhile, they have missed what came after that. What they were sent out of, maybe while
    /// they were just being subscribed to it again, they hear no more.
    fn account_for(&self, peer: &Arc<Peer>, hearings: &mut HashMap<Topic, Hearing>, missed: &[StoredEvent]) {
        let mut sent_out = HashSet::new();
        for event in missed {
            for effect in self.effects_of(event) {
                match effect {
                    Effect::Grant(user, topic) if user == peer.user => {
                        sent_out.remove(&topic);
                        if let Some(hearing) = hearings.get_mut(&topic)
                            && hearing.dialect == Dialect::Rooms
                        {
                            hearing.since = hearing.since.max(event.pos - 1);
                        }
                    }
                    Effect::Revoke(user, topic) if user == peer.user => {
                        sent_out.insert(topic);
                    }
                    _ => {}
                }
            }
        }
        for topic in sent_out {
            hearings.remove(&topic);
            self.drop_subscription(peer, &topic);
        }
    }
}

/// So many names that there are few kinds of statements: some stand there twice.
fn padded(mut topics: Vec<String>) -> Arc<[String]> {
    if let Some(last) = topics.last().cloned() {
        topics.resize(topics.len().next_power_of_two(), last);
    }
    topics.into()
}

fn too_much() -> Fault {
    Fault::new("TOO_MUCH_MISSED", "More was missed than can be sent here; read the history instead.")
}
