//! The texts of the mails to buyers.

use stoa_platform::mail::Template;

macro_rules! template {
    ($name:literal, $subject:literal) => {
        Template {
            name: $name,
            subject: $subject,
            html: include_str!(concat!("templates/", $name, ".html")),
            text: include_str!(concat!("templates/", $name, ".txt")),
        }
    };
}

/// One for each [`Notice`](crate::Notice).
pub const TEMPLATES: &[Template] = &[
    template!("order_confirmation", "Thank you for your order {{ order.number }}"),
    template!("order_shipped", "Your order {{ order.number }} is on its way"),
    template!("order_delivered", "Your order {{ order.number }} has arrived"),
    template!("order_cancelled", "Your order {{ order.number }} was cancelled"),
    template!("order_tracking", "Follow your order {{ order.number }}"),
    template!("order_refunded", "Your order {{ order.number }} was refunded"),
];
