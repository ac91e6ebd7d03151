//! Guards as extractors of a request's head, so that whoever may not do a thing is told so before parameters and body
//! are looked at.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_kernel::Actor;

use crate::{context::Caller, problem::Problem};

/// A permission that a route asks for; made by [`guards!`](crate::guards).
pub trait Guard {
    /// What is acted on.
    const RESOURCE: &'static str;
    /// What is done to it.
    const ACTION: &'static str;
}

/// Names the permissions that routes ask for: `guards! { CreatesProducts = "product": "create"; }`.
#[macro_export]
macro_rules! guards {
    ($($name:ident = $resource:literal : $action:literal;)*) => {
        $(pub(crate) enum $name {}

        impl $crate::Guard for $name {
            const RESOURCE: &'static str = $resource;
            const ACTION: &'static str = $action;
        })*
    };
}

/// A caller with the guard's permission: 401 for a guest, 403 for others.
#[derive(Debug)]
pub struct Permitted<G> {
    /// Who it is.
    pub actor: Actor,
    guard: PhantomData<fn() -> G>,
}

impl<S: Send + Sync, G: Guard> FromRequestParts<S> for Permitted<G> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        actor.require(G::RESOURCE, G::ACTION)?;
        Ok(Self { actor, guard: PhantomData })
    }
}

/// A signed-in person, whatever they may do: 401 for a guest, 403 for a machine.
#[derive(Debug)]
pub struct SignedIn(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        actor.require_user()?;
        Ok(Self(actor))
    }
}
