//! Telling other domains how people are called. They ask again and again, so the answers are remembered for a moment.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use stoa_contracts::accounts::{People, Person};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::database::{Connection, DatabaseError, Tx};

use crate::{Accounts, brief_cache::BriefCache, store::users};

/// How many people are remembered at most.
const MOST_PEOPLE: u64 = 20_000;

/// People who were asked for a moment ago. Clones share them.
#[derive(Clone)]
pub(crate) struct KnownPeople {
    /// Each with the edition that it was read in.
    people: BriefCache<UserId, (u64, Person)>,
    /// Counts the changes on this node, so that nothing that was read before one is remembered after it.
    edition: Arc<AtomicU64>,
}

impl Default for KnownPeople {
    fn default() -> Self {
        Self { people: BriefCache::new(MOST_PEOPLE), edition: Arc::default() }
    }
}

impl KnownPeople {
    fn edition(&self) -> u64 {
        self.edition.load(Ordering::SeqCst)
    }

    /// Those who are remembered; the others are put into `unknown`.
    fn find(
        &self,
        users: &[UserId],
        (now, edition): (Timestamp, u64),
        unknown: &mut Vec<UserId>,
    ) -> Vec<Person> {
        let mut found = Vec::with_capacity(users.len());
        for user in users {
            match self.people.get(user, now) {
                Some((read_in, person)) if read_in == edition => found.push(person),
                _ => unknown.push(*user),
            }
        }
        found
    }

    /// Remembers what was read in an edition; in another it is not believed.
    fn remember(&self, person: &Person, now: Timestamp, edition: u64) {
        self.people.put(person.id, (edition, person.clone()), now);
    }

    /// When the transaction that changes somebody is committed, how they were called is forgotten.
    pub(crate) fn forget_after_commit(&self, tx: &mut Tx<'_>, user: UserId) {
        let known = self.clone();
        tx.after_commit(move || {
            known.edition.fetch_add(1, Ordering::SeqCst);
            known.people.forget(&user);
        });
    }
}

impl People for Accounts {
    fn people(
        &self,
        connection: &mut Connection<'_>,
        users: &[UserId],
    ) -> Result<Vec<Person>, DatabaseError> {
        let (known, now) = (self.known_people(), self.clock().now());
        let (mut unknown, edition) = (Vec::new(), known.edition());
        let mut found = known.find(users, (now, edition), &mut unknown);
        for person in users::people(connection, &unknown)? {
            known.remember(&person, now, edition);
            found.push(person);
        }
        Ok(found)
    }

    fn edition(&self) -> u64 {
        self.known_people().edition()
    }

    fn called(
        &self,
        connection: &mut Connection<'_>,
        usernames: &[&str],
    ) -> Result<Vec<(String, UserId)>, DatabaseError> {
        users::called(connection, usernames)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (known, now) = (KnownPeople::default(), Timestamp::from_seconds(1));
        let person = Person::gone(Uuid::nil().into());
        let find =
            |known: &KnownPeople| known.find(&[person.id], (now, known.edition()), &mut Vec::new()).len();
        known.remember(&person, now, known.edition());
        assert_eq!(find(&known), 1);
        let before = known.edition();
        known.edition.fetch_add(1, Ordering::SeqCst);
        known.remember(&person, now, before);
        assert_eq!(find(&known), 0);
    }
}
