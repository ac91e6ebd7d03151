//! Ending sessions.

use stoa_contracts::accounts::SessionEnded;
use stoa_kernel::{SessionId, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    Accounts,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::sessions,
    tokens::hash_of,
};

impl Accounts {
    /// Ends the session a refresh token belongs to. A token that is unknown or of an ended session changes nothing.
    pub(crate) async fn logout(
        &self,
        occasion: Occasion,
        client: Client,
        token: &str,
    ) -> Result<(), AccountError> {
        let (accounts, hash) = (self.clone(), hash_of(token));
        self.database()
            .write(move |tx| {
                let Some(token) = sessions::find_token(tx, &hash)? else { return Ok(()) };
                let actor = format!("user:{}", token.user);
                let occasion = Occasion { actor: actor.clone(), ..occasion.clone() };
                if accounts.end_session(tx, &occasion, token.session)? {
                    Note::new(kind::LOGOUT, actor).from(&client).write(tx, &occasion)?;
                }
                Ok(())
            })
            .await
    }

    /// Ends every session of a user.
    pub(crate) async fn logout_all(
        &self,
        occasion: Occasion,
        client: Client,
        user: UserId,
    ) -> Result<(), AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                accounts.end_sessions(tx, &occasion, user, None)?;
                Note::new(kind::LOGOUT_ALL, format!("user:{user}")).from(&client).write(tx, &occasion)?;
                Ok(())
            })
            .await
    }

    /// Ends one session in this transaction and tells of it; false when it had ended already. This node's cache drops it
    /// once committed.
    pub(crate) fn end_session(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        session: SessionId,
    ) -> Result<bool, DatabaseError> {
        let ended = sessions::end(tx, session, occasion.at)?;
        if let Some(user_id) = ended {
            events::append(tx, occasion, &SessionEnded { user_id, session_id: session })?;
        }
        self.forget_after_commit(tx, vec![session]);
        Ok(ended.is_some())
    }

    /// As [`Accounts::end_session`], for every session of a user but `spared`.
    pub(crate) fn end_sessions(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        user: UserId,
        spared: Option<SessionId>,
    ) -> Result<(), DatabaseError> {
        let ended = sessions::end_all(tx, user, spared, occasion.at)?;
        let told =
            ended.iter().map(|session| (occasion, SessionEnded { user_id: user, session_id: *session }));
        events::append_all(tx, &told.collect::<Vec<_>>())?;
        self.forget_after_commit(tx, ended);
        Ok(())
    }

    fn forget_after_commit(&self, tx: &mut Tx<'_>, ended: Vec<SessionId>) {
        let known = self.sessions().clone();
        tx.after_commit(move || ended.iter().for_each(|session| known.forget(session)));
    }
}
