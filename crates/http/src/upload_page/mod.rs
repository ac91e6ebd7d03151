//! `GET /upload-form`: a page that sends files. It loads nothing from elsewhere and runs no script but its own.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::IntoResponse,
    routing::{MethodRouter, get},
};

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// The page and its parts. It offers to go on without an account where guests may send files.
pub fn upload_page(guests: bool) -> Router {
    let page = include_str!("page.html");
    let page = if guests { page.replacen("<html ", "<html data-guests=\"on\" ", 1) } else { page.to_owned() };
    Router::new()
        .route("/upload-form", part("text/html; charset=utf-8", page))
        .route("/upload-form/page.css", part("text/css; charset=utf-8", include_str!("page.css").to_owned()))
        .route(
            "/upload-form/page.js",
            part("text/javascript; charset=utf-8", include_str!("page.js").to_owned()),
        )
}

/// Asked for anew each time, so that the parts are always those of one build.
fn part(kind: &'static str, text: String) -> MethodRouter {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    get(|| async move { (headers, text).into_response() })
}
