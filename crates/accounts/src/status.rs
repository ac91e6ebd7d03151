//! Who is here: what people want to be seen as, and whether they are.
//!
//! Somebody is here who has a live session that was used, by signing in, refreshing or having a socket open, within the life
//! of an access token: whoever goes on using one has to refresh it within that time, so no request writes anything. They are then shown as
//! they chose, `online` unless told; everybody else is `offline`.

use serde::{Deserialize, Serialize};
use stoa_contracts::accounts::UserStatusChanged;
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError},
    events,
};
use utoipa::ToSchema;

use crate::{
    Accounts,
    account::User,
    error::AccountError,
    store::{presence, users},
};

/// The ordering that cursors of the list of those who are here belong to.
pub(crate) const ORDER: &str = "username:asc";

/// What somebody is seen as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresenceStatus {
    /// Here.
    Online,
    /// Here, but not looking.
    Away,
    /// Here, and not to be disturbed.
    Busy,
    /// Not here, or wanting to be taken for absent.
    Offline,
}

impl PresenceStatus {
    /// The word on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
        }
    }
}

impl Accounts {
    /// Keeps what a user wants to be seen as, and tells of it if it is something else than before.
    pub async fn set_status(
        &self,
        occasion: Occasion,
        user: UserId,
        status: PresenceStatus,
    ) -> Result<(), AccountError> {
        self.database()
            .write(move |tx| {
                if users::set_status(tx, user, status.name())? {
                    let told = UserStatusChanged { user_id: user, status: status.name().to_owned() };
                    events::append(tx, &occasion, &told)?;
                } else if users::find(tx, user)?.is_none() {
                    return Err(AccountError::UnknownUser);
                }
                Ok(())
            })
            .await
    }

    /// A page of those who are here, by username: of the thousand sessions used last.
    pub(crate) async fn online_users(
        &self,
        after: Option<String>,
        page: PageRequest,
    ) -> Result<Page<User>, AccountError> {
        let (since, now, limit) = (self.here_since(), self.clock().now(), page.limit);
        let (found, total) = self
            .database()
            .read(move |c| {
                let after = after.as_deref().unwrap_or_default();
                let found = presence::online(c, (since, now), after, (page.limit + 1, page.offset()))?;
                let total =
                    if page.wants_total() { Some(presence::count_online(c, since, now)?) } else { None };
                Ok::<_, AccountError>((found, total))
            })
            .await?;
        Ok(Page::from_rows(found, limit, total, |user| Cursor {
            order: ORDER.into(),
            value: CursorValue::Text(user.username.to_ascii_lowercase()),
            id: uuid::Uuid::nil(),
        }))
    }

    /// Shows those as offline who are not here, with one question for all of them.
    pub(crate) fn show_presence<'u>(
        &self,
        c: &mut Connection<'_>,
        shown: impl Iterator<Item = &'u mut User>,
    ) -> Result<(), DatabaseError> {
        let shown: Vec<&mut User> = shown.collect();
        let ids: Vec<UserId> = shown.iter().map(|user| user.id).collect();
        let active = presence::active_among(c, &ids, self.here_since(), self.clock().now())?;
        for user in shown.into_iter().filter(|user| !active.contains(&user.id)) {
            PresenceStatus::Offline.name().clone_into(&mut user.status);
        }
        Ok(())
    }

    /// Since when a session must have been used by whoever is here.
    fn here_since(&self) -> Timestamp {
        self.clock().now() - self.settings().access_token_ttl
    }
}
