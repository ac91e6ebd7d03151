//! What notifications can be told by configuration.

use std::time::Duration;

/// Settings of notifications.
#[derive(Clone, Debug)]
pub struct NotificationsSettings {
    /// How long notifications and announcements are kept.
    pub retention: Duration,
}

impl Default for NotificationsSettings {
    fn default() -> Self {
        Self { retention: Duration::from_hours(90 * 24) }
    }
}
