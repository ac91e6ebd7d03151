use std::time::Duration;

use stoa_testing::{TestApp, each_engine, json};

use crate::OTHER_PASSWORD;

async fn rows(app: &TestApp, table: &'static str) -> i64 {
    let counted =
        app.read(move |c| c.find(&format!("SELECT COUNT(*) FROM {table}"), &[], |row| row.read::<i64>()));
    counted.await.unwrap()
}

each_engine! {
    async fn what_is_out_of_date_is_gone_within_the_hour(app: TestApp) {
        app.shopper("ada").await;
        let body = json!({"email": "nobody@example.com", "password": OTHER_PASSWORD});
        app.anon().post("/api/auth/login", body).await.expect(401);
        app.anon().post("/api/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
        app.settle().await;
        let tables = ["sessions", "refresh_tokens", "email_verifications", "password_resets", "login_failures"];
        for table in tables {
            assert_eq!(rows(app, table).await, 1, "{table}");
        }
        app.advance(Duration::from_hours(1)).await;
        assert_eq!(rows(app, "login_failures").await, 0);
        assert_eq!(rows(app, "password_resets").await, 0);
        assert_eq!(rows(app, "refresh_tokens").await, 1);
        app.advance(Duration::from_hours(8 * 24)).await;
        for table in tables {
            assert_eq!(rows(app, table).await, 0, "{table}");
        }
        assert_eq!(rows(app, "users").await, 1);
    }
}
