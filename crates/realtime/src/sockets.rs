//! What a domain says and hears on sockets: the part of a module that is for the hub.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use stoa_kernel::{Actor, Refusal, SessionId, UserId};
use stoa_platform::events::{HandlerError, StoredEvent};

use crate::{Call, Dialect, Fault, Topic};

/// A future without a name.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What came of a client's event.
pub enum Done {
    /// It is done; this object, with `ok: true` before it, is the ack.
    Now(Box<RawValue>),
    /// It has its place, and the next event may be looked at; what came of it is told when it is known.
    Later(Later<Result<Box<RawValue>, Fault>>),
}

impl Done {
    /// Done, with nothing to tell but that.
    pub fn plain() -> Self {
        Self::Now(RawValue::NULL.to_owned())
    }

    /// Done, with an object to tell.
    pub fn with<T: Serialize>(told: &T) -> Result<Self, Fault> {
        raw(told).map(Self::Now)
    }
}

/// Something to tell as JSON.
pub fn raw<T: Serialize + ?Sized>(told: &T) -> Result<Box<RawValue>, Fault> {
    to_raw_value(told).map_err(|error| Refusal::internal(error).into())
}

/// To whom an event is told: in which dialect, and as what the client knows its topic.
#[derive(Clone, Copy, Debug)]
pub struct Hearer<'a> {
    /// The dialect it subscribed in.
    pub dialect: Dialect,
    /// The topic.
    pub topic: &'a Topic,
    /// What the client called it, unless that is its id.
    pub name: Option<&'a str>,
}

impl<'a> Hearer<'a> {
    /// What the client calls the thing.
    pub fn named(&self) -> &'a str {
        self.name.unwrap_or_else(|| self.topic.id())
    }
}

/// An event in the words of a dialect.
#[derive(Clone, Debug)]
pub struct Said {
    /// The word.
    pub word: &'static str,
    /// What goes with it.
    pub payload: Box<RawValue>,
}

impl Said {
    /// A word and its payload.
    pub fn new<T: Serialize + ?Sized>(word: &'static str, payload: &T) -> Result<Self, HandlerError> {
        Ok(Self { word, payload: to_raw_value(payload)? })
    }
}

/// What an event does to sockets beside being told.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Somebody may hear a topic from now on: their sockets that hear all of theirs do.
    Grant(UserId, Topic),
    /// Somebody may not hear a topic any more.
    Revoke(UserId, Topic),
    /// Nobody can hear a topic any more.
    Close(Topic),
    /// A login session has ended.
    EndLogin(SessionId),
    /// Those who speak the rooms dialect are told, if they are there.
    Announce {
        /// What a newer announcement takes the place of while a client is slow.
        key: String,
        /// What they are told.
        said: Said,
    },
}

pub(crate) type Answering = Arc<dyn Fn(Call) -> Later<Result<Done, Fault>> + Send + Sync>;
pub(crate) type Telling = fn(&StoredEvent, &Hearer<'_>) -> Result<Option<Said>, HandlerError>;
pub(crate) type Permitting = Arc<dyn Fn(Arc<Actor>, Topic) -> Later<Result<bool, Refusal>> + Send + Sync>;
pub(crate) type Homes = Arc<dyn Fn(UserId) -> Later<Result<Vec<Topic>, Refusal>> + Send + Sync>;
pub(crate) type Acting = fn(&StoredEvent) -> Result<Vec<Effect>, HandlerError>;

/// What a domain says and hears on sockets.
#[derive(Clone, Default)]
pub struct Sockets {
    pub(crate) answering: HashMap<&'static str, Answering>,
    pub(crate) telling: HashMap<&'static str, Telling>,
    pub(crate) permitting: HashMap<&'static str, Permitting>,
    pub(crate) homes: Vec<Homes>,
    pub(crate) acting: HashMap<&'static str, Vec<Acting>>,
}

impl Sockets {
    /// Answers a client's event. The next event of the same socket waits until this has answered.
    pub fn on<F, A>(mut self, word: &'static str, answer: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Done, Fault>> + Send + 'static,
    {
        self.answering.insert(word, Arc::new(move |call| Box::pin(answer(call))));
        self
    }

    /// Tells events of one type to those who are subscribed to their topic.
    pub fn tell(mut self, event: &'static str, tell: Telling) -> Self {
        self.telling.insert(event, tell);
        self
    }

    /// Lets events of one type do something to sockets.
    pub fn act(mut self, event: &'static str, act: Acting) -> Self {
        self.acting.entry(event).or_default().push(act);
        self
    }

    /// Says who may hear topics of a kind. Asked when a socket comes back.
    pub fn permit<F, A>(mut self, kind: &'static str, permit: F) -> Self
    where
        F: Fn(Arc<Actor>, Topic) -> A + Send + Sync + 'static,
        A: Future<Output = Result<bool, Refusal>> + Send + 'static,
    {
        self.permitting.insert(kind, Arc::new(move |actor, topic| Box::pin(permit(actor, topic))));
        self
    }

    /// Names the topics that a signed-in Socket.IO client hears, in the rooms dialect, before it names any itself.
    pub fn at_home<F, A>(mut self, topics: F) -> Self
    where
        F: Fn(UserId) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Vec<Topic>, Refusal>> + Send + 'static,
    {
        self.homes.push(Arc::new(move |user| Box::pin(topics(user))));
        self
    }

    /// The words that are answered.
    pub fn answered(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.answering.keys().copied()
    }

    pub(crate) fn joined(all: Vec<Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut joined, one| {
            joined.answering.extend(one.answering);
            joined.telling.extend(one.telling);
            joined.permitting.extend(one.permitting);
            joined.homes.extend(one.homes);
            for (event, acting) in one.acting {
                joined.acting.entry(event).or_default().extend(acting);
            }
            joined
        })
    }
}
