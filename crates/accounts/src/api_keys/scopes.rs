//! What an API key may do: permissions, written `resource:action` or `resource:*`.

use stoa_kernel::{Actor, Flaw, Permission};

/// What can be done to anything that roles speak of.
const USUAL_ACTIONS: [&str; 5] = ["create", "read", "update", "delete", "*"];
/// What can be done beside that.
const OTHER_ACTIONS: [(&str, &str); 1] = [("room", "moderate")];
const LONGEST_WORD: usize = 64;

/// A scope as its permission.
pub(super) fn parse(text: &str) -> Result<Permission, Flaw> {
    let flaw = Flaw::new("INVALID_PERMISSION", "Use `resource:action`, or `resource:*` for every action.");
    let (resource, action) = text.split_once(':').ok_or(flaw)?;
    if is_word(resource) && (action == "*" || is_word(action)) {
        Ok(Permission { resource: resource.to_owned(), action: action.to_owned() })
    } else {
        Err(flaw)
    }
}

fn is_word(text: &str) -> bool {
    (1..=LONGEST_WORD).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The scope as it is written.
pub(crate) fn written(scope: &Permission) -> String {
    format!("{}:{}", scope.resource, scope.action)
}

/// Whether a scope means anything here: some role names its resource, and the action is a usual one or named by a role.
/// So an embedder's own permissions are known once a role has them.
pub(super) fn is_known(scope: &Permission, granted: &[Permission]) -> bool {
    let named = granted.iter().any(|known| known.resource == scope.resource);
    let usual = USUAL_ACTIONS.contains(&scope.action.as_str())
        || OTHER_ACTIONS.contains(&(scope.resource.as_str(), scope.action.as_str()));
    named && (usual || granted.contains(scope))
}

/// The scopes that their giver does not have, as written. `resource:*` takes `resource:*` to give.
pub(super) fn beyond(scopes: &[Permission], giver: &Actor) -> Vec<String> {
    scopes.iter().filter(|scope| !giver.may(&scope.resource, &scope.action)).map(written).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stoa_kernel::actor::Machine;

    use super::*;

    fn scope(text: &str) -> Permission {
        parse(text).unwrap()
    }

    #[test]
    fn a_scope_is_a_resource_and_an_action() {
        assert_eq!(written(&scope("api-key:read")), "api-key:read");
        assert_eq!(scope("order:*").action, "*");
        for bad in
            ["", "order", "order:", ":read", "*:read", "*:*", "Order:read", "order:read:all", "order:re ad"]
        {
            assert_eq!(parse(bad).unwrap_err().code, "INVALID_PERMISSION", "{bad}");
        }
    }

    #[test]
    fn what_no_role_speaks_of_is_unknown() {
        let granted = [scope("order:read"), scope("room:*"), scope("bike:ride")];
        for known in ["order:read", "order:delete", "order:*", "room:moderate", "bike:ride", "bike:read"] {
            assert!(is_known(&scope(known), &granted), "{known}");
        }
        for unknown in ["car:read", "order:raed", "order:moderate", "room:ride"] {
            assert!(!is_known(&scope(unknown), &granted), "{unknown}");
        }
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let permissions = [scope("order:*"), scope("product:read")].into_iter().collect();
        let giver = Actor::Machine(Machine { name: "till".into(), permissions: Arc::new(permissions) });
        let wanted = ["order:*", "order:read", "product:read", "product:*", "user:read"].map(scope);
        assert_eq!(beyond(&wanted, &giver), ["product:*", "user:read"]);
        assert_eq!(beyond(&wanted, &Actor::Guest).len(), wanted.len());
    }
}
