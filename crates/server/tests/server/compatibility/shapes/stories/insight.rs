//! How the server is doing.

use super::super::recorder::Person;

pub(super) async fn tell(admin: &Person<'_>) {
    for path in ["metrics?timeWindow=60000", "slow-requests?limit=5", "summary"] {
        admin.get(&format!("/api/admin/performance/{path}"), 200).await;
    }
    admin.get("/api/admin/performance/metrics?timeWindow=0", 400).await;
}
