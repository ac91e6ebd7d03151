//! Filling the cache after the start with what is asked for first, so that the first visitors do not wait for it. It goes
//! the way of any request, so the answers are kept under the keys that requests look under; and it goes beside them, so no
//! start waits for it.

use axum::{body::Body, extract::Request, http::StatusCode};
use http_body_util::BodyExt;
use stoa_http::Edge;
use tower::Service;

/// The categories, and the first page of products.
const PATHS: [&str; 3] = ["/api/categories/tree", "/api/categories", "/api/products"];

/// Asks for each of them, in the background.
pub(crate) fn warm(edge: Edge) {
    tokio::spawn(async move {
        let mut filled = 0;
        for path in PATHS {
            match asked(edge.clone(), path).await {
                Ok(StatusCode::OK) => filled += 1,
                Ok(status) => tracing::warn!(path, %status, "the cache could not be warmed"),
                Err(error) => tracing::warn!(path, %error, "the cache could not be warmed"),
            }
        }
        tracing::info!(answers = filled, "warmed the cache");
    });
}

async fn asked(mut edge: Edge, path: &str) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::get(path).body(Body::empty())?;
    let response = edge.call(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}
