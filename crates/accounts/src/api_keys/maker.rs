//! Who made a key, and what that leaves of it: a key never does more than its maker may do at present.

use stoa_kernel::{Permissions, Timestamp, UserId};
use stoa_platform::database::{Connection, DatabaseError};

use crate::store::{
    api_keys::{self, ApiKeyId},
    roles, users,
};

/// Keys that make keys that make keys: the most that are asked about.
const LONGEST_CHAIN: usize = 16;

/// Who made a key, as it is kept: `user:<id>` or `key:<id>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Maker {
    User(UserId),
    Key(ApiKeyId),
}

impl Maker {
    fn of(kept: &str) -> Option<Self> {
        match kept.split_once(':')? {
            ("user", id) => id.parse().ok().map(Self::User),
            ("key", id) => id.parse().ok().map(Self::Key),
            _ => None,
        }
    }
}

/// What is left of `scopes`; `None` when somebody up to the person who began it is no more.
pub(super) fn left_of(
    c: &mut Connection<'_>,
    scopes: &Permissions,
    made_by: &str,
    now: Timestamp,
) -> Result<Option<Permissions>, DatabaseError> {
    let (mut left, mut made_by) = (scopes.clone(), made_by.to_owned());
    for _ in 0..LONGEST_CHAIN {
        match Maker::of(&made_by) {
            Some(Maker::User(user)) => {
                let Some(role) = users::role_of(c, user)? else { return Ok(None) };
                let allowed = Permissions::from_iter(roles::permissions(c, &role)?);
                return Ok(Some(left.within(&allowed)));
            }
            Some(Maker::Key(key)) => {
                let Some(above) = api_keys::scopes_of(c, key)? else { return Ok(None) };
                if above.expires_at.is_some_and(|end| end <= now) {
                    return Ok(None);
                }
                left = left.within(&above.scopes);
                made_by = above.created_by;
            }
            None => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_known_by_what_is_kept_of_them() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(Maker::of(&format!("user:{id}")), id.parse().ok().map(Maker::User));
        assert_eq!(Maker::of(&format!("key:{id}")), id.parse().ok().map(Maker::Key));
        for other in ["", "guest", "user:", "key:configured-1", id, "system:start"] {
            assert_eq!(Maker::of(other), None, "{other}");
        }
    }
}
