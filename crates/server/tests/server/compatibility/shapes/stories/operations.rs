//! What operators see: mails, what mails look like, and jobs.

use stoa_kernel::Random;
use stoa_platform::{Occasion, database::DatabaseError, jobs, mail::SendMail, params};
use stoa_testing::{TestApp, json};
use uuid::Uuid;

use super::super::recorder::{Person, Recorder};

/// A moment of 2027, in microseconds.
const LATER: i64 = 1_800_000_000_000_000;

pub(super) async fn tell(shop: &Recorder<'_>, admin: &Person<'_>) {
    let mails = admin.get("/api/admin/mails", 200).await;
    let id = mails.entries()[0]["id"].as_str().unwrap();
    admin.get(&format!("/api/admin/mails/{id}"), 200).await;
    admin.get("/api/admin/mail-templates", 200).await;
    admin.get("/api/admin/mail-templates/welcome/preview", 200).await;
    jobs_are_put_right(shop.app, admin).await;
}

async fn jobs_are_put_right(app: &TestApp, admin: &Person<'_>) {
    let path = format!("/api/admin/jobs/{}", dead_job(app).await);
    admin.get("/api/admin/jobs?state=dead", 200).await;
    admin.get(&path, 200).await;
    admin.post(&format!("{path}/retry"), json!({}), 200).await;
    app.settle().await;
    admin.delete(&path, 204).await;
    waiting_job(app, Uuid::from_u128(8)).await;
    let path = format!("/api/admin/jobs/{}", waiting_job(app, Uuid::from_u128(7)).await);
    admin.get("/api/admin/jobs", 200).await;
    admin.get(&path, 200).await;
    admin.post(&format!("{path}/retry"), json!({}), 409).await;
    admin.delete(&path, 409).await;
}

/// A mail that nobody can write; answers its job's id when that is dead.
async fn dead_job(app: &TestApp) -> String {
    let occasion = Occasion::system(&app.clock.clock(), &Random::system(), "test");
    let mail = SendMail::new("ann@example.com", "nonsense", json!({}));
    let queued = app.platform().database.write(move |tx| jobs::enqueue(tx, &occasion, &mail));
    let id = queued.await.unwrap_or_else(|error: DatabaseError| panic!("{error}")).unwrap();
    app.settle().await;
    id.to_string()
}

/// A job whose time comes after the test.
async fn waiting_job(app: &TestApp, id: Uuid) -> Uuid {
    let insert = "INSERT INTO jobs (id, queue, kind, payload, run_at, max_attempts, created_by, created_at)
                  VALUES ($1, 'maintenance', 'prune-events', '{}', $2, 3, 'system:test', $2)";
    let database = &app.platform().database;
    let written: Result<u64, DatabaseError> =
        database.write(move |tx| tx.execute(insert, params![id, LATER])).await;
    assert_eq!(written.unwrap(), 1);
    id
}
