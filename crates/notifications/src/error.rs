//! How notifications say no: one enum, with stable codes.

use stoa_kernel::{Refusal, RefusalKind};
use stoa_platform::database::DatabaseError;

/// Why notifications cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    /// No such notification, or somebody else's.
    #[error("no such notification")]
    UnknownNotification,
    /// No such announcement.
    #[error("no such announcement")]
    UnknownAnnouncement,
    /// There are as many announcements as there can be.
    #[error("there are too many announcements")]
    TooManyAnnouncements,
    /// Refused by what all routes share.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<NotificationError> for Refusal {
    fn from(error: NotificationError) -> Self {
        match error {
            NotificationError::UnknownNotification => {
                Self::not_found("NOTIFICATION_NOT_FOUND", "You have no notification with this id.")
            }
            NotificationError::UnknownAnnouncement => {
                Self::not_found("ANNOUNCEMENT_NOT_FOUND", "There is no announcement with this id.")
            }
            NotificationError::TooManyAnnouncements => Self::new(
                RefusalKind::Conflict,
                "TOO_MANY_ANNOUNCEMENTS",
                "At most 500 announcements are kept. Delete old ones first.",
            ),
            NotificationError::Refused(refusal) => refusal,
            NotificationError::Database(error) => error.into(),
        }
    }
}
