//! Signing in by key: the question of every request a program makes, so what was answered is believed for a second, and
//! that a key was used is written down once a minute at most.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use stoa_kernel::{Actor, Refusal, RefusalKind, Timestamp, actor::Machine};
use stoa_platform::database::DatabaseError;
use subtle::ConstantTimeEq;

use super::{draft, maker, networks};
use crate::{
    Accounts,
    store::api_keys::{self, ApiKeyId, KnownKey},
    tokens::{SecretHash, hash_of, unauthenticated},
};

/// How old a kept last use may become while its key is being used.
const NOTED_EVERY: Duration = Duration::from_mins(1);
/// How many uses wait to be written at most; a use that finds no place is noted by a later request.
const MOST_WAITING: usize = 10_000;

impl Accounts {
    /// Who a key is, seen from this client: 401 for a key that is none or no more, 403 for one that is elsewhere's.
    pub(crate) async fn by_api_key(&self, text: &str, client: IpAddr) -> Result<Actor, Refusal> {
        if !draft::is_well_formed(text) {
            return Err(invalid_key());
        }
        let (hash, now) = (hash_of(text), self.clock().now());
        let used = self.known_key(hash, now).await?.ok_or_else(invalid_key)?;
        let key = &used.key;
        // The database found it by its hash, which tells no more of the key than the hash did; still no early end here.
        if !bool::from(key.hash.ct_eq(&hash)) {
            return Err(invalid_key());
        }
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(unauthenticated("API_KEY_EXPIRED", "The API key has expired."));
        }
        let Some(machine) = &used.machine else { return Err(maker_gone()) };
        if !networks::admit(&key.networks, client) {
            tracing::warn!(key.id = %key.id, %client, "an API key was used from outside its networks");
            return Err(elsewhere());
        }
        if used.is_to_be_noted(now) && self.last_uses().add(key.id, now) {
            tokio::spawn(write_uses(self.clone()));
        }
        Ok(Actor::Machine(machine.clone()))
    }

    /// The key of this hash; read at most a second ago. What is no key is not remembered: it would push keys out.
    async fn known_key(
        &self,
        hash: SecretHash,
        now: Timestamp,
    ) -> Result<Option<Arc<KeyInUse>>, DatabaseError> {
        if let Some(known) = self.api_keys().get(&hash, now) {
            return Ok(Some(known));
        }
        let read = self.database().get(move |c| {
            let Some(key) = api_keys::by_hash(c, &hash)? else { return Ok(None) };
            let left = maker::left_of(c, &key.scopes, &key.created_by, now)?;
            Ok::<_, DatabaseError>(Some((key, left)))
        });
        let Some((key, left)) = read.await? else { return Ok(None) };
        let machine =
            left.map(|left| Machine { name: key.id.to_string().into(), permissions: Arc::new(left) });
        let noted = AtomicI64::new(key.last_used_at.unwrap_or_default().as_micros());
        let key = Arc::new(KeyInUse { key, machine, noted });
        self.api_keys().put(hash, Arc::clone(&key), now);
        Ok(Some(key))
    }
}

/// A key that was read a moment ago.
pub(crate) struct KeyInUse {
    key: KnownKey,
    /// What it may do at present; nothing when its maker is no more.
    machine: Option<Machine>,
    /// The last use that was written down or is about to be, in microseconds.
    noted: AtomicI64,
}

impl KeyInUse {
    /// Whether this use is to be written down: of all requests of a minute one is told so.
    fn is_to_be_noted(&self, now: Timestamp) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        now.since(Timestamp::from_micros(noted)) >= NOTED_EVERY
            && self
                .noted
                .compare_exchange(noted, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// The last uses of keys that are still to be written: one writer at a time takes all that wait, so that however many
/// requests there are, there is never more than one write on its way.
#[derive(Default)]
pub(crate) struct LastUses(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    uses: HashMap<ApiKeyId, Timestamp>,
    writing: bool,
}

impl LastUses {
    /// Notes a use; true when somebody must begin to write.
    fn add(&self, key: ApiKeyId, at: Timestamp) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.uses.len() < MOST_WAITING {
            waiting.uses.insert(key, at);
        }
        !std::mem::replace(&mut waiting.writing, true)
    }

    /// Everything that waits; with nothing left the writer is done.
    fn take(&self) -> Option<Vec<(ApiKeyId, Timestamp)>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.writing = !waiting.uses.is_empty();
        waiting.writing.then(|| waiting.uses.drain().collect())
    }
}

async fn write_uses(accounts: Accounts) {
    while let Some(mut uses) = accounts.last_uses().take() {
        // In one order everywhere, so that two nodes never wait for each other.
        uses.sort_unstable();
        let written = accounts
            .database()
            .write(move |tx| uses.iter().try_for_each(|(key, at)| api_keys::touch(tx, *key, *at)));
        if let Err(error) = written.await {
            tracing::warn!(%error, "the last use of API keys could not be written down");
        }
    }
}

fn invalid_key() -> Refusal {
    unauthenticated("INVALID_API_KEY", "The API key is not valid.")
}

fn maker_gone() -> Refusal {
    unauthenticated("API_KEY_MAKER_GONE", "Whoever made this API key is not here any more.")
}

fn elsewhere() -> Refusal {
    let detail = "The API key cannot be used from this address.";
    Refusal::new(RefusalKind::Forbidden, "API_KEY_NETWORK", detail)
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Permissions, Random};

    use super::*;

    fn key(last_used_at: Option<Timestamp>) -> KeyInUse {
        let id = ApiKeyId::new(Timestamp::from_seconds(1), &Random::system());
        let noted = AtomicI64::new(last_used_at.unwrap_or_default().as_micros());
        let (scopes, created_by) = (Permissions::default(), "user:ada".to_owned());
        let (networks, expires_at) = (vec![], None);
        let key = KnownKey { id, hash: [0; 32], scopes, created_by, networks, expires_at, last_used_at };
        KeyInUse { key, machine: None, noted }
    }

    #[test]
    fn one_use_a_minute_is_noted() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let unused = key(None);
        assert!(unused.is_to_be_noted(now) && !unused.is_to_be_noted(now));
        assert!(!unused.is_to_be_noted(now + Duration::from_secs(59)));
        assert!(unused.is_to_be_noted(now + NOTED_EVERY));
        assert!(!key(Some(now)).is_to_be_noted(now + Duration::from_secs(59)));
    }

    #[test]
    fn one_writer_takes_all_uses() {
        let now = Timestamp::from_seconds(1_000);
        let [first, second] = [0, 1].map(|_| ApiKeyId::new(now, &Random::system()));
        let uses = LastUses::default();
        assert!(uses.add(first, now));
        assert!(!uses.add(second, now), "somebody is writing");
        assert_eq!(uses.take().map(|taken| taken.len()), Some(2));
        assert!(!uses.add(second, now), "still writing");
        assert_eq!(uses.take().map(|taken| taken.len()), Some(1));
        assert_eq!(uses.take(), None);
        assert!(uses.add(second, now), "nobody writes any more");
    }
}
