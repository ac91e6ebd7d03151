//! Reading and removing what one was told.

use stoa_contracts::notifications::NotificationId;
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::database::{DatabaseError, Tx};

use crate::{
    Notifications,
    error::NotificationError,
    notification::Notification,
    store::{announcements, notifications},
};

/// Notifications marked in one transaction at most.
const SLICE: u32 = 1_000;

impl Notifications {
    /// Marks one as read; the first time counts.
    pub(crate) fn mark_read(
        tx: &mut Tx<'_>,
        user: UserId,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<Notification, NotificationError> {
        if !notifications::mark_read(tx, user, id, now)? {
            announcements::mark(tx, user, id, now, false)?;
        }
        let found = match notifications::find(tx, user, id)? {
            Some(own) => Some(own),
            None => announcements::find_for(tx, user, id)?,
        };
        found.ok_or(NotificationError::UnknownNotification)
    }

    /// Marks everything as read that is there at `now`; answers how much that was. In slices, so that no transaction
    /// is long; what arrives meanwhile stays unread.
    pub(crate) async fn mark_all_read(&self, user: UserId, now: Timestamp) -> Result<u64, DatabaseError> {
        let mut marked = self.database().write(move |tx| announcements::mark_all(tx, user, now)).await?;
        loop {
            let slice =
                self.database().write(move |tx| notifications::mark_all_read(tx, user, now, SLICE)).await?;
            marked += slice;
            if slice < u64::from(SLICE) {
                return Ok(marked);
            }
        }
    }

    /// Takes one out of one's own list.
    pub(crate) fn remove(
        tx: &mut Tx<'_>,
        user: UserId,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<(), NotificationError> {
        if notifications::delete(tx, user, id)? || announcements::remove_for(tx, user, id, now)? {
            Ok(())
        } else {
            Err(NotificationError::UnknownNotification)
        }
    }
}
