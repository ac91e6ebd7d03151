//! Hearing the log: each event is told to those who are subscribed to its topic, and may do more to sockets than that.

use std::{sync::Arc, time::Instant};

use stoa_kernel::UserId;
use stoa_platform::events::StoredEvent;
use stoa_socketio::Reason;

use crate::{
    Dialect, Hub, Topic,
    peer::Peer,
    sockets::{Effect, Hearer},
    topics::Wanted,
    utterance::Utterance,
};

/// After so many sockets were told the hub lets others have the thread.
const TOLD_AT_ONCE: usize = 4_000;
/// Events that are told as one piece at most. A socket that has room for few hears them in smaller ones.
const MOST_TOGETHER: usize = 64;

impl Hub {
    pub(crate) async fn hear(&self, events: Vec<Arc<StoredEvent>>) {
        let (mut rest, mut told) = (events.as_slice(), 0);
        while let Some(first) = rest.first() {
            let effects = self.effects_of(first);
            for effect in &effects {
                if let Effect::Grant(user, topic) = effect {
                    self.grant(*user, topic);
                }
            }
            let (together, others) = rest.split_at(self.told_together(rest));
            told += self.deliver(together);
            for effect in effects {
                self.take_effect(effect);
            }
            if told >= TOLD_AT_ONCE {
                told = 0;
                tokio::task::yield_now().await;
            }
            rest = others;
        }
        self.0.measures.topics(self.0.topics.lock().len());
    }

    /// How many events at the beginning of these are told as one piece: those of one topic that do nothing but being told.
    fn told_together(&self, events: &[Arc<StoredEvent>]) -> usize {
        let Some(first) = events.first() else { return 0 };
        let most = MOST_TOGETHER.min(self.settings().outbound.frames / 4);
        let only_told = |event: &StoredEvent| !self.0.sockets.acting.contains_key(event.kind.as_str());
        let alike = |event: &&Arc<StoredEvent>| event.topic == first.topic && only_told(event);
        events.iter().take(most).take_while(alike).count().max(1)
    }

    /// Tells events of one topic to all who hear it; answers how many sockets were told.
    fn deliver(&self, events: &[Arc<StoredEvent>]) -> usize {
        let Some(last) = events.last() else { return 0 };
        let groups = {
            let mut topics = self.0.topics.lock();
            topics.heard = last.pos;
            topics.hearing(&last.topic)
        };
        let (mut sockets, mut deliveries) = (0, 0);
        for group in groups {
            let hearer = group.hearer();
            let said: Vec<_> =
                events.iter().filter_map(|event| self.utterance(event, &hearer)).map(Arc::new).collect();
            if said.is_empty() {
                continue;
            }
            let said = Utterance::several(said);
            for subscription in group.members.iter().filter(|one| one.is_active()) {
                subscription.peer.send(&said);
            }
            sockets += group.members.len();
            deliveries += group.members.len() * said.count();
        }
        self.0.measures.delivered(deliveries);
        sockets
    }

    /// An event in the words of a hearer, if there are any for it.
    pub(crate) fn utterance(&self, event: &StoredEvent, hearer: &Hearer<'_>) -> Option<Utterance> {
        let tell = self.0.sockets.telling.get(event.kind.as_str())?;
        match tell(event, hearer) {
            Ok(said) => said.map(|said| Utterance::durable(said, self.offset(event.pos))),
            Err(error) => {
                tracing::error!(event.kind, event.pos, %error, "an event cannot be told");
                None
            }
        }
    }

    /// What an event does beside being told.
    pub(crate) fn effects_of(&self, event: &StoredEvent) -> Vec<Effect> {
        let acting = self.0.sockets.acting.get(event.kind.as_str()).map(Vec::as_slice).unwrap_or_default();
        let effects = acting.iter().map(|act| act(event));
        let told = effects.filter_map(|effects| {
            effects
                .inspect_err(|error| tracing::error!(event.kind, event.pos, %error, "an event has no effect"))
                .ok()
        });
        told.flatten().collect()
    }

    pub(crate) fn take_effect(&self, effect: Effect) {
        match effect {
            // Before it was told.
            Effect::Grant(..) => {}
            Effect::Revoke(user, topic) => {
                let peers = self.0.roster.lock().of_user(user);
                for peer in peers {
                    // Whoever is sent out hears so themselves.
                    self.tell_sent_out(&peer, &topic);
                    self.end_subscription(&peer, &topic);
                }
            }
            Effect::Close(topic) => {
                let groups = self.0.topics.lock().hearing(topic.as_str());
                for subscription in groups.iter().flat_map(|group| group.members.iter()) {
                    self.end_subscription(&subscription.peer, &topic);
                }
            }
            Effect::EndLogin(login) => {
                let peers = self.0.roster.lock().of_login(login);
                self.0.ended_logins.lock().push(login, Instant::now());
                for peer in peers {
                    end_login(&peer);
                }
            }
            Effect::Announce { key, said } => {
                self.whisper(&Topic::from(Topic::PRESENCE), &key, None, |_| Some(said.clone()));
            }
        }
    }

    fn grant(&self, user: UserId, topic: &Topic) {
        let peers = self.0.roster.lock().of_user(user);
        for peer in peers {
            let wants = {
                let seat = peer.seat.lock();
                seat.home
                    && !seat.subscriptions.contains_key(topic)
                    && seat.subscriptions.len() < self.settings().subscriptions
            };
            if wants {
                self.register(
                    &peer,
                    Wanted { topic: topic.clone(), dialect: Dialect::Rooms, name: None, by_itself: true },
                );
            }
        }
    }

    /// Ends a subscription that its client did not end.
    fn end_subscription(&self, peer: &Arc<Peer>, topic: &Topic) {
        let Some(ended) = self.drop_subscription(peer, topic) else { return };
        self.stop_typing(peer, topic);
        if !ended.by_itself {
            let (hub, peer) = (self.clone(), Arc::clone(peer));
            tokio::spawn(async move {
                if let Err(error) = hub.keep(&peer).await {
                    tracing::warn!(%error, "what a socket hears was not kept");
                }
            });
        }
    }
}

/// The login session that a socket stands and falls with has ended.
pub(crate) fn end_login(peer: &Peer) {
    peer.line.close(Reason::Forbidden("session_ended"));
}
