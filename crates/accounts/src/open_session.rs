//! A session is opened by registering or signing in, and what the client is given for it.

use std::time::Duration;

use serde::Serialize;
use stoa_kernel::{SessionId, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};
use utoipa::ToSchema;

use crate::{
    Accounts,
    account::{User, UserView},
    client::Client,
    error::AccountError,
    store::sessions::{self, NewSession},
    tokens::Secret,
};

/// How a session is kept alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionKind {
    /// A short access token, renewed by a refresh token.
    Refreshed,
    /// The one long token of the v0 surface.
    OneToken,
}

/// A session about to be opened; made before the transaction, so that a transaction that runs again opens the same.
pub(crate) struct Opening {
    pub(crate) id: SessionId,
    pub(crate) refresh: Option<Secret>,
    access_ttl: Duration,
    pub(crate) expires_at: Timestamp,
}

impl Opening {
    /// Opens it for `user` in this transaction.
    pub(crate) fn open(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        client: &Client,
        occasion: &Occasion,
    ) -> Result<(), DatabaseError> {
        let session = NewSession { id: self.id, user, at: occasion.at, expires_at: self.expires_at };
        sessions::insert(tx, &session, client)?;
        if let Some(refresh) = &self.refresh {
            sessions::insert_token(tx, self.id, &refresh.hash, None, self.expires_at)?;
        }
        Ok(())
    }
}

/// Who signed in, and the tokens for it.
pub(crate) struct SignedInUser {
    pub(crate) user: User,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_in: Duration,
}

/// Who signed in, and the tokens for it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedIn)]
pub(crate) struct SignedInView {
    user: UserView,
    /// For `Authorization: Bearer …`.
    access_token: String,
    /// For one call of refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: u64,
}

impl From<SignedInUser> for SignedInView {
    fn from(signed_in: SignedInUser) -> Self {
        Self {
            user: UserView::own(signed_in.user),
            access_token: signed_in.access_token,
            refresh_token: signed_in.refresh_token,
            token_type: "Bearer",
            expires_in: signed_in.expires_in.as_secs(),
        }
    }
}

impl Accounts {
    /// A session of this kind, about to be opened.
    pub(crate) fn opening(&self, kind: SessionKind, occasion: &Occasion) -> Opening {
        let settings = self.settings();
        let (access_ttl, lifetime, refresh) = match kind {
            SessionKind::Refreshed => {
                let lifetime = settings.refresh_token_ttl.max(settings.access_token_ttl);
                (settings.access_token_ttl, lifetime, Some(Secret::new(&occasion.random)))
            }
            SessionKind::OneToken => (settings.v0_token_ttl, settings.v0_token_ttl, None),
        };
        Opening { id: occasion.id(), refresh, access_ttl, expires_at: occasion.at + lifetime }
    }

    /// What the client is given for a session that was opened.
    pub(crate) async fn opened(
        &self,
        user: User,
        session: SessionId,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<SignedInUser, AccountError> {
        Ok(SignedInUser {
            access_token: self.sign_token(&user, session, now, opening.access_ttl).await?,
            refresh_token: opening.refresh.as_ref().map(|secret| secret.token.clone()),
            expires_in: opening.access_ttl,
            user,
        })
    }
}
