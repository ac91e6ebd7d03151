//! Where nodes keep files, and what becomes of one whose store is away.

use stoa_platform::testing::storage::{contents, key};
use stoa_server::{Settings, StorageSettings};

/// A bucket at a port where nobody listens.
fn away() -> StorageSettings {
    let variables = [
        ("STOA_STORAGE_URL", "s3://shop-files?endpoint=http://127.0.0.1:1"),
        ("STOA_S3_ACCESS_KEY_ID", "test"),
        ("STOA_S3_SECRET_ACCESS_KEY", "test"),
    ];
    Settings::of(&variables).unwrap().storage
}

stoa_testing::each_engine! {
    async fn files_can_be_kept(app: TestApp) {
        let health = app.anon().get("/health").await.expect(200).body;
        assert_eq!(health["checks"]["storage"]["status"], "healthy");
    }

    async fn a_node_starts_without_its_bucket_and_says_so(app: TestApp, |settings| settings.storage = away()) {
        let health = app.anon().get("/health").await.expect(200).body;
        assert_eq!((&health["status"], &health["checks"]["storage"]["status"]), (&"degraded".into(), &"degraded".into()));
        assert!(!health.to_string().contains("127.0.0.1"), "what is inside is nobody's business: {health}");
        app.anon().get("/health/ready").await.expect(200);
    }
}

stoa_testing::two_nodes! {
    async fn what_one_node_keeps_the_other_has(app: TestApp, other: AnotherNode) {
        if stoa_testing::bucket().is_some() {
            let tea = key("2026/tea");
            app.platform().storage.put(&tea, "Earl Grey".into(), "text/plain").await.unwrap();
            assert_eq!(contents(&other.platform().storage, &tea, None).await.unwrap(), b"Earl Grey");
        }
    }
}
