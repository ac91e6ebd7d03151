//! The permissions that these routes ask for, and who comes with them: a person, since files belong to people.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_http::{Guard, Permitted, Problem};
use stoa_kernel::{Actor, UserId};
use stoa_platform::Occasion;

use crate::Files;

stoa_http::guards! {
    Reads = "file": "read";
    Sends = "file": "create";
    Deletes = "file": "delete";
}

/// Somebody who may do it, and the occasion on which they do: 401 for guests, 403 for machines and whoever lacks the
/// permission.
pub(super) struct Keeping<G> {
    pub(super) actor: Actor,
    pub(super) user: UserId,
    pub(super) occasion: Occasion,
    guard: PhantomData<fn() -> G>,
}

impl<G: Guard> FromRequestParts<Files> for Keeping<G> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, files: &Files) -> Result<Self, Problem> {
        let Permitted { actor, .. } = Permitted::<G>::from_request_parts(parts, files).await?;
        let user = actor.require_user()?.user;
        Ok(Self { occasion: files.occasion(&actor), actor, user, guard: PhantomData })
    }
}
