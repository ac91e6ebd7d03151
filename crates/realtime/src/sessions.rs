//! Keeping what sockets hear, so that their clients can take it up again.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use stoa_kernel::SessionId;
use stoa_platform::{
    database::{Database, DatabaseError},
    jobs::{Handler, Job, JobContext, Schedule},
};

use crate::{
    Hub,
    ledger::Change,
    peer::Peer,
    sockets::Effect,
    store::{self, SessionHash},
};

/// Sessions prolonged in one statement.
const PROLONGED_AT_ONCE: usize = 256;
/// Sessions forgotten in one transaction at most.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

impl Hub {
    /// Keeps what a socket hears; false when its session is another socket's by now.
    pub(crate) async fn keep(&self, peer: &Peer) -> Result<bool, DatabaseError> {
        let (session, claim, seat) = (peer.session, peer.claim, peer.kept_seat());
        self.0.ledger.write(Change::Keep { session, claim, seat }).await
    }

    /// Until when a session lives that somebody has now.
    pub(crate) fn alive_until(&self) -> stoa_kernel::Timestamp {
        self.0.platform.clock.now() + self.settings().recovery_window
    }

    /// From here on the session of a socket that has gone waits for its client.
    pub(crate) async fn rest(&self, session: SessionHash) {
        let rested = self.0.ledger.write(Change::Rest { session, alive_until: self.alive_until() }).await;
        if let Err(error) = rested {
            // It lives on from when it was prolonged last, which was not long ago.
            tracing::debug!(%error, "a socket's session was not prolonged");
        }
    }

    /// Prolongs the sessions of sockets that are there, and ends sockets whose login has run out without anybody ending
    /// it.
    pub(crate) async fn look_after_sessions(&self) {
        let look_every = self.settings().look_after_logins;
        let prolong_every = (self.settings().recovery_window / 8).max(look_every);
        let mut prolonged = Instant::now();
        loop {
            tokio::time::sleep(look_every).await;
            let logins = self.0.roster.lock().logins();
            self.note_use(&logins).await;
            for login in logins {
                if let Err(refusal) = self.0.authenticator.of_session(login).await
                    && refusal.kind == stoa_kernel::RefusalKind::Unauthenticated
                {
                    self.take_effect(Effect::EndLogin(login));
                }
            }
            if prolonged.elapsed() >= prolong_every {
                prolonged = Instant::now();
                self.prolong_all().await;
            }
        }
    }

    /// A login session is used while a socket is open by it.
    async fn note_use(&self, logins: &[SessionId]) {
        for some in logins.chunks(PROLONGED_AT_ONCE) {
            if let Err(refusal) = self.0.authenticator.in_use(some.to_vec()).await {
                tracing::warn!(
                    code = refusal.code,
                    source = refusal.source.as_deref(),
                    "that people are here was not noted"
                );
            }
        }
    }

    async fn prolong_all(&self) {
        let (sessions, until) = (self.0.roster.lock().sessions(), self.alive_until());
        for some in sessions.chunks(PROLONGED_AT_ONCE) {
            let some = some.to_vec();
            let prolonged = self.0.platform.database.write(move |tx| store::prolong(tx, &some, until)).await;
            if let Err(error) = prolonged {
                tracing::warn!(%error, "sessions of sockets were not prolonged");
            }
        }
    }
}

/// The job that forgets sessions nobody came back to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ForgetSessions {}

impl Job for ForgetSessions {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "forget-socket-sessions";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

impl ForgetSessions {
    /// Its handler.
    pub fn handler(database: &Database) -> Handler {
        let database = database.clone();
        Handler::of::<Self>(move |_: Self, context: JobContext| {
            let (database, now) = (database.clone(), context.clock.now());
            async move {
                let forget = || database.write(move |tx| store::prune(tx, now, FORGOTTEN_AT_ONCE));
                while forget().await? >= u64::from(FORGOTTEN_AT_ONCE) {}
                Ok(())
            }
        })
    }

    /// Once an hour.
    pub fn schedule() -> Schedule {
        Schedule::of::<Self>("forget-socket-sessions", "41 * * * *", Self {})
    }
}
