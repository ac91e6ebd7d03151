//! The routes under `/api`, and those of content, which have no version.

mod content;
mod library;
mod permitted;
mod presigned;
mod uploads;

use axum::{extract::Request, http::header};
use futures_util::TryStreamExt;
use stoa_http::{RequestContext, declared_length, waits_to_send};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Files,
    error::FileError,
    receive_upload::{Form, Incoming, Taken},
};

/// All of them, with their documentation.
pub(crate) fn all(files: Files) -> OpenApiRouter {
    uploads::routes()
        .merge(library::routes())
        .merge(presigned::routes())
        .merge(content::routes())
        .with_state(files)
}

impl Files {
    /// Reads the form of a request; it may take longer than other requests.
    pub(crate) async fn form_of(
        &self,
        context: &RequestContext,
        request: Request,
        taken: Taken,
    ) -> Result<Form, FileError> {
        context.take_long();
        self.receive(incoming(request), taken).await
    }
}

/// The body of a request on its way.
fn incoming(request: Request) -> Incoming {
    let (head, body) = request.into_parts();
    let given = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Incoming {
        content_type: given.unwrap_or_default().to_owned(),
        length: declared_length(&head.headers),
        waits: waits_to_send(&head.headers),
        body: Box::pin(body.into_data_stream().map_err(Into::into)),
    }
}
