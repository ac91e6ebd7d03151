//! Notifications and announcements, told live to whoever they are for.

use serde::Serialize;
use serde_json::value::RawValue;
use stoa_contracts::notifications::{NotificationCreated, NotificationId, SystemAnnouncement};
use stoa_kernel::Timestamp;
use stoa_platform::events::{Event, HandlerError, StoredEvent};
use stoa_realtime::{Dialect, Hearer, Said, Sockets};

use crate::Notifications;

/// `real_time_notification`.
#[derive(Serialize)]
struct RealTimeNotification<'a> {
    id: NotificationId,
    title: &'a str,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    data: &'a RawValue,
    timestamp: Timestamp,
}

/// `system_announcement`.
#[derive(Serialize)]
struct Announced<'a> {
    id: NotificationId,
    title: &'a str,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
}

impl Notifications {
    /// What is told on sockets: to each their own, and announcements to all who are signed in.
    pub(crate) fn sockets() -> Sockets {
        Sockets::default()
            .tell(NotificationCreated::TYPE, notification)
            .tell(SystemAnnouncement::TYPE, announcement)
    }
}

fn notification(event: &StoredEvent, hearer: &Hearer<'_>) -> Result<Option<Said>, HandlerError> {
    if hearer.dialect != Dialect::Shop {
        return Ok(None);
    }
    let created: NotificationCreated = event.payload()?;
    let told = RealTimeNotification {
        id: created.notification_id,
        title: &created.title,
        message: &created.message,
        kind: created.kind.as_str(),
        data: &created.data,
        timestamp: event.at,
    };
    Said::new("real_time_notification", &told).map(Some)
}

fn announcement(event: &StoredEvent, hearer: &Hearer<'_>) -> Result<Option<Said>, HandlerError> {
    if hearer.dialect != Dialect::Shop {
        return Ok(None);
    }
    let announced: SystemAnnouncement = event.payload()?;
    let told = Announced {
        id: announced.announcement_id,
        title: &announced.title,
        message: &announced.message,
        kind: &announced.kind,
        timestamp: event.at,
    };
    Said::new("system_announcement", &told).map(Some)
}
