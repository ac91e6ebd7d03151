//! The deprecated flat surface: its answers say that it goes, and when; after the sunset they say it is gone.

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use stoa_kernel::{Refusal, RefusalKind};

use crate::{
    context::RequestContext,
    dates::http_date,
    problem::{Problem, method_not_allowed},
    version::ApiVersion,
};

/// When v0 was deprecated (2026-01-01), as `Deprecation` (RFC 9745) wants it.
const DEPRECATED_SINCE: &str = "@1767225600";
const WARNING: &str = "299 - \"API v0 is deprecated. Please migrate to v1 or v2.\"";
const SUCCESSOR: &str = "</api/docs>; rel=\"successor-version\"";

/// Marks routes as the v0 surface.
pub fn deprecated_surface(routes: Router) -> Router {
    // Without a fallback of their own, refused methods would not pass the layer.
    routes.method_not_allowed_fallback(method_not_allowed).layer(from_fn(deprecated))
}

async fn deprecated(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<RequestContext>().cloned();
    let sunset = context.as_ref().and_then(|context| context.settings().v0_sunset);
    let now = context.as_ref().map(|context| context.0.shared.clock.now());
    let mut response = match (sunset, now) {
        (Some(sunset), Some(now)) if now >= sunset => gone(),
        _ => next.run(request).await,
    };
    response.extensions_mut().insert(ApiVersion::V0);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("deprecation"), HeaderValue::from_static(DEPRECATED_SINCE));
    headers.insert(header::LINK, HeaderValue::from_static(SUCCESSOR));
    headers.insert(header::WARNING, HeaderValue::from_static(WARNING));
    if let Some(date) = sunset.and_then(|sunset| HeaderValue::from_str(&http_date(sunset)).ok()) {
        headers.insert(HeaderName::from_static("sunset"), date);
    }
    response
}

fn gone() -> Response {
    let detail = "API v0 has ended. Please migrate to v1 or v2.";
    Problem(Refusal::new(RefusalKind::Gone, "API_VERSION_GONE", detail)).into_response()
}
