//! A refusal on its way out of a handler.

use std::sync::Arc;

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use stoa_kernel::{Refusal, RefusalKind};

/// A refused request. Anything that becomes a [`Refusal`] becomes a problem by `?`.
#[derive(Debug)]
pub struct Problem(pub Refusal);

impl<E: Into<Refusal>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What an address answers to a method it does not take.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem(Refusal::new(
        RefusalKind::MethodNotAllowed,
        "METHOD_NOT_ALLOWED",
        "This address does not take this method.",
    ))
}

/// The status of each kind of refusal; the one place that knows.
pub(crate) const fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Malformed => StatusCode::BAD_REQUEST,
        RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalKind::PaymentDeclined => StatusCode::PAYMENT_REQUIRED,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        RefusalKind::Timeout => StatusCode::REQUEST_TIMEOUT,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Gone => StatusCode::GONE,
        RefusalKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RefusalKind::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        RefusalKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The refusal rides as an extension; the edge writes it in the version's shape.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.0.kind);
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}
