//! Rate limits counted in Redis: one script, so that an attempt is judged and counted in one step.

use std::sync::LazyLock;

use ::redis::Script;
use sha2::{Digest, Sha256};
use stoa_platform::limits::{Attempt, Judging, SharedCounts, Terms, Verdict};

use super::{Redis, RedisError, measures::Lane, session::Session};

const SECOND: u64 = 1_000_000_000;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

pub(super) fn scripts() -> impl Iterator<Item = &'static Script> {
    std::iter::once(&*TAKE)
}

pub(super) struct Counts {
    redis: Redis,
    lane: Lane,
}

impl Counts {
    pub(super) fn over(redis: Redis, lane: Lane) -> Self {
        Self { redis, lane }
    }

    async fn judge(&self, attempt: Attempt<'_>) -> Option<Verdict> {
        let line = self.redis.line();
        let mut session = line.session()?;
        let key = key(&session.names.limits, attempt.policy, attempt.key);
        let call = call(&key, attempt.terms, attempt.now);
        let (allowed, debt) = line.ask::<(u8, u64)>(&self.lane, &mut session, &call).await?;
        let verdict = verdict(attempt.terms, allowed, debt);
        if verdict.is_none() {
            line.refused(&self.lane, &RedisError::Nonsense("a debt above all bounds"));
        }
        verdict
    }
}

impl SharedCounts for Counts {
    fn take<'a>(&'a self, attempt: Attempt<'a>) -> Judging<'a> {
        Box::pin(self.judge(attempt))
    }
}

/// An attempt that nobody makes.
pub(super) async fn rehearse(session: &mut Session) -> Result<(), RedisError> {
    let terms = Terms { interval: 0, burst: 0 };
    let key = format!("{}rehearsal", session.names.limits);
    let said: (u8, u64) = call(&key, terms, SECOND).invoke_async(&mut session.connection).await?;
    if said == (1, 0) { Ok(()) } else { Err(RedisError::Nonsense("it miscounts")) }
}

/// Seconds and nanoseconds apart: a number of the script's language holds 53 bits.
fn call(key: &str, terms: Terms, now: u64) -> ::redis::ScriptInvocation<'static> {
    let mut call = TAKE.prepare_invoke();
    call.key(key).arg(now / SECOND).arg(now % SECOND).arg(terms.interval).arg(terms.burst);
    call
}

/// Keys are addresses of people, in part, and as long as somebody likes: only their digest leaves this process.
fn key(prefix: &str, policy: &str, key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let digest = digest.iter().take(16).fold(u128::default(), |all, byte| (all << 8) | u128::from(*byte));
    format!("{prefix}{policy}:{digest:032x}")
}

/// What the server says, if it can be true. Its numbers of more than 53 bits are rounded.
fn verdict(terms: Terms, allowed: u8, debt: u64) -> Option<Verdict> {
    const ROUNDED: u64 = 1 << 10;
    let most = terms.burst.max(terms.interval);
    let possible = allowed <= 1 && debt.saturating_sub(ROUNDED) <= most;
    possible.then_some(Verdict { allowed: allowed == 1, debt: debt.min(most) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_nothing_of_whom_they_are() {
        let made = key("stoa:limit:", "auth", "account:bob@example.com");
        assert!(made.starts_with("stoa:limit:auth:") && !made.contains("bob"));
        assert_eq!(made.len(), "stoa:limit:auth:".len() + 32);
        assert_ne!(made, key("stoa:limit:", "auth", "account:ann@example.com"));
    }

    #[test]
    fn what_cannot_be_is_no_verdict() {
        let terms = Terms { interval: 10, burst: 50 };
        assert_eq!(verdict(terms, 1, 50), Some(Verdict { allowed: true, debt: 50 }));
        assert_eq!(verdict(terms, 0, 5_000), None);
        assert_eq!(verdict(terms, 2, 5), None);
    }
}
