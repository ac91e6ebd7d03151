//! A credential that is not good is 401 wherever something is read, also where a guest would have been welcome, and
//! whatever the cache holds.

use stoa_testing::{Client, TestApp};

/// What is read under /api, each address with an id that nothing has.
async fn reads(app: &TestApp) -> Vec<String> {
    let document = app.anon().get("/api/openapi.json").await.expect(200).body;
    let paths = document["paths"].as_object().unwrap();
    let reads =
        paths.iter().filter(|(path, operations)| path.starts_with("/api/") && operations["get"].is_object());
    reads
        .map(|(path, _)| {
            let parts = path.split('/').map(|part| {
                if part.starts_with('{') { "01890a5d-ac96-774b-bcce-b302099a8057" } else { part }
            });
            parts.collect::<Vec<_>>().join("/")
        })
        .collect()
}

fn with_bad_credentials(app: &TestApp) -> [(Client, &'static str); 3] {
    [
        (app.anon().bearing("nonsense"), "INVALID_TOKEN"),
        (app.anon().with_header("x-api-key", "nonsense"), "INVALID_API_KEY"),
        (app.anon().with_header("authorization", "Basic bm9uc2Vuc2U="), "INVALID_TOKEN"),
    ]
}

async fn each_read_refuses(app: &TestApp) {
    let reads = reads(app).await;
    for known in ["/api/categories", "/api/products", "/api/packages", "/api/offers"] {
        assert!(reads.iter().any(|path| path == known), "{known}");
    }
    for path in reads {
        // So that what is kept could be answered.
        let welcome = app.anon().get(&path).await.status != 401;
        for (client, code) in with_bad_credentials(app) {
            let answer = client.get(&path).await;
            assert_eq!((answer.status, answer.code()), (401, Some(code)), "{path} (guests: {welcome})");
            assert_eq!(answer.header("x-cache"), None, "{path}");
        }
    }
}

stoa_testing::each_engine! {

async fn every_read_refuses_a_bad_credential(app: TestApp, |settings| {
    settings.cache.on = true;
}) {
    each_read_refuses(app).await;
}

async fn every_read_refuses_a_bad_credential_without_a_cache(app: TestApp, |settings| {
    settings.cache.on = false;
}) {
    each_read_refuses(app).await;
}

}
