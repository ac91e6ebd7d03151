//! What operators see, over real HTTP on every engine, mirrored on its addresses.
#![cfg(test)]

mod jobs;
mod mail_templates;
mod mails;

use stoa_kernel::Random;
use stoa_platform::{Occasion, database::DatabaseError, jobs as queue, mail::SendMail};
use stoa_testing::{Client, TestApp, json};

/// Queues a mail that can never be sent; answers its job's id when that is dead.
async fn buried(app: &TestApp) -> String {
    let occasion = Occasion::system(&app.clock.clock(), &Random::system(), "test");
    let mail =
        SendMail::new("ann@example.com", "nonsense", json!({"link": "https://example.com/?token=hush"}));
    let queued = app.platform().database.write(move |tx| queue::enqueue(tx, &occasion, &mail));
    let id = queued.await.unwrap_or_else(|error: DatabaseError| panic!("{error}")).unwrap();
    app.settle().await;
    id.to_string()
}

/// Every route here is for those who may, and tells the others apart.
async fn is_guarded(app: &TestApp, method: &str, path: &str) {
    let ann = app.shopper(&format!("ann{}", Random::system().below(1 << 40))).await;
    for (who, status, code) in [(&app.anon(), 401, "AUTHENTICATION_REQUIRED"), (&ann, 403, "FORBIDDEN")] {
        let answer = match method {
            "POST" => who.post(path, json!({})).await,
            "DELETE" => who.delete(path).await,
            _ => who.get(path).await,
        };
        answer.refused(status, code);
    }
}

/// Somebody whose role allows this and nothing else.
async fn allowed_only(app: &TestApp, resource: &str, action: &str) -> Client {
    let admin = app.admin().await;
    let role = json!({"name": "clerk", "permissions": [{"resource": resource, "action": action}]});
    admin.post("/api/admin/roles", role).await.expect(201);
    let bob = app.shopper("bob").await;
    admin.put(&format!("/api/users/{}/role", bob.user_id()), json!({"role": "clerk"})).await.expect(200);
    app.sign_in("bob@example.com").await
}

const NOBODY: &str = "01890000-0000-7000-8000-000000000001";
