//! The file calls of the first surface. Nothing keeps files yet, so each says so instead of not being there.

use axum::{
    Router,
    routing::{delete, get, post},
};
use stoa_kernel::{Refusal, RefusalKind};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/upload", post(not_yet))
        .route("/upload/multiple", post(not_yet))
        .route("/upload/{filename}", delete(not_yet))
        .route("/files", get(not_yet))
        .route("/files/{id}", delete(not_yet))
}

async fn not_yet() -> stoa_http::Outcome {
    let detail = "This server does not keep files yet.";
    Err(Refusal::new(RefusalKind::NotImplemented, "FILES_NOT_AVAILABLE", detail).into())
}
