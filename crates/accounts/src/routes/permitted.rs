//! Permissions as an extractor, so that whoever may not do a thing is told so before parameters and body are looked at.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_http::{Caller, Problem};
use stoa_kernel::Actor;

/// Something that needs a permission.
pub(crate) trait Deed {
    const RESOURCE: &'static str;
    const ACTION: &'static str;
}

macro_rules! deeds {
    ($($name:ident = $resource:literal : $action:literal;)*) => {
        $(pub(crate) enum $name {}

        impl Deed for $name {
            const RESOURCE: &'static str = $resource;
            const ACTION: &'static str = $action;
        })*
    };
}

deeds! {
    ReadsAudit = "audit": "read";
    ReadsRoles = "role": "read";
    CreatesRoles = "role": "create";
    UpdatesRoles = "role": "update";
    DeletesRoles = "role": "delete";
    ReadsUsers = "user": "read";
    UpdatesUsers = "user": "update";
    UpdatesProfile = "profile": "update";
}

/// A caller who may do this: 401 for a guest, 403 for others.
pub(crate) struct Permitted<D> {
    pub(crate) actor: Actor,
    deed: PhantomData<D>,
}

impl<S: Send + Sync, D: Deed> FromRequestParts<S> for Permitted<D> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        actor.require(D::RESOURCE, D::ACTION)?;
        Ok(Self { actor, deed: PhantomData })
    }
}

/// Somebody who is signed in, whatever they may do: 401 for all others.
pub(crate) struct SignedIn(pub(crate) Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        actor.require_user()?;
        Ok(Self(actor))
    }
}
