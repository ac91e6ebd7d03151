//! Signing in, and what happens to those who fail at it.

use std::sync::Arc;

use serde_json::json;
use stoa_contracts::accounts::{AccountLocked, LoginFailed, LoginSucceeded};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
};

use crate::{
    Accounts,
    account::User,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    lockout::LOCKED_FOR,
    mail_lockout::MailLockout,
    open_session::{SessionKind, SignedInUser},
    password::HashedPassword,
    store::{failures, users},
};

/// Who is trying to sign in: an identifier in its folded form, and a password not yet looked at.
pub(crate) struct Attempt {
    pub(crate) identifier: String,
    pub(crate) password: String,
}

impl Accounts {
    /// Signs somebody in. An unknown identifier and a wrong password look the same and take the same time.
    pub(crate) async fn login(
        &self,
        occasion: Occasion,
        client: Client,
        attempt: Attempt,
        session: SessionKind,
    ) -> Result<SignedInUser, AccountError> {
        let Attempt { identifier, password } = attempt;
        let (known, checked) = match self.account_to_check(&identifier, occasion.at).await? {
            Some((user, hash)) => (Some(user), Some(hash)),
            None => (None, None),
        };
        let right = self.passwords().verify(password.clone(), checked.clone()).await?;
        let (true, Some(user), Some(checked)) = (right, known, checked) else {
            self.note_failed_login(occasion, client, identifier).await?;
            return Err(AccountError::InvalidCredentials);
        };
        let rehashed = if self.passwords().is_outdated(&checked) {
            Some(self.passwords().hash(password).await?)
        } else {
            None
        };
        let login = Login { user, identifier, checked, rehashed };
        self.open_for(occasion, client, login, session).await
    }

    async fn account_to_check(
        &self,
        identifier: &str,
        now: Timestamp,
    ) -> Result<Option<(UserId, HashedPassword)>, AccountError> {
        let identifier = identifier.to_owned();
        self.database()
            .get(move |c| {
                refuse_locked(failures::locked_until(c, &identifier, now)?, now)?;
                Ok(users::password_of_identifier(c, &identifier)?)
            })
            .await
    }

    async fn open_for(
        &self,
        occasion: Occasion,
        client: Client,
        login: Login,
        session: SessionKind,
    ) -> Result<SignedInUser, AccountError> {
        let occasion = Occasion { actor: format!("user:{}", login.user), ..occasion };
        let opening = Arc::new(self.opening(session, &occasion));
        let (opens, now) = (Arc::clone(&opening), occasion.at);
        let user = self
            .database()
            .write(move |tx| {
                let user = login.admit(tx, &occasion)?;
                opens.open(tx, user.id, &client, &occasion)?;
                let event = LoginSucceeded { user_id: user.id, address: client.address.clone() };
                events::append(tx, &occasion, &event)?;
                Note::new(kind::LOGIN_SUCCESS, &occasion.actor).from(&client).write(tx, &occasion)?;
                Ok::<_, AccountError>(user)
            })
            .await?;
        self.opened(user, opening.id, &opening, now).await
    }

    async fn note_failed_login(
        &self,
        occasion: Occasion,
        client: Client,
        identifier: String,
    ) -> Result<(), AccountError> {
        self.database()
            .write(move |tx| {
                let address = client.address.clone();
                let event = LoginFailed { identifier: identifier.clone(), address };
                events::append(tx, &occasion, &event)?;
                Note::new(kind::LOGIN_FAILED, &identifier).from(&client).write(tx, &occasion)?;
                if failures::note(tx, &identifier, occasion.at)? {
                    lock(tx, &occasion, &client, &identifier)?;
                }
                Ok(())
            })
            .await
    }
}

/// Somebody whose password was right a moment ago.
struct Login {
    user: UserId,
    identifier: String,
    checked: HashedPassword,
    rehashed: Option<HashedPassword>,
}

impl Login {
    /// Lets them in, unless the identifier was locked or the password changed in the meantime.
    fn admit(&self, tx: &mut Tx<'_>, occasion: &Occasion) -> Result<User, AccountError> {
        refuse_locked(failures::locked_until(tx, &self.identifier, occasion.at)?, occasion.at)?;
        failures::clear(tx, &self.identifier, occasion.at)?;
        let rehashed = self.rehashed.as_ref();
        let user = users::note_login(tx, self.user, &self.checked, rehashed, occasion.at)?;
        user.ok_or(AccountError::InvalidCredentials)
    }
}

/// 429 while an identifier is locked.
pub(crate) fn refuse_locked(until: Option<Timestamp>, now: Timestamp) -> Result<(), AccountError> {
    match until {
        Some(until) => Err(AccountError::Locked { retry_after: until.since(now) }),
        None => Ok(()),
    }
}

/// Makes it known that an identifier is locked, by mail too when it is somebody's: the job finds out.
pub(crate) fn lock(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    client: &Client,
    identifier: &str,
) -> Result<(), DatabaseError> {
    events::append(tx, occasion, &AccountLocked { identifier: identifier.to_owned() })?;
    let until = occasion.at + LOCKED_FOR;
    Note::new(kind::ACCOUNT_LOCKED, identifier)
        .from(client)
        .with(json!({"until": until}))
        .write(tx, occasion)?;
    let mail = MailLockout { identifier: identifier.to_owned(), address: client.address.clone() };
    jobs::enqueue(tx, occasion, &mail).map(drop)
}
