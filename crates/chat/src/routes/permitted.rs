//! The permissions that these routes ask for, and who comes with them: a person, since nobody else talks.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_http::{Guard, Permitted, Problem};
use stoa_platform::Occasion;

use crate::{Chat, standing::Visitor};

stoa_http::guards! {
    Reads = "message": "read";
    Writes = "message": "create";
    Edits = "message": "update";
    Deletes = "message": "delete";
}

/// Somebody who may talk, and the occasion on which they do: 401 for guests, 403 for machines and whoever lacks the
/// permission.
pub(super) struct Talking<G> {
    pub(super) visitor: Visitor,
    pub(super) occasion: Occasion,
    guard: PhantomData<fn() -> G>,
}

impl<G: Guard> FromRequestParts<Chat> for Talking<G> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Problem> {
        let Permitted { actor, .. } = Permitted::<G>::from_request_parts(parts, chat).await?;
        Ok(Self { visitor: Visitor::of(&actor)?, occasion: chat.occasion(&actor), guard: PhantomData })
    }
}
