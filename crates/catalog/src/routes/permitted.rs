//! Permissions as an extractor, so that whoever may not do a thing is told so before the body is looked at.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_http::{Caller, Problem};
use stoa_kernel::Actor;

/// Something that needs a permission.
pub(super) trait Deed {
    const RESOURCE: &'static str;
    const ACTION: &'static str;
}

macro_rules! deeds {
    ($($name:ident = $resource:literal : $action:literal;)*) => {
        $(pub(super) enum $name {}

        impl Deed for $name {
            const RESOURCE: &'static str = $resource;
            const ACTION: &'static str = $action;
        })*
    };
}

deeds! {
    CreatesProducts = "product": "create";
    UpdatesProducts = "product": "update";
    DeletesProducts = "product": "delete";
    CreatesCategories = "category": "create";
    UpdatesCategories = "category": "update";
    DeletesCategories = "category": "delete";
}

/// A caller who may do this: 401 for a guest, 403 for others.
pub(super) struct Permitted<D> {
    pub(super) actor: Actor,
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
