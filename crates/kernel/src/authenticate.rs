//! Telling who asks by what they bring.

use std::{future::Future, net::IpAddr, pin::Pin};

use crate::{Actor, Refusal, SessionId};

/// A credential as it came in.
#[derive(Clone, Copy)]
pub enum Credentials<'r> {
    /// `Authorization: Bearer <access token>`.
    Bearer(&'r str),
    /// `X-API-Key: <key>`.
    ApiKey(&'r str),
}

/// Who it turns out to be, or why not.
pub type Identified<'r> = Pin<Box<dyn Future<Output = Result<Actor, Refusal>> + Send + 'r>>;

/// Whether something could be noted.
pub type Noted<'r> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'r>>;

/// Tells who a credential belongs to.
pub trait Authenticator: Send + Sync {
    /// The actor, or a 401 that says what is wrong with the credential; 403 when it is good, but not from the address
    /// of this `client`.
    fn authenticate<'r>(&'r self, credentials: Credentials<'r>, client: IpAddr) -> Identified<'r>;

    /// The person of a login session, with what they may do now; 401 `SESSION_ENDED` when it has ended. For whoever was
    /// let in by a credential and stays for longer than a request.
    fn of_session(&self, session: SessionId) -> Identified<'_>;

    /// These login sessions are being used by who stays for longer than a request. Told every now and then.
    fn in_use(&self, _sessions: Vec<SessionId>) -> Noted<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}
