//! Who may come in. As extractors of the request's head, so that they speak before a body is read.

use axum::{extract::FromRequestParts, http::request::Parts};
use stoa_http::{Caller, Problem};
use stoa_kernel::{Actor, Refusal, UserId};

use crate::store::orders::Scope;

/// A signed-in person, whose cart is meant.
pub(super) struct Shopper {
    pub(super) user: UserId,
    pub(super) actor: Actor,
}

/// A signed-in person who may place orders.
pub(super) struct Buyer {
    pub(super) user: UserId,
    pub(super) actor: Actor,
}

/// Whoever may read orders: their own, or everybody's for those who also change them.
pub(super) struct Reader(pub(super) Scope);

/// Whoever may call an order off: their own, or anybody's.
pub(super) struct Canceller {
    pub(super) scope: Scope,
    pub(super) actor: Actor,
}

/// Whoever may change orders.
pub(super) struct Clerk(pub(super) Actor);

/// Everybody's orders are for those who may change them; `order:read` and `order:create` alone are of one's own.
fn scope(actor: &Actor, action: &str) -> Result<Scope, Refusal> {
    if actor.may("order", "update") {
        return Ok(Scope::All);
    }
    actor.require("order", action)?;
    Ok(Scope::Of(actor.require_user()?.user))
}

async fn caller<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Actor, Problem> {
    Caller::from_request_parts(parts, state).await.map(|Caller(actor)| actor)
}

impl<S: Send + Sync> FromRequestParts<S> for Shopper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        Ok(Self { user: actor.require_user()?.user, actor })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Buyer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        actor.require("order", "create")?;
        Ok(Self { user: actor.require_user()?.user, actor })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        Ok(Self(scope(&actor, "read")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Canceller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        Ok(Self { scope: scope(&actor, "create")?, actor })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Clerk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        actor.require("order", "update")?;
        Ok(Self(actor))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stoa_kernel::{Id, Permission, Permissions, Random, RefusalKind, SignedIn, Timestamp};

    use super::*;

    fn person(actions: &[&str]) -> (UserId, Actor) {
        let id = Id::new(Timestamp::from_seconds(1), &Random::system());
        let permissions: Permissions = actions
            .iter()
            .map(|action| Permission { resource: "order".into(), action: (*action).into() })
            .collect();
        let session = Id::new(Timestamp::from_seconds(1), &Random::system());
        let person = SignedIn { user: id, session, role: "user".into(), permissions: Arc::new(permissions) };
        (id, Actor::User(person))
    }

    #[test]
    fn readers_see_their_own_and_clerks_see_all() {
        let (bob, shopper) = person(&["read", "create"]);
        assert_eq!(scope(&shopper, "read").unwrap(), Scope::Of(bob));
        assert_eq!(scope(&shopper, "create").unwrap(), Scope::Of(bob));
        let (_, clerk) = person(&["read", "update"]);
        assert_eq!(scope(&clerk, "create").unwrap(), Scope::All);
        let (_, stranger) = person(&[]);
        assert_eq!(scope(&stranger, "read").unwrap_err().kind, RefusalKind::Forbidden);
        assert_eq!(scope(&Actor::Guest, "read").unwrap_err().kind, RefusalKind::Unauthenticated);
    }
}
