//! What notifications publishes, and what may be asked of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_kernel::{Id, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError},
    events::Event,
};

/// Marker of notification ids.
pub enum Notification {}
/// The id of a notification, or of an announcement, which stands in the same lists.
pub type NotificationId = Id<Notification>;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What somebody can be told.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[derive(utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = NotificationKind)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind, in the order in which people are shown them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name outside.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// An order is paid.
    OrderConfirmed = "order_confirmed",
    /// An order is on its way.
    OrderShipped = "order_shipped",
    /// An order has arrived.
    OrderDelivered = "order_delivered",
    /// An order is cancelled.
    OrderCancelled = "order_cancelled",
    /// It became known where an order can be followed.
    OrderTracking = "order_tracking",
    /// Money went back.
    OrderRefunded = "order_refunded",
    /// Few pieces of a product are left.
    LowStock = "low_stock",
    /// None are left.
    OutOfStock = "out_of_stock",
    /// Money that was to go back to a buyer did not.
    RefundFailed = "refund_failed",
    /// A buyer has their bank claim a payment back.
    PaymentDisputed = "payment_disputed",
    /// Somebody mentioned them in a room.
    Mention = "mention",
    /// Something happened to the account itself.
    Security = "security",
    /// Somebody speaks to everybody.
    Announcement = "announcement",
}

impl Kind {
    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// Whether it can come this way at all.
    pub const fn comes_by(self, channel: Channel) -> bool {
        let in_app_only =
            matches!(self, Self::Announcement | Self::Mention | Self::RefundFailed | Self::PaymentDisputed);
        !(in_app_only && matches!(channel, Channel::Mail))
    }

    /// Whether nobody can switch it off: what protects the account, and what is said to everybody.
    pub const fn is_certain(self, channel: Channel) -> bool {
        matches!((self, channel), (Self::Security, Channel::Mail) | (Self::Announcement, Channel::InApp))
    }
}

/// A way to tell somebody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// Kept in a list that they read.
    InApp,
    /// By mail.
    Mail,
}

impl Channel {
    /// Its name outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InApp => "inApp",
            Self::Mail => "mail",
        }
    }
}

/// What people want to be told, and how.
pub trait Preferences: Send + Sync {
    /// Whether `user` wants to be told of this in this way; everybody does unless they said otherwise.
    fn wants(
        &self,
        connection: &mut Connection<'_>,
        user: UserId,
        kind: Kind,
        channel: Channel,
    ) -> Result<bool, DatabaseError>;
}

/// Something was put into somebody's list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationCreated {
    /// The notification.
    pub notification_id: NotificationId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it tells of.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// A sentence or two.
    pub message: String,
    /// What it is about, by kind.
    pub data: Box<RawValue>,
}

impl Event for NotificationCreated {
    const TYPE: &'static str = "notification.created";

    fn topic(&self) -> String {
        format!("user:{}", self.user_id)
    }

    fn aggregate(&self) -> String {
        format!("notification:{}", self.notification_id)
    }
}

/// Somebody spoke to everybody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemAnnouncement {
    /// The announcement.
    pub announcement_id: NotificationId,
    /// One line.
    pub title: String,
    /// What is said.
    pub message: String,
    /// `info`, `success`, `warning` or `error`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Event for SystemAnnouncement {
    const TYPE: &'static str = "system.announcement";

    fn topic(&self) -> String {
        "system".into()
    }

    fn aggregate(&self) -> String {
        format!("announcement:{}", self.announcement_id)
    }
}
