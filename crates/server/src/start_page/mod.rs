//! The page that a browser gets at `/` and where the first surface of the API answers others. It says what runs here and
//! where to go on. Nothing on it comes from elsewhere, and no script runs.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use stoa_http::{Problem, prefers_html};
use stoa_kernel::Refusal;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Where the first surface answers, and a browser that asks for a page gets one.
const FIRST_SURFACE: [&str; 7] =
    ["/register", "/login", "/profile", "/protected", "/upload", "/upload/multiple", "/files"];
const BY_ACCEPT: HeaderValue = HeaderValue::from_static("Accept");

/// The page, ready to send.
#[derive(Clone)]
pub(crate) struct StartPage(Arc<Ready>);

struct Ready {
    text: String,
    policy: HeaderValue,
}

impl StartPage {
    /// The page of a server of this version.
    pub(crate) fn of_version(version: &str) -> Self {
        let text = PAGE.replace("{{style}}", STYLE).replace("{{version}}", version);
        let allowed = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        // A hash in base64 is fine in a header; a page without a policy of its own gets the one that forbids everything.
        let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self(Arc::new(Ready { text, policy }))
    }

    /// `GET /`.
    pub(crate) fn at_the_root(&self) -> Router {
        Router::new().route("/", get(root)).with_state(self.clone())
    }

    /// Puts the page before the first surface, for those who would rather have it.
    pub(crate) fn before(&self, first_surface: Router) -> Router {
        first_surface.layer(from_fn_with_state(self.clone(), instead))
    }
}

impl IntoResponse for StartPage {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, self.0.policy.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (StatusCode::OK, headers, self.0.text.clone()).into_response()
    }
}

async fn root(State(page): State<StartPage>, request: Request) -> Response {
    let nothing =
        || Problem(Refusal::not_found("NOT_FOUND", "There is nothing at this address.")).into_response();
    let response = if prefers_html(request.headers()) { page.into_response() } else { nothing() };
    by_accept(response)
}

async fn instead(State(page): State<StartPage>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !FIRST_SURFACE.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let response =
        if prefers_html(request.headers()) { page.into_response() } else { next.run(request).await };
    by_accept(response)
}

/// Tells caches that another client may get another answer here.
fn by_accept(mut response: Response) -> Response {
    let vary: HeaderName = header::VARY;
    response.headers_mut().append(vary, BY_ACCEPT);
    response
}
