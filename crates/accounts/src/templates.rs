//! The mails of accounts.

use stoa_platform::{mail::Template, mail_template};

/// The mails that accounts sends.
pub const TEMPLATES: &[Template] = &[
    mail_template!("welcome", "Welcome, {{ name }}"),
    mail_template!("verify_email", "Please confirm your e-mail address"),
    mail_template!("account_locked", "Your account is locked for {{ minutes }} minutes"),
    mail_template!("password_reset", "Set a new password"),
    mail_template!("password_changed", "Your password was changed"),
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use stoa_kernel::Clock;
    use stoa_platform::mail::Mailer;

    use super::*;

    #[test]
    fn every_mail_says_what_it_is_told_and_escapes_it() {
        let folder = std::env::temp_dir().join(format!("stoa-accounts-templates-{}", std::process::id()));
        let mailer = Mailer::to_folder(&folder, "shop@example.com", TEMPLATES, Clock::system()).unwrap();
        let name = "Ada <b>";
        for (template, context, told) in [
            ("welcome", json!({"name": name}), ""),
            ("verify_email", json!({"name": name, "link": "https://shop.example/v?token=t0k"}), "token=t0k"),
            ("account_locked", json!({"name": name, "minutes": 15, "address": "203.0.113.7"}), "203.0.113.7"),
            (
                "password_reset",
                json!({"name": name, "link": "https://shop.example/r?token=t0k", "minutes": 60}),
                "token=t0k",
            ),
            ("password_changed", json!({"name": name}), ""),
        ] {
            let context: Value = context;
            let mail = mailer.preview(template, &context).unwrap();
            assert!(mail.html.contains("Ada &lt;b&gt;"), "{}", mail.html);
            assert!(mail.text.contains(name), "{}", mail.text);
            assert!(mail.html.contains(told) && mail.text.contains(told), "{template}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
