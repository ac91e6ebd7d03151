//! The door to counts that several nodes share.

use std::pin::Pin;

/// A policy in the numbers of its bucket, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What one attempt costs.
    pub interval: u64,
    /// The most a key may owe.
    pub burst: u64,
}

/// One attempt to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The name of its policy; what is counted under one name counts under no other.
    pub policy: &'static str,
    /// Whose attempt it is.
    pub key: &'a str,
    /// The numbers of the policy.
    pub terms: Terms,
    /// When, in nanoseconds since the epoch.
    pub now: u64,
}

/// What was decided about an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Whether it may be done.
    pub allowed: bool,
    /// What its key owes now, in nanoseconds; never more than the burst.
    pub debt: u64,
}

/// A verdict to wait for; `None` when there is none and the node has to count by itself.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Option<Verdict>> + Send + 'a>>;

/// Counts of all nodes in one place.
pub trait SharedCounts: Send + Sync {
    /// Counts an attempt by the rule of this module: debts above `burst` are `burst`; the attempt is allowed when
    /// `debt + interval` is at most `burst`, and then owes it. It answers soon, whatever becomes of that place.
    fn take<'a>(&'a self, attempt: Attempt<'a>) -> Judging<'a>;
}
