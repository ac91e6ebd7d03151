//! Who is subscribed to what.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{Dialect, Topic, peer::Peer, sockets::Hearer};

/// A socket that hears a topic, in a dialect and under a name.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) peer: Arc<Peer>,
    pub(crate) topic: Topic,
    pub(crate) dialect: Dialect,
    /// What the client calls the thing, unless that is its id.
    pub(crate) name: Option<Arc<str>>,
    /// The place of the log after which it is heard.
    pub(crate) since: i64,
    /// Whether it came with being signed in, and is not to be kept.
    pub(crate) by_itself: bool,
    /// Cleared when it ends, for those who hold the list of an earlier moment.
    active: AtomicBool,
    slot: AtomicUsize,
}

/// What is wanted of a new subscription.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) topic: Topic,
    pub(crate) dialect: Dialect,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) by_itself: bool,
}

impl Subscription {
    pub(crate) fn new(peer: &Arc<Peer>, wanted: Wanted, since: i64) -> Arc<Self> {
        let Wanted { topic, dialect, name, by_itself } = wanted;
        Arc::new(Self {
            peer: Arc::clone(peer),
            topic,
            dialect,
            name,
            since,
            by_itself,
            active: AtomicBool::new(true),
            slot: AtomicUsize::new(0),
        })
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }
}

/// Those who hear a topic in the same words: they are all told with one encoding.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) topic: Topic,
    pub(crate) dialect: Dialect,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) members: Arc<Vec<Arc<Subscription>>>,
}

impl Group {
    fn is_of(&self, subscription: &Subscription) -> bool {
        self.dialect == subscription.dialect && self.name == subscription.name
    }

    pub(crate) fn hearer(&self) -> Hearer<'_> {
        Hearer { dialect: self.dialect, topic: &self.topic, name: self.name.as_deref() }
    }
}

/// All subscriptions of a node, and how far it has heard the log.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    /// Every event up to this place was told, or is just being told, to those who were subscribed.
    pub(crate) heard: i64,
    groups: HashMap<Topic, Vec<Group>>,
}

impl Topics {
    pub(crate) fn add(&mut self, subscription: Arc<Subscription>) {
        let groups = self.groups.entry(subscription.topic.clone()).or_default();
        if !groups.iter().any(|group| group.is_of(&subscription)) {
            groups.push(Group {
                topic: subscription.topic.clone(),
                dialect: subscription.dialect,
                name: subscription.name.clone(),
                members: Arc::default(),
            });
        }
        let Some(group) = groups.iter_mut().find(|group| group.is_of(&subscription)) else { return };
        // Copied only while somebody is told with the list as it was.
        let members = Arc::make_mut(&mut group.members);
        subscription.slot.store(members.len(), Ordering::Relaxed);
        members.push(subscription);
    }

    pub(crate) fn remove(&mut self, subscription: &Subscription) {
        subscription.active.store(false, Ordering::Release);
        self.take_out(subscription);
    }

    /// Another subscription of the same socket takes its place. What is just being told it still hears: its follower only
    /// hears what comes after.
    pub(crate) fn take_out(&mut self, subscription: &Subscription) {
        let Some(groups) = self.groups.get_mut(&subscription.topic) else { return };
        if let Some(group) = groups.iter_mut().find(|group| group.is_of(subscription)) {
            let members = Arc::make_mut(&mut group.members);
            let slot = subscription.slot.load(Ordering::Relaxed);
            if members.get(slot).is_some_and(|found| std::ptr::eq(found.as_ref(), subscription)) {
                members.swap_remove(slot);
                if let Some(moved) = members.get(slot) {
                    moved.slot.store(slot, Ordering::Relaxed);
                }
            }
        }
        groups.retain(|group| !group.members.is_empty());
        if groups.is_empty() {
            self.groups.remove(&subscription.topic);
        }
    }

    /// Those who hear a topic at this moment.
    pub(crate) fn hearing(&self, topic: &str) -> Vec<Group> {
        self.groups.get(topic).cloned().unwrap_or_default()
    }

    /// How many topics anybody hears.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}
