//! The audit log: what matters to security is written in the transaction in which it happens.

use serde_json::Value;
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, SortOrder, page::DEEPEST_ENTRY};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Accounts,
    client::Client,
    error::AccountError,
    store::audit::{self, Entry, Wanted},
};

/// The ordering that cursors of this list belong to.
pub(crate) const fn order_name(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "at:asc",
        SortOrder::Desc => "at:desc",
    }
}

/// The types of entries.
pub(crate) mod kind {
    pub(crate) const REGISTERED: &str = "auth.user_registered";
    pub(crate) const USER_CREATED: &str = "user.created";
    pub(crate) const LOGIN_SUCCESS: &str = "auth.login_success";
    pub(crate) const LOGIN_FAILED: &str = "auth.login_failed";
    pub(crate) const ACCOUNT_LOCKED: &str = "auth.account_locked";
    pub(crate) const LOGOUT: &str = "auth.logout";
    pub(crate) const LOGOUT_ALL: &str = "auth.logout_all";
    pub(crate) const TOKEN_REUSED: &str = "auth.token_reused";
    pub(crate) const PASSWORD_CHANGED: &str = "auth.password_changed";
    pub(crate) const PASSWORD_REFUSED: &str = "auth.password_change_failed";
    pub(crate) const PASSWORD_RESET_ASKED: &str = "auth.password_reset_asked";
    pub(crate) const SESSION_ENDED: &str = "auth.session_ended";
    pub(crate) const EMAIL_VERIFIED: &str = "auth.email_verified";
    pub(crate) const USER_UPDATED: &str = "user.updated";
    pub(crate) const USER_DELETED: &str = "user.deleted";
    pub(crate) const ROLE_CHANGED: &str = "user.role_changed";
    pub(crate) const ROLE_CREATED: &str = "role.created";
    pub(crate) const ROLE_UPDATED: &str = "role.updated";
    pub(crate) const ROLE_DELETED: &str = "role.deleted";
    pub(crate) const SIGNING_KEY_CREATED: &str = "signing-key.created";
    pub(crate) const API_KEY_CREATED: &str = "api-key.created";
    pub(crate) const API_KEY_DELETED: &str = "api-key.deleted";
}

/// Something to be written down: what, and about whom or what.
pub(crate) struct Note<'n> {
    kind: &'static str,
    subject: String,
    client: Option<&'n Client>,
    details: Option<Value>,
}

impl<'n> Note<'n> {
    pub(crate) fn new(kind: &'static str, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), client: None, details: None }
    }

    pub(crate) fn from(self, client: &'n Client) -> Self {
        Self { client: Some(client), ..self }
    }

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// Writes it down in this transaction.
    pub(crate) fn write(self, tx: &mut Tx<'_>, occasion: &Occasion) -> Result<(), DatabaseError> {
        let entry = Entry {
            id: occasion.id(),
            at: occasion.at,
            kind: self.kind.to_owned(),
            actor: occasion.actor.clone(),
            subject: self.subject,
            address: None,
            user_agent: None,
            details: self.details.map(|details| details.to_string()),
        };
        let entry = match self.client {
            Some(client) => entry.seen_from(client),
            None => entry,
        };
        audit::insert(tx, &entry)
    }
}

impl Accounts {
    /// A page of the audit log, by time.
    pub(crate) async fn audit_log(
        &self,
        wanted: Wanted,
        page: PageRequest,
    ) -> Result<Page<Entry>, AccountError> {
        let (limit, order) = (page.limit, wanted.order);
        let (rows, total) = self
            .database()
            .read(move |c| {
                let rows = audit::list(c, &wanted, page.limit + 1, page.offset())?;
                let total =
                    if page.wants_total() { Some(audit::count(c, &wanted, DEEPEST_ENTRY)?) } else { None };
                Ok::<_, AccountError>((rows, total))
            })
            .await?;
        Ok(Page::from_rows(rows, limit, total, |entry| Cursor {
            order: order_name(order).into(),
            value: CursorValue::Number(entry.at.as_micros()),
            id: entry.id.uuid(),
        }))
    }
}
