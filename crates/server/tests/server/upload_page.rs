//! The page at `/upload-form`, used in a browser.

use stoa_platform::database::Engine;
use stoa_testing::{PASSWORD, json};

use crate::{
    node::Home,
    realtime::script::{Script, root},
};

async fn is_used(home: Home, by: &str) {
    let _node = home.start().await;
    let account = json!({"email": "ada@example.com", "password": PASSWORD, "name": "ada"});
    home.anon().post("/api/auth/register", account).await.expect(201);
    let pictures = root().join("crates/pictures/tests/pictures/fixtures");
    let cast = json!({"username": "ada@example.com", "password": PASSWORD, "pictures": pictures});
    Script::start("upload_page.mjs", &[by], &home, &cast).ends().await;
}

#[tokio::test]
async fn somebody_with_an_account_sends_files_from_the_page() {
    is_used(Home::new(Engine::Sqlite), "account").await;
}

#[tokio::test]
async fn a_guest_sends_files_from_the_page_where_guests_may() {
    is_used(Home::new(Engine::Sqlite).with("STOA_GUESTS", "true"), "guest").await;
}
