//! What is kept of sockets is written many to a transaction: when a crowd comes, or goes, each of them waits for the same
//! commits.

use std::sync::Arc;

use stoa_kernel::{SessionId, Timestamp};
use stoa_platform::database::{Bounds, Database, DatabaseError, Entered, Lanes, Tx, together_or_alone};
use tokio::sync::oneshot;

use crate::store::{self, Kept, KeptSeat, SessionHash};

/// As many changes wait as a node may have sockets that come at once, and a transaction of so many is still short.
const BOUNDS: Bounds = Bounds { in_queue: 16_384, in_all: 16_384, together: 256 };

/// A change of what is kept of a socket.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It begins.
    Begin(SessionHash, Kept),
    /// It is the next socket's, whose login session this is, if it is as it was seen.
    Claim { session: SessionHash, seen: i64, login: SessionId, alive_until: Timestamp },
    /// It hears this now, if it is still this socket's.
    Keep { session: SessionHash, claim: i64, seat: KeptSeat },
    /// It waits for its client.
    Rest { session: SessionHash, alive_until: Timestamp },
}

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<bool, DatabaseError>>,
}

/// Where changes wait for each other. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Inside>);

struct Inside {
    database: Database,
    lanes: Lanes<(), Waiting>,
}

impl Ledger {
    pub(crate) fn of(database: &Database) -> Self {
        let lanes = Lanes::of(database.engine(), BOUNDS);
        Self(Arc::new(Inside { database: database.clone(), lanes }))
    }

    /// Makes a change; it is kept when this resolves. False when the session is not as the change expects.
    pub(crate) async fn write(&self, change: Change) -> Result<bool, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        match self.0.lanes.enter((), Waiting { change, answer }) {
            Entered::Full => return Err(unavailable("too many sockets come and go")),
            Entered::Behind => {}
            Entered::First => {
                let ledger = self.clone();
                tokio::spawn(async move {
                    ledger.0.lanes.serve((), |waiting| ledger.write_together(waiting)).await;
                });
            }
        }
        answered.await.unwrap_or_else(|_| Err(unavailable("keeping a socket was interrupted")))
    }

    async fn write_together(&self, waiting: Vec<Waiting>) {
        let (changes, answers): (Vec<Change>, Vec<_>) =
            waiting.into_iter().map(|one| (one.change, one.answer)).unzip();
        let write = |changes: Arc<[Change]>| self.0.database.write(move |tx| apply(tx, &changes));
        let outcomes = together_or_alone(changes, write).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

/// Makes all of these changes, session by session, so that no two nodes wait for each other, and each session's in their
/// order; but first sessions begin, to which nothing can have happened before. Answers of each whether it found what it
/// expects.
fn apply(tx: &mut Tx<'_>, changes: &[Change]) -> Result<Vec<bool>, DatabaseError> {
    let mut by_session: Vec<(usize, &Change)> = changes.iter().enumerate().collect();
    by_session.sort_by_key(|(_, change)| change.session());
    let begun = by_session.iter().filter_map(|(_, change)| match change {
        Change::Begin(session, kept) => Some((*session, kept)),
        _ => None,
    });
    store::insert(tx, &begun.collect::<Vec<_>>())?;
    let mut found = Vec::with_capacity(changes.len());
    for (place, change) in by_session {
        found.push((place, change.apply(tx)?));
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

impl Change {
    const fn session(&self) -> SessionHash {
        match self {
            Self::Begin(session, _)
            | Self::Claim { session, .. }
            | Self::Keep { session, .. }
            | Self::Rest { session, .. } => *session,
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, DatabaseError> {
        match self {
            // With all others that begin.
            Self::Begin(..) => Ok(true),
            Self::Claim { session, seen, login, alive_until } => {
                store::claim(tx, *session, (*seen, *login), *alive_until)
            }
            Self::Keep { session, claim, seat } => store::keep(tx, *session, *claim, seat),
            Self::Rest { session, alive_until } => {
                store::prolong(tx, &[*session], *alive_until).map(|()| true)
            }
        }
    }
}

fn unavailable(why: &str) -> DatabaseError {
    DatabaseError::Unavailable(why.into())
}
