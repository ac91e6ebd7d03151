//! Who asks, and what they may do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{Id, Refusal, RefusalKind};

/// Marker of user ids.
pub enum User {}
/// The id of a user.
pub type UserId = Id<User>;

/// Marker of session ids.
pub enum Session {}
/// The id of a login session (`sid`).
pub type SessionId = Id<Session>;

/// One thing a role allows: an action (`read`, `create`, … or `*`) on a resource (`product`, `order`, …).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// What is acted on.
    pub resource: String,
    /// What is done to it; `*` is everything.
    pub action: String,
}

/// A set of permissions, quick to ask.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Permissions(BTreeMap<String, BTreeSet<String>>);

impl Permissions {
    /// Whether `action` on `resource` is allowed.
    pub fn allow(&self, resource: &str, action: &str) -> bool {
        self.0.get(resource).is_some_and(|actions| actions.contains(action) || actions.contains("*"))
    }

    /// What both allow.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let mut both = BTreeMap::new();
        for (resource, actions) in &self.0 {
            let Some(others) = other.0.get(resource) else { continue };
            let mut left: BTreeSet<String> = actions.intersection(others).cloned().collect();
            if actions.contains("*") {
                left.extend(others.iter().cloned());
            }
            if others.contains("*") {
                left.extend(actions.iter().cloned());
            }
            both.insert(resource.clone(), left);
        }
        Self(both)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = Self::default();
        for Permission { resource, action } in permissions {
            set.0.entry(resource).or_default().insert(action);
        }
        set
    }
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub enum Actor {
    /// Nobody signed in.
    Guest,
    /// A person, signed in.
    User(SignedIn),
    /// A program with an API key.
    Machine(Machine),
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The person.
    pub user: UserId,
    /// The login session the credential belongs to.
    pub session: SessionId,
    /// The role's name.
    pub role: Arc<str>,
    /// What the role allows at present.
    pub permissions: Arc<Permissions>,
}

/// A program that signs in by key.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the logs call the key; never the key itself.
    pub name: Arc<str>,
    /// The key's scopes.
    pub permissions: Arc<Permissions>,
}

impl Actor {
    /// Whether the actor has this permission.
    pub fn may(&self, resource: &str, action: &str) -> bool {
        match self {
            Self::Guest => false,
            Self::User(person) => person.permissions.allow(resource, action),
            Self::Machine(machine) => machine.permissions.allow(resource, action),
        }
    }

    /// Asks for a permission: 401 for a guest, 403 for somebody without it.
    pub fn require(&self, resource: &str, action: &str) -> Result<(), Refusal> {
        match self {
            Self::Guest => Err(Refusal::authentication_required()),
            _ if self.may(resource, action) => Ok(()),
            _ => Err(Refusal::forbidden()),
        }
    }

    /// Asks for a person: 401 for a guest, 403 for a machine.
    pub fn require_user(&self) -> Result<&SignedIn, Refusal> {
        match self {
            Self::Guest => Err(Refusal::authentication_required()),
            Self::User(person) => Ok(person),
            Self::Machine(_) => Err(Refusal::new(
                RefusalKind::Forbidden,
                "FORBIDDEN",
                "This is for people who have signed in; an API key will not do.",
            )),
        }
    }

    /// Asks for one of these roles: 401 for a guest, 403 for others.
    pub fn require_role(&self, roles: &[&str]) -> Result<&SignedIn, Refusal> {
        let person = self.require_user()?;
        if roles.contains(&person.role.as_ref()) { Ok(person) } else { Err(Refusal::forbidden()) }
    }

    /// The signed-in person's id, if there is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(person) => Some(person.user),
            _ => None,
        }
    }
}

/// As kept in events, audit records and limits: `guest`, `user:<id>` or `key:<name>`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest => f.write_str("guest"),
            Self::User(person) => write!(f, "user:{}", person.user),
            Self::Machine(machine) => write!(f, "key:{}", machine.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_allows_every_action_of_its_resource_only() {
        let offers: Permissions =
            [Permission { resource: "offer".into(), action: "*".into() }].into_iter().collect();
        assert!(offers.allow("offer", "delete"));
        assert!(!offers.allow("product", "delete"));
    }

    #[test]
    fn two_allow_together_what_each_of_them_does() {
        let of = |scopes: &[(&str, &str)]| -> Permissions {
            let one = |(resource, action): &(&str, &str)| Permission {
                resource: (*resource).into(),
                action: (*action).into(),
            };
            scopes.iter().map(one).collect()
        };
        let key =
            of(&[("offer", "*"), ("order", "read"), ("order", "update"), ("user", "read"), ("role", "*")]);
        let maker =
            of(&[("offer", "read"), ("order", "*"), ("user", "delete"), ("role", "*"), ("room", "*")]);
        let both = key.within(&maker);
        let asked = |(resource, action): &(&str, &str)| both.allow(resource, action);
        assert!([("offer", "read"), ("order", "read"), ("order", "update"), ("role", "x")].iter().all(asked));
        let neither =
            [("offer", "delete"), ("order", "delete"), ("user", "read"), ("user", "delete"), ("room", "x")];
        assert!(!neither.iter().any(asked));
        assert_eq!(key.within(&key), key);
        assert_eq!(maker.within(&key), both);
    }

    #[test]
    fn a_guest_is_asked_to_sign_in_and_a_machine_is_forbidden() {
        use crate::RefusalKind::{Forbidden, Unauthenticated};
        assert_eq!(Actor::Guest.require("order", "read").unwrap_err().kind, Unauthenticated);
        let machine = Actor::Machine(Machine { name: "till".into(), permissions: Arc::default() });
        assert_eq!(machine.require("order", "read").unwrap_err().kind, Forbidden);
        assert_eq!(machine.require_user().unwrap_err().kind, Forbidden);
    }
}
