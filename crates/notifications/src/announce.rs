//! Speaking to everybody.

use serde::{Deserialize, Serialize};
use stoa_contracts::notifications::{NotificationId, SystemAnnouncement};
use stoa_kernel::{Fields, Refusal, Timestamp, fields};
use stoa_platform::{Occasion, database::Tx, events};
use utoipa::ToSchema;

use crate::{Notifications, error::NotificationError, store::announcements};

/// How many are kept at most.
pub(crate) const MOST_ANNOUNCEMENTS: u32 = 500;
const LONGEST_TITLE: usize = 200;
const LONGEST_MESSAGE: usize = 4_000;

/// How an announcement is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnnouncementType {
    /// Good to know.
    #[default]
    Info,
    /// Good news.
    Success,
    /// Something to watch.
    Warning,
    /// Something is wrong.
    Error,
}

impl AnnouncementType {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something said to everybody.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announcement {
    pub(crate) id: NotificationId,
    pub(crate) title: String,
    pub(crate) message: String,
    /// How it is meant: `info`, `success`, `warning` or `error`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Who said it: `user:<id>` or `key:<name>`.
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
}

/// Something to be said to everybody.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAnnouncement {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(min_length = 1, max_length = 4000)]
    message: String,
    // Its description is that of its type: beside an inlined schema one of its own would be a schema of its own.
    #[serde(default, rename = "type")]
    #[schema(inline)]
    kind: AnnouncementType,
}

/// What is said, checked.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    title: String,
    message: String,
    kind: AnnouncementType,
}

impl NewAnnouncement {
    pub(crate) fn checked(&self) -> Result<Draft, Refusal> {
        let mut flaws = Fields::default();
        let title = flaws.take("title", fields::text(&self.title, 1, LONGEST_TITLE));
        let message = flaws.take("message", fields::text(&self.message, 1, LONGEST_MESSAGE));
        match (title, message) {
            (Some(title), Some(message)) => Ok(Draft { title, message, kind: self.kind }),
            _ => Err(flaws.into_refusal()),
        }
    }
}

impl Notifications {
    /// Keeps it once and says so in the log.
    pub(crate) fn announce(
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        draft: &Draft,
    ) -> Result<Announcement, NotificationError> {
        if announcements::count(tx)? >= MOST_ANNOUNCEMENTS {
            return Err(NotificationError::TooManyAnnouncements);
        }
        let Draft { title, message, kind } = draft.clone();
        let announcement = Announcement {
            id: occasion.id(),
            title,
            message,
            kind: kind.as_str().to_owned(),
            created_by: occasion.actor.clone(),
            created_at: occasion.at,
        };
        announcements::insert(tx, &announcement)?;
        let said = SystemAnnouncement {
            announcement_id: announcement.id,
            title: announcement.title.clone(),
            message: announcement.message.clone(),
            kind: announcement.kind.clone(),
        };
        events::append(tx, occasion, &said)?;
        Ok(announcement)
    }

    /// Takes it back, out of everybody's list.
    pub(crate) fn take_back(tx: &mut Tx<'_>, id: NotificationId) -> Result<(), NotificationError> {
        if announcements::delete(tx, id)? { Ok(()) } else { Err(NotificationError::UnknownAnnouncement) }
    }
}
