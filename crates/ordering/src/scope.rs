//! Whose orders somebody may see or call off.

use stoa_kernel::{Actor, Refusal};

use crate::store::orders::Scope;

impl Scope {
    /// Everybody's orders are for those who may change them; `order:read` and `order:create` alone are of one's own.
    pub(crate) fn granted(actor: &Actor, action: &str) -> Result<Self, Refusal> {
        if actor.may("order", "update") {
            return Ok(Self::All);
        }
        actor.require("order", action)?;
        Ok(Self::Of(actor.require_user()?.user))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stoa_kernel::{Id, Permission, Permissions, Random, RefusalKind, SignedIn, Timestamp, UserId};

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
        assert_eq!(Scope::granted(&shopper, "read").unwrap(), Scope::Of(bob));
        assert_eq!(Scope::granted(&shopper, "create").unwrap(), Scope::Of(bob));
        let (_, clerk) = person(&["read", "update"]);
        assert_eq!(Scope::granted(&clerk, "create").unwrap(), Scope::All);
        let (_, stranger) = person(&[]);
        assert_eq!(Scope::granted(&stranger, "read").unwrap_err().kind, RefusalKind::Forbidden);
        assert_eq!(Scope::granted(&Actor::Guest, "read").unwrap_err().kind, RefusalKind::Unauthenticated);
    }
}
