//! The devices somebody is signed in on: their live sessions, seen and ended one by one.

use serde_json::json;
use stoa_kernel::{
    Cursor, CursorValue, Page, PageRequest, SessionId, SignedIn, SortOrder, page::DEEPEST_ENTRY,
};
use stoa_platform::Occasion;

use crate::{
    Accounts,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::devices::{self, Device, Wanted},
};

/// The ordering that cursors of this list belong to.
pub(crate) const fn order_name(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "createdAt:asc",
        SortOrder::Desc => "createdAt:desc",
    }
}

impl Accounts {
    /// A page of a user's live sessions, by age.
    pub(crate) async fn devices(
        &self,
        wanted: Wanted,
        page: PageRequest,
    ) -> Result<Page<Device>, AccountError> {
        let limit = page.limit;
        let (rows, total) = self
            .database()
            .read(move |c| {
                let rows = devices::list(c, wanted, page.limit + 1, page.offset())?;
                let total =
                    if page.wants_total() { Some(devices::count(c, wanted, DEEPEST_ENTRY)?) } else { None };
                Ok::<_, AccountError>((rows, total))
            })
            .await?;
        Ok(Page::from_rows(rows, limit, total, |device| Cursor {
            order: order_name(wanted.order).into(),
            value: CursorValue::Number(device.created_at.as_micros()),
            id: device.id.uuid(),
        }))
    }

    /// Ends one of somebody's own sessions; anybody else's is as unknown as one that never was.
    pub(crate) async fn sign_out_device(
        &self,
        occasion: Occasion,
        client: Client,
        person: SignedIn,
        session: SessionId,
    ) -> Result<(), AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                let own = devices::is_live_of(tx, person.user, session, occasion.at)?;
                if !own || !accounts.end_session(tx, &occasion, session)? {
                    return Err(AccountError::UnknownSession);
                }
                let note = Note::new(kind::SESSION_ENDED, &occasion.actor).from(&client);
                Ok(note.with(json!({"session": session})).write(tx, &occasion)?)
            })
            .await
    }
}
