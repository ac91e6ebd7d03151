//! A refresh token is good once: for the next pair. Who brings a spent one ends the session, unless it was merely slow.

use std::{sync::Arc, time::Duration};

use stoa_contracts::accounts::TokenReused;
use stoa_kernel::{SessionId, Timestamp};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Accounts,
    account::User,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    open_session::{Opening, SessionKind, SignedInUser},
    store::{
        sessions::{self, SpentToken},
        users,
    },
    tokens::{SecretHash, hash_of},
};

/// Within this time a spent token whose successor is unused means a race of one client with itself, not a theft.
const RACE: Duration = Duration::from_secs(10);

/// What a refresh came to. A reuse is an outcome and no error, because what it ends must be committed.
enum Refreshed {
    Renewed(Box<User>, SessionId),
    Reused,
}

/// What to make of a token that could not be spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Ended,
    Expired,
    Raced,
    Reused,
}

impl SpentToken {
    fn verdict(&self, now: Timestamp) -> Verdict {
        match self.spent_at {
            _ if self.session_ended => Verdict::Ended,
            None => Verdict::Expired,
            Some(spent_at) if self.successor_unused && now.since(spent_at) <= RACE => Verdict::Raced,
            Some(_) => Verdict::Reused,
        }
    }
}

impl Accounts {
    /// Spends a refresh token for a new pair of the same session.
    pub(crate) async fn refresh(
        &self,
        occasion: Occasion,
        client: Client,
        token: &str,
    ) -> Result<SignedInUser, AccountError> {
        let hash = hash_of(token);
        let opening = Arc::new(self.opening(SessionKind::Refreshed, &occasion));
        let (accounts, opens, now) = (self.clone(), Arc::clone(&opening), occasion.at);
        let refreshed = self
            .database()
            .write(move |tx| match opens.renew(tx, &hash, occasion.at)? {
                Some((user, session)) => Ok(Refreshed::Renewed(Box::new(user), session)),
                None => accounts.judge(tx, &hash, &occasion, &client),
            })
            .await?;
        match refreshed {
            Refreshed::Renewed(user, session) => self.opened(*user, session, &opening, now).await,
            Refreshed::Reused => Err(AccountError::RefreshTokenReused),
        }
    }

    fn judge(
        &self,
        tx: &mut Tx<'_>,
        hash: &SecretHash,
        occasion: &Occasion,
        client: &Client,
    ) -> Result<Refreshed, AccountError> {
        let token = sessions::find_token(tx, hash)?.ok_or(AccountError::InvalidRefreshToken)?;
        match token.verdict(occasion.at) {
            Verdict::Ended => Err(AccountError::InvalidRefreshToken),
            Verdict::Expired => Err(AccountError::RefreshTokenExpired),
            Verdict::Raced => Err(AccountError::RefreshRaced),
            Verdict::Reused => {
                self.end_session(tx, occasion, token.session)?;
                let event = TokenReused { user_id: token.user, address: client.address.clone() };
                events::append(tx, occasion, &event)?;
                let note = Note::new(kind::TOKEN_REUSED, format!("user:{}", token.user)).from(client);
                note.with(serde_json::json!({"session": token.session})).write(tx, occasion)?;
                tracing::warn!(user.id = %token.user, session.id = %token.session, "a spent refresh token came back");
                Ok(Refreshed::Reused)
            }
        }
    }
}

impl Opening {
    /// Puts this opening's refresh token in the place of the one of this hash; `None` when that cannot be spent.
    fn renew(
        &self,
        tx: &mut Tx<'_>,
        hash: &SecretHash,
        at: Timestamp,
    ) -> Result<Option<(User, SessionId)>, AccountError> {
        let Some(refresh) = &self.refresh else { return Ok(None) };
        let Some(session) = sessions::spend(tx, hash, &refresh.hash, at)? else { return Ok(None) };
        let user = sessions::prolong(tx, session, at, self.expires_at)?;
        let user = user.ok_or(AccountError::InvalidRefreshToken)?;
        sessions::insert_token(tx, session, &refresh.hash, Some(hash), self.expires_at)?;
        let user = users::find(tx, user)?.ok_or(AccountError::InvalidRefreshToken)?;
        Ok(Some((user, session)))
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Random, UserId};

    use super::*;

    fn spent(seconds_ago: u64, successor_unused: bool) -> (SpentToken, Timestamp) {
        let now = Timestamp::from_seconds(1_000_000);
        let random = Random::seeded(1);
        let token = SpentToken {
            session: SessionId::new(now, &random),
            user: UserId::new(now, &random),
            session_ended: false,
            spent_at: Some(now - Duration::from_secs(seconds_ago)),
            successor_unused,
        };
        (token, now)
    }

    #[test]
    fn a_slow_twin_is_told_apart_from_a_thief() {
        let verdict = |(token, now): (SpentToken, Timestamp)| token.verdict(now);
        assert_eq!(verdict(spent(0, true)), Verdict::Raced);
        assert_eq!(verdict(spent(10, true)), Verdict::Raced);
        assert_eq!(verdict(spent(11, true)), Verdict::Reused);
        assert_eq!(verdict(spent(0, false)), Verdict::Reused);
    }

    #[test]
    fn an_ended_session_and_an_old_token_are_no_reuse() {
        let (token, now) = spent(11, false);
        assert_eq!(SpentToken { session_ended: true, ..token.clone() }.verdict(now), Verdict::Ended);
        assert_eq!(SpentToken { spent_at: None, ..token }.verdict(now), Verdict::Expired);
    }
}
