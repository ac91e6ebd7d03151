//! A notification as people see it in their list.

use serde::Serialize;
use serde_json::value::RawValue;
use stoa_contracts::notifications::{Kind, NotificationId};
use stoa_kernel::Timestamp;
use utoipa::ToSchema;

/// Something somebody was told.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    pub(crate) id: NotificationId,
    #[schema(inline)]
    pub(crate) kind: Kind,
    /// One line.
    #[schema(example = "Your order is on its way")]
    pub(crate) title: String,
    /// A sentence or two.
    pub(crate) message: String,
    /// What it is about: `orderId`, `productId` and the like, by kind; of an announcement its `type`.
    #[schema(value_type = Object)]
    pub(crate) data: Box<RawValue>,
    /// Whether it was read.
    pub(crate) read: bool,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}
