//! `/api/admin/mail-templates`: what mails look like.

use stoa_testing::{each_engine, json};

use crate::is_guarded;

each_engine! {
    async fn they_are_for_operators(app: TestApp) {
        is_guarded(app, "GET", "/api/admin/mail-templates").await;
        is_guarded(app, "GET", "/api/admin/mail-templates/welcome/preview").await;
    }

    async fn every_template_can_be_looked_at(app: TestApp) {
        let admin = app.admin().await;
        let list = admin.get("/api/admin/mail-templates?limit=100&total=true").await.expect(200);
        let names: Vec<_> = list.entries().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert!(names.is_sorted());
        for name in [
            "welcome", "verify_email", "password_reset", "password_changed", "account_locked", "order_confirmation",
            "order_shipped", "order_delivered", "order_cancelled", "order_tracking", "order_refunded", "low_stock", "out_of_stock",
        ] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
        for name in names {
            let preview = admin.get(&format!("/api/admin/mail-templates/{name}/preview")).await.expect(200).body;
            assert_eq!(preview["name"], name);
            for part in ["subject", "html", "text"] {
                let text = preview[part].as_str().unwrap();
                assert!(!text.trim().is_empty() && !text.contains("{{"), "{name}.{part}: {text}");
            }
            assert!(preview["html"].as_str().unwrap().contains("Ada Lovelace"), "{name}");
        }
    }

    async fn they_come_in_pages(app: TestApp) {
        let admin = app.admin().await;
        let whole = admin.get("/api/admin/mail-templates?limit=100").await.expect(200);
        let first = admin.get("/api/admin/mail-templates?limit=3").await.expect(200);
        let next = first.body["nextCursor"].as_str().unwrap();
        let rest = admin.get(&format!("/api/admin/mail-templates?limit=100&cursor={next}")).await.expect(200);
        assert_eq!([first.entries(), rest.entries()].concat(), whole.entries());
        assert_eq!(rest.body["nextCursor"], json!(null));
    }

    async fn an_unknown_one_is_told_so(app: TestApp) {
        let admin = app.admin().await;
        admin.get("/api/admin/mail-templates/nonsense/preview").await.refused(404, "MAIL_TEMPLATE_NOT_FOUND");
        admin.get("/api/admin/mail-templates?sortBy=subject").await.refused(400, "INVALID_QUERY");
    }
}
