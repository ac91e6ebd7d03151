//! The texts of the mails to buyers.

use stoa_platform::{mail::Template, mail_template};

/// One for each [`Notice`](crate::Notice).
pub const TEMPLATES: &[Template] = &[
    mail_template!("order_confirmation", "Thank you for your order {{ order.number }}"),
    mail_template!("order_shipped", "Your order {{ order.number }} is on its way"),
    mail_template!("order_delivered", "Your order {{ order.number }} has arrived"),
    mail_template!("order_cancelled", "Your order {{ order.number }} was cancelled"),
    mail_template!("order_tracking", "Follow your order {{ order.number }}"),
    mail_template!("order_refunded", "Your order {{ order.number }} was refunded"),
];
