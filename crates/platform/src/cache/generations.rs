//! Which tags were invalidated when: the rule that keeps a stale answer from being served.
//!
//! One counter numbers the invalidations. An answer remembers the number that stood when its making began; it holds
//! as long as none of its tags carries a later one.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

use super::Tag;
use crate::prehashed::Prehashed;

/// How many invalidations there had been at some moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Generation(pub(super) u64);

#[derive(Debug)]
pub(crate) struct Generations {
    current: AtomicU64,
    stamps: RwLock<Stamps>,
    max_tags: usize,
}

#[derive(Default, Debug)]
struct Stamps {
    /// Everything begun before this one is invalid, whatever its tags.
    floor: u64,
    by_tag: HashMap<Tag, u64, Prehashed>,
}

impl Generations {
    pub(crate) fn new(max_tags: usize) -> Self {
        Self { current: AtomicU64::new(0), stamps: RwLock::default(), max_tags }
    }

    pub(crate) fn current(&self) -> Generation {
        Generation(self.current.load(Ordering::Acquire))
    }

    /// Invalidates whatever was begun before now and depends on one of `tags`.
    pub(crate) fn stamp(&self, tags: &[Tag]) {
        let mut stamps = self.stamps.write();
        let next = self.current.load(Ordering::Relaxed) + 1;
        if stamps.by_tag.len() + tags.len() > self.max_tags {
            stamps.by_tag.clear();
            stamps.floor = next;
        } else {
            stamps.by_tag.extend(tags.iter().map(|tag| (*tag, next)));
        }
        // Last, so that whoever reads the new number without the lock began after everything stamped with it.
        self.current.store(next, Ordering::Release);
    }

    /// Invalidates whatever was begun before now.
    pub(super) fn stamp_all(&self) {
        let mut stamps = self.stamps.write();
        let next = self.current.load(Ordering::Relaxed) + 1;
        stamps.by_tag.clear();
        stamps.floor = next;
        self.current.store(next, Ordering::Release);
    }

    /// Whether what began at `began` and depends on `tags` still holds; if so, up to which generation that is known.
    pub(crate) fn confirm(&self, began: Generation, tags: &[Tag]) -> Option<Generation> {
        let stamps = self.stamps.read();
        // Nobody stamps while we hold the lock, so the number and the stamps belong together.
        let seen = self.current();
        let holds = stamps.floor <= began.0
            && tags.iter().all(|tag| stamps.by_tag.get(tag).is_none_or(|stamp| *stamp <= began.0));
        holds.then_some(seen)
    }

    #[cfg(test)]
    fn tags(&self) -> usize {
        self.stamps.read().by_tag.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Tag = Tag::named("a");
    const B: Tag = Tag::named("b");

    #[test]
    fn only_what_began_before_and_bears_the_tag_falls() {
        let generations = Generations::new(10);
        let before = generations.current();
        generations.stamp(&[A]);
        assert_eq!(generations.confirm(before, &[B, A]), None);
        assert_eq!(generations.confirm(before, &[B]), Some(Generation(1)));
        assert_eq!(generations.confirm(generations.current(), &[A]), Some(Generation(1)));
    }

    #[test]
    fn an_overflow_forgets_the_tags_and_fells_all_that_is_older() {
        let generations = Generations::new(100);
        generations.stamp(&[A]);
        let before = generations.current();
        for n in 0..1_000 {
            generations.stamp(&[Tag::of("n", n)]);
            assert!(generations.tags() <= 100);
        }
        assert_eq!(generations.confirm(before, &[B]), None, "nobody knows any more whether B was stamped");
        assert!(generations.confirm(generations.current(), &[A, B]).is_some());
    }

    #[test]
    fn more_tags_at_once_than_fit_are_covered_too() {
        let generations = Generations::new(2);
        let before = generations.current();
        generations.stamp(&[A, B, Tag::named("c")]);
        assert_eq!(generations.confirm(before, &[A]), None);
    }
}
