//! The occasion of a change: when it is made, by whom, and with which randomness.

use stoa_kernel::{Actor, Clock, Id, Random, Timestamp};

use crate::traces;

/// When, by whom and with which randomness something is done. Made once per request or run and handed down, so that
/// everything done on it bears one time and one name.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The one moment everything on this occasion happens at.
    pub at: Timestamp,
    /// Who does it, as kept in events and audit records: `guest`, `user:<id>`, `key:<name>` or `system:<name>`.
    pub actor: String,
    /// Where ids and secrets come from.
    pub random: Random,
    /// The span it is done in, as a `traceparent`, if that is traced: what is queued and told on it goes on below that.
    pub trace: Option<String>,
}

impl Occasion {
    /// Now, by `actor`.
    pub fn new(clock: &Clock, random: &Random, actor: &Actor) -> Self {
        Self::by(actor.to_string(), clock, random)
    }

    /// Now, by a part of the system itself: a sweep, a job, a command.
    pub fn system(clock: &Clock, random: &Random, name: &str) -> Self {
        Self::by(format!("system:{name}"), clock, random)
    }

    fn by(actor: String, clock: &Clock, random: &Random) -> Self {
        Self { at: clock.now(), actor, random: random.clone(), trace: traces::now() }
    }

    /// A fresh id that sorts by this occasion's time.
    pub fn id<K>(&self) -> Id<K> {
        Id::new(self.at, &self.random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_actor_and_keeps_one_time() {
        let clock = stoa_kernel::ManualClock::starting_at(Timestamp::from_seconds(5));
        let occasion = Occasion::system(&clock.clock(), &Random::seeded(1), "sweep");
        clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(occasion.actor, "system:sweep");
        assert_eq!(occasion.at, Timestamp::from_seconds(5));
        assert_ne!(occasion.id::<()>(), occasion.id::<()>());
        let guest = Occasion::new(&clock.clock(), &Random::seeded(1), &Actor::Guest);
        assert_eq!(guest.actor, "guest");
    }
}
