//! Ending sessions.

use stoa_kernel::{SessionId, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
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
                if accounts.end_session(tx, token.session, occasion.at)? {
                    let actor = format!("user:{}", token.user);
                    let occasion = Occasion { actor: actor.clone(), ..occasion.clone() };
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
                accounts.end_sessions(tx, user, None, occasion.at)?;
                Note::new(kind::LOGOUT_ALL, format!("user:{user}")).from(&client).write(tx, &occasion)?;
                Ok(())
            })
            .await
    }

    /// Ends one session in this transaction, and drops it from this node's cache once committed.
    pub(crate) fn end_session(
        &self,
        tx: &mut Tx<'_>,
        session: SessionId,
        at: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let ended = sessions::end(tx, session, at)?;
        self.forget_after_commit(tx, vec![session]);
        Ok(ended)
    }

    /// As [`Accounts::end_session`], for every session of a user but `spared`.
    pub(crate) fn end_sessions(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        spared: Option<SessionId>,
        at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let ended = sessions::end_all(tx, user, spared, at)?;
        self.forget_after_commit(tx, ended);
        Ok(())
    }

    fn forget_after_commit(&self, tx: &mut Tx<'_>, ended: Vec<SessionId>) {
        let known = self.sessions().clone();
        tx.after_commit(move || ended.iter().for_each(|session| known.forget(session)));
    }
}
