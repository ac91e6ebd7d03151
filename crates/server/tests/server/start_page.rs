//! GET / and the addresses of the first surface, asked by browsers and by programs.

use reqwest::Method;
use stoa_testing::{Answer, Client, TestApp, json};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
const FIRST_SURFACE: [&str; 7] =
    ["/register", "/login", "/profile", "/protected", "/upload", "/upload/multiple", "/files"];

fn accepting(app: &TestApp, accept: &str) -> Client {
    app.anon().with_header("accept", accept)
}

#[track_caller]
fn is_page(answer: &Answer) -> bool {
    let is_page = answer.header("content-type") == Some("text/html; charset=utf-8");
    assert_eq!(is_page, answer.text.contains("<h1>Stoa</h1>"));
    is_page
}

/// All values of `Vary`, which may come in several headers.
fn varies(answer: &Answer) -> bool {
    answer.all("vary").iter().any(|value| value.split(',').any(|one| one.trim() == "Accept"))
}

stoa_testing::each_engine! {

async fn a_browser_is_told_what_runs_here(app: TestApp) {
    let page = accepting(app, BROWSER).get("/").await.expect(200);
    assert!(is_page(&page) && varies(&page));
    assert!(page.text.contains(&format!("Version {}", env!("CARGO_PKG_VERSION"))), "{}", page.text);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for elsewhere in ["<script", "http:", "https:", "src=", "{{"] {
        assert!(!page.text.contains(elsewhere), "{elsewhere} in {}", page.text);
    }
}

async fn the_style_of_the_page_is_all_that_its_policy_allows(app: TestApp) {
    use sha2::{Digest, Sha256};
    let page = accepting(app, BROWSER).get("/").await.expect(200);
    let style = page.text.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash: Vec<u8> = Sha256::digest(style).to_vec();
    let policy = page.header("content-security-policy").unwrap();
    let allowed = policy.split("'sha256-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, allowed).unwrap(), hash);
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
}

async fn the_page_leads_on(app: TestApp) {
    let page = accepting(app, BROWSER).get("/").await.expect(200);
    let links: Vec<&str> = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(links, ["/api/docs/", "/api/docs/errors", "/api/openapi.json", "/upload-form", "/health"]);
    for link in links.into_iter().filter(|link| *link != "/upload-form") {
        accepting(app, BROWSER).get(link).await.expect(200);
    }
}

async fn programs_are_answered_as_ever(app: TestApp) {
    for accept in ["*/*", "application/json", "application/json, text/plain, */*", "text/html, application/json", "text/html;q=0.4, application/json;q=0.5"] {
        let client = accepting(app, accept);
        let root = client.get("/").await.refused(404, "NOT_FOUND");
        assert!(varies(&root), "{accept}");
        let profile = client.get("/profile").await.expect(401);
        assert!(varies(&profile) && profile.body["error"].is_string(), "{accept}");
        assert!(profile.header("deprecation").is_some());
    }
    let unsaid = app.anon().get("/profile").await.expect(401);
    assert!(unsaid.body["error"].is_string());
}

async fn a_browser_gets_the_page_where_the_first_surface_is(app: TestApp) {
    for path in FIRST_SURFACE {
        let page = accepting(app, BROWSER).get(path).await.expect(200);
        assert!(is_page(&page) && varies(&page), "{path}");
        assert_eq!((page.header("deprecation"), page.header("warning")), (None, None), "the page is not going away");
        let program = accepting(app, "application/json").get(path).await;
        assert!(!is_page(&program) && varies(&program), "{path}");
    }
    let whoever = accepting(app, BROWSER).get("/register/x").await.expect(404);
    assert!(!is_page(&whoever), "nothing is at that address");
    for path in ["/api/products", "/health"] {
        assert!(!is_page(&accepting(app, BROWSER).get(path).await.expect(200)), "{path}");
    }
}

async fn weights_decide(app: TestApp) {
    for (accept, page) in [
        ("text/html;q=0.9, application/json;q=0.8", true),
        ("application/json;q=0.9, text/html;q=0.8", false),
        ("text/*, application/json;q=0.999", true),
        ("text/html;q=0, */*;q=0.1", false),
    ] {
        assert_eq!(is_page(&accepting(app, accept).get("/profile").await), page, "{accept}");
    }
}

async fn a_head_tells_of_the_same(app: TestApp) {
    for (accept, path, status) in [(BROWSER, "/", 200), (BROWSER, "/profile", 200), ("*/*", "/profile", 401), ("*/*", "/", 404)] {
        let client = accepting(app, accept);
        let (head, got) = (client.attempt(Method::HEAD, path, None).await.unwrap().expect(status), client.get(path).await);
        assert_eq!(head.text, "");
        for name in ["content-type", "content-security-policy"] {
            assert_eq!(head.header(name), got.header(name), "{name} of {path} for {accept}");
        }
        assert!(varies(&head));
    }
}

async fn what_a_browser_sends_is_still_served(app: TestApp) {
    let browser = accepting(app, BROWSER);
    let body = json!({"username": "ann", "email": "ann@example.org", "password": stoa_testing::PASSWORD});
    let registered = browser.post("/register", body).await.expect(201);
    assert!(registered.body["token"].is_string());
    browser.post("/login", json!({})).await.expect(422);
}

async fn a_browser_gets_the_page_after_the_sunset_too(app: TestApp, |settings| {
    settings.http.v0_sunset = Some(stoa_testing::START);
}) {
    app.anon().get("/profile").await.expect(410);
    assert!(is_page(&accepting(app, BROWSER).get("/profile").await.expect(200)));
}

}
