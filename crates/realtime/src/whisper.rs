//! What is told to those who are there, and not kept: who comes and goes, and who is typing.

use std::{sync::Arc, time::Instant};

use serde_json::value::RawValue;
use stoa_kernel::UserId;

use crate::{
    Dialect, Hub, Topic,
    peer::Peer,
    presence::{News, OnlineUsers, TELL_EVERY},
    relayed::Word,
    sockets::{Hearer, Said},
    topics::{Group, Subscription},
    utterance::Utterance,
};

impl Hub {
    /// Tells those who hear a topic now, but for one user.
    pub(crate) fn whisper(
        &self,
        topic: &Topic,
        key: &str,
        except: Option<UserId>,
        tell: impl Fn(&Hearer<'_>) -> Option<Said>,
    ) {
        let groups = self.0.topics.lock().hearing(topic.as_str());
        for group in groups {
            let Some(said) = tell(&group.hearer()) else { continue };
            let utterance = Utterance::volatile(said);
            for subscription in hearing(&group).filter(|one| Some(one.peer.user) != except) {
                subscription.peer.line.send_volatile(key, &utterance);
            }
        }
    }

    /// Somebody's socket has come into a room that is spoken of in the snake dialect. Over `/ws` it hears so itself.
    pub(crate) fn tell_coming(&self, peer: &Arc<Peer>, topic: &Topic) {
        self.tell_moving(peer, topic, true);
    }

    pub(crate) fn tell_leaving(&self, peer: &Arc<Peer>, ended: &Subscription) {
        self.tell_moving(peer, &ended.topic, false);
    }

    /// A socket is about to hear a room no more, and not because its client wants so.
    pub(crate) fn tell_sent_out(&self, peer: &Arc<Peer>, topic: &Topic) {
        let speaks_snake = {
            let seat = peer.seat.lock();
            seat.subscriptions.get(topic).is_some_and(|one| one.dialect == Dialect::Snake)
        };
        if speaks_snake {
            self.tell_moving(peer, topic, false);
        }
    }

    fn tell_moving(&self, peer: &Arc<Peer>, topic: &Topic, came: bool) {
        self.tell_moved(peer.user, topic, came, |other| !Arc::ptr_eq(other, peer) || peer.is_websocket());
        self.tell_nodes(|| Word::Seat { user: peer.user, topic: topic.as_str().to_owned(), came });
    }

    /// Somebody's socket, here or at another node, has come into a room or left it.
    pub(crate) fn tell_moved(
        &self,
        user: UserId,
        topic: &Topic,
        came: bool,
        hears: impl Fn(&Arc<Peer>) -> bool,
    ) {
        let word = if came { "user_joined" } else { "user_left" };
        let groups = self.0.topics.lock().hearing(topic.as_str());
        let key = format!("{word}:{topic}:{user}");
        for group in groups.iter().filter(|group| group.dialect == Dialect::Snake) {
            let payload = serde_json::json!({ "userId": user, "roomId": group.hearer().named() });
            let Some(said) = said(word, &payload) else { continue };
            let utterance = Utterance::volatile(said);
            for subscription in hearing(group).filter(|one| hears(&one.peer)) {
                subscription.peer.line.send_volatile(&key, &utterance);
            }
        }
    }

    pub(crate) fn start_typing(&self, peer: &Arc<Peer>, topic: &Topic) {
        let tell = self.0.typing.lock().start(peer, topic, Instant::now(), self.settings().typing_lasts);
        if tell.here {
            self.tell_typing(peer.user, topic, true);
            self.0.stirred.notify_one();
        }
        if tell.elsewhere {
            self.tell_nodes_of_typing(peer, topic, true);
        }
    }

    pub(crate) fn stop_typing(&self, peer: &Arc<Peer>, topic: &Topic) {
        if self.0.typing.lock().stop(peer, topic) {
            self.tell_typing(peer.user, topic, false);
            self.tell_nodes_of_typing(peer, topic, false);
        }
    }

    fn tell_nodes_of_typing(&self, peer: &Peer, topic: &Topic, is_typing: bool) {
        self.tell_nodes(|| Word::Typing { user: peer.user, topic: topic.as_str().to_owned(), is_typing });
    }

    pub(crate) fn tell_typing(&self, user: UserId, topic: &Topic, is_typing: bool) {
        self.whisper(topic, &format!("typing:{topic}:{user}"), Some(user), |hearer| {
            let (word, room) = match hearer.dialect {
                Dialect::Rooms => ("user-typing", "room"),
                Dialect::Snake => ("typing", "roomId"),
                _ => return None,
            };
            said(word, &serde_json::json!({ "userId": user, room: hearer.named(), "isTyping": is_typing }))
        });
    }

    /// Whether somebody has a socket at any node, or had one a moment ago.
    pub fn is_online(&self, user: UserId) -> bool {
        self.0.presence.lock().is_online(user)
    }

    pub(crate) fn online_users(&self) -> OnlineUsers {
        self.0.presence.lock().list()
    }

    /// Tells who came and went, and who has stopped typing without saying so.
    pub(crate) async fn tell_by_and_by(&self) {
        loop {
            self.0.stirred.notified().await;
            loop {
                tokio::time::sleep(TELL_EVERY).await;
                let now = Instant::now();
                self.end_typing(now);
                self.tell_nodes_who_moved();
                let (news, online) = {
                    let mut presence = self.0.presence.lock();
                    (presence.news(now), presence.count())
                };
                self.0.measures.online(online);
                for news in news {
                    self.tell_presence(&news);
                }
                if !self.0.presence.lock().is_busy() && !self.0.typing.lock().is_busy() {
                    break;
                }
            }
        }
    }

    /// Of whom nothing was heard, they type no more.
    fn end_typing(&self, now: Instant) {
        let (here, elsewhere) = {
            let mut typing = self.0.typing.lock();
            (typing.expired(now), typing.expired_elsewhere(now))
        };
        for (peer, topic) in here {
            self.tell_typing(peer.user, &topic, false);
            self.tell_nodes_of_typing(&peer, &topic, false);
        }
        for (user, topic) in elsewhere {
            self.tell_typing(user, &topic, false);
        }
    }

    fn tell_presence(&self, news: &News) {
        let (key, except, said) = match news {
            News::Came(user) => (
                format!("presence:{user}"),
                Some(*user),
                said("user-online", &serde_json::json!({ "userId": user })),
            ),
            News::Left(user) => (
                format!("presence:{user}"),
                None,
                said("user-offline", &serde_json::json!({ "userId": user })),
            ),
            News::List => ("presence".to_owned(), None, said("online-users", &self.online_users())),
        };
        self.whisper(&Topic::from(Topic::PRESENCE), &key, except, |_| said.clone());
    }
}

fn hearing(group: &Group) -> impl Iterator<Item = &Arc<Subscription>> {
    group.members.iter().filter(|one| one.is_active())
}

/// A word with a payload of ours, which always can be written.
pub(crate) fn said<T: serde::Serialize>(word: &'static str, payload: &T) -> Option<Said> {
    let payload: Box<RawValue> = serde_json::value::to_raw_value(payload).ok()?;
    Some(Said { word, payload })
}
