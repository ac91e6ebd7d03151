//! Who a credential belongs to: the question of every request, so the way is short.

use std::{net::IpAddr, sync::Arc};

use sha2::{Digest, Sha256};
use stoa_kernel::{
    Actor, Authenticator, Credentials, Permission, Permissions, Refusal, SessionId, SignedIn, Timestamp,
    UserId,
    actor::Machine,
    authenticate::{Identified, Noted},
};
use stoa_platform::database::{Connection, DatabaseError};
use subtle::ConstantTimeEq;

use crate::{
    Accounts,
    store::{
        sessions::{self, LiveSession},
        users,
    },
    tokens::{invalid_token, unauthenticated},
};

/// What keys of the configuration may do: everything about the catalogue and about orders.
const MACHINE_SCOPE: [&str; 5] = ["product", "category", "package", "offer", "order"];

/// A key of the configuration; only its hash is kept in memory.
pub(crate) struct MachineKey {
    hash: [u8; 32],
    machine: Machine,
}

/// The keys of the configuration, named by their place in it.
pub(crate) fn machine_keys(keys: &[String]) -> Vec<MachineKey> {
    let all = |resource: &&str| Permission { resource: (*resource).to_owned(), action: "*".to_owned() };
    let permissions: Arc<Permissions> = Arc::new(MACHINE_SCOPE.iter().map(all).collect());
    let named = keys.iter().enumerate().map(|(index, key)| MachineKey {
        hash: Sha256::digest(key).into(),
        machine: Machine {
            name: format!("configured-{}", index + 1).into(),
            permissions: Arc::clone(&permissions),
        },
    });
    named.collect()
}

impl Accounts {
    async fn by_token(&self, token: &str) -> Result<Actor, Refusal> {
        let now = self.clock().now();
        let bearer = self.verify_token(token, now).await?;
        let session = self.live_session(bearer.sid, now).await?;
        let session = session.ok_or_else(session_ended)?;
        if session.user != bearer.sub {
            return Err(invalid_token());
        }
        self.person_of(bearer.sid, session, now).await
    }

    /// A token that is brought says itself when it runs out. Here nobody says it but the session.
    async fn by_session(&self, id: SessionId) -> Result<Actor, Refusal> {
        let now = self.clock().now();
        let session = self.live_session(id, now).await?.filter(|session| session.expires_at > now);
        self.person_of(id, session.ok_or_else(session_ended)?, now).await
    }

    async fn person_of(&self, id: SessionId, session: LiveSession, now: Timestamp) -> Result<Actor, Refusal> {
        let permissions = self.permissions_of(&session.role, now).await?;
        Ok(Actor::User(SignedIn { user: session.user, session: id, role: session.role, permissions }))
    }

    /// The session, unless it has ended; read at most a second ago.
    async fn live_session(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, DatabaseError> {
        if let Some(known) = self.sessions().get(&id, now) {
            return Ok(known);
        }
        let found = self.database().get(move |c| sessions::live(c, id)).await?;
        self.sessions().put(id, found.clone(), now);
        Ok(found)
    }

    /// Every key of the configuration is compared, each in constant time, so that the time tells nothing of them.
    async fn by_key(&self, key: &str, client: IpAddr) -> Result<Actor, Refusal> {
        let given: [u8; 32] = Sha256::digest(key).into();
        let mut found = None;
        for known in self.machine_keys() {
            if bool::from(known.hash.ct_eq(&given)) {
                found = Some(&known.machine);
            }
        }
        match found {
            Some(machine) => Ok(Actor::Machine(machine.clone())),
            None => self.by_api_key(key, client).await,
        }
    }
}

impl Authenticator for Accounts {
    fn authenticate<'r>(&'r self, credentials: Credentials<'r>, client: IpAddr) -> Identified<'r> {
        Box::pin(async move {
            match credentials {
                Credentials::Bearer(token) => self.by_token(token).await,
                Credentials::ApiKey(key) => self.by_key(key, client).await,
            }
        })
    }

    fn of_session(&self, session: SessionId) -> Identified<'_> {
        Box::pin(self.by_session(session))
    }

    /// Whoever has a socket open is here, although nothing of theirs is refreshed.
    fn in_use(&self, used: Vec<SessionId>) -> Noted<'_> {
        let now = self.clock().now();
        let known_until = now - self.settings().access_token_ttl / 4;
        let written = self.database().write(move |tx| sessions::used(tx, &used, now, known_until));
        Box::pin(async move { Ok(written.await?) })
    }
}

fn session_ended() -> Refusal {
    unauthenticated("SESSION_ENDED", "The session has ended; sign in again.")
}

impl stoa_contracts::accounts::Accounts for Accounts {
    fn contact(
        &self,
        connection: &mut Connection<'_>,
        user: UserId,
    ) -> Result<Option<stoa_contracts::accounts::Contact>, DatabaseError> {
        let user = users::find(connection, user)?;
        Ok(user.map(|user| stoa_contracts::accounts::Contact { email: user.email, name: user.name }))
    }
}
