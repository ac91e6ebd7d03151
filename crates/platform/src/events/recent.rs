//! The newest events, as the one writer of SQLite committed them: whoever hears the log on this node has them without
//! reading them back.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::StoredEvent;

/// What is kept at most. Whoever is further behind reads the log.
const MOST_EVENTS: usize = 1_024;
const MOST_BYTES: usize = 1024 * 1024;

/// What a transaction did to the log.
#[derive(Debug, Default)]
pub(crate) struct Appended {
    events: Vec<StoredEvent>,
    bytes: usize,
    /// There was more than is kept, or something older was rewritten.
    unkept: bool,
}

impl Appended {
    pub(crate) fn push(&mut self, event: StoredEvent) {
        self.bytes += event.payload.len();
        if self.events.len() >= MOST_EVENTS || self.bytes > MOST_BYTES {
            self.give_up();
        }
        if !self.unkept {
            self.events.push(event);
        }
    }

    /// What is in memory does not tell all of it.
    pub(crate) fn give_up(&mut self) {
        self.unkept = true;
        self.events = Vec::new();
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// A part of the transaction is undone.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.events.truncate(len);
    }
}

/// The newest events without a gap, in order.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

impl Recent {
    /// Takes in what was committed, in the order of the commits.
    pub(crate) fn take_in(&self, appended: Appended) {
        let mut kept = self.0.lock();
        if appended.unkept {
            *kept = Kept::default();
        }
        for event in appended.events {
            kept.push(event);
        }
    }

    /// Events after `pos`, some at a time; nothing when memory does not have all of them.
    pub(super) fn after(&self, pos: i64, most: usize) -> Option<Vec<Arc<StoredEvent>>> {
        let kept = self.0.lock();
        let skipped = usize::try_from(pos + 1 - kept.events.front()?.pos).ok()?;
        (skipped <= kept.events.len()).then(|| kept.events.iter().skip(skipped).take(most).cloned().collect())
    }
}

impl Kept {
    fn push(&mut self, event: StoredEvent) {
        // Another process may have written in between.
        if self.events.back().is_some_and(|last| last.pos + 1 != event.pos) {
            *self = Self::default();
        }
        self.bytes += event.payload.len();
        self.events.push_back(Arc::new(event));
        while (self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.payload.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Timestamp;

    use super::*;

    fn event(pos: i64, bytes: usize) -> StoredEvent {
        StoredEvent {
            pos,
            id: uuid::Uuid::nil().into(),
            topic: "t".into(),
            kind: "k".into(),
            aggregate: "a".into(),
            version: 0,
            actor: "guest".into(),
            at: Timestamp::from_seconds(0),
            payload: "x".repeat(bytes),
            trace: None,
        }
    }

    fn appended(places: impl IntoIterator<Item = i64>) -> Appended {
        let mut appended = Appended::default();
        places.into_iter().for_each(|pos| appended.push(event(pos, 1)));
        appended
    }

    fn places(recent: &Recent, after: i64) -> Option<Vec<i64>> {
        Some(recent.after(after, 1_000)?.iter().map(|event| event.pos).collect())
    }

    #[test]
    fn what_follows_a_place_is_there_unless_some_of_it_is_not() {
        let recent = Recent::default();
        assert_eq!(places(&recent, 0), None);
        recent.take_in(appended(5..8));
        recent.take_in(appended(8..10));
        assert_eq!(places(&recent, 4), Some(vec![5, 6, 7, 8, 9]));
        assert_eq!(places(&recent, 8), Some(vec![9]));
        assert_eq!(places(&recent, 9), Some(vec![]));
        assert_eq!(places(&recent, 3), None);
        assert_eq!(places(&recent, 10), None, "somebody else has written");
        recent.take_in(appended([12]));
        assert_eq!((places(&recent, 9), places(&recent, 11)), (None, Some(vec![12])));
    }

    #[test]
    fn what_is_too_much_or_was_rewritten_is_read_from_the_log() {
        let recent = Recent::default();
        recent.take_in(appended(1..=2_000));
        assert_eq!(places(&recent, 1_999), None);
        recent.take_in(appended(2_001..2_901));
        recent.take_in(appended(2_901..3_801));
        assert_eq!(places(&recent, 3_800 - 1_025), None);
        assert_eq!(places(&recent, 3_800 - 1_024).map(|places| places.len()), Some(1_000));
        let mut large = Appended::default();
        large.push(event(3_801, MOST_BYTES + 1));
        recent.take_in(large);
        assert_eq!(places(&recent, 3_800), None);
        recent.take_in(appended([3_802]));
        let mut rewriting = appended([3_803]);
        rewriting.give_up();
        recent.take_in(rewriting);
        assert_eq!(places(&recent, 3_801), None);
    }
}
