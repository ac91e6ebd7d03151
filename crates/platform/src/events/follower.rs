//! What a follower is: a name, the types it hears, where it begins, and what it does.

use std::sync::Arc;

use super::{HandlerError, StoredEvent};
use crate::database::Tx;

/// Where a follower begins when it is new to this database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartAt {
    /// With what happens from now on: for reactions such as mail and charges, which must never be repeated.
    Head,
    /// With the oldest event kept: for projections.
    Beginning,
}

type Apply = dyn Fn(&mut Tx<'_>, &StoredEvent) -> Result<(), HandlerError> + Send + Sync;

/// A handler of events that keeps its place in the log and moves it in the transaction of its effect.
#[derive(Clone)]
pub struct Follower {
    pub(super) name: &'static str,
    pub(super) types: Vec<&'static str>,
    pub(super) start: StartAt,
    pub(super) ordered: bool,
    pub(super) apply: Arc<Apply>,
}

impl Follower {
    /// A follower of these types (all, when none is named). `apply` may run more than once for an event, but only one
    /// run is committed; it has no effect outside the transaction, so what goes over the network is a job.
    pub fn new<F>(name: &'static str, types: &[&'static str], start: StartAt, apply: F) -> Self
    where
        F: Fn(&mut Tx<'_>, &StoredEvent) -> Result<(), HandlerError> + Send + Sync + 'static,
    {
        Self { name, types: types.to_vec(), start, ordered: true, apply: Arc::new(apply) }
    }

    /// Lets later events of an aggregate pass one that is parked.
    pub fn order_free(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// The name it keeps its place under.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("name", &self.name)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}
