//! Who may come in. As extractors of the request's head, so that they speak before a body is read.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use stoa_http::{Caller, Problem, Reply, RequestContext};
use stoa_kernel::{Actor, UserId};

use crate::{
    Ordering,
    guest_cart::{GuestSecret, Joined, KEPT, Whose},
    store::orders::Scope,
};

/// Whoever has a cart: a signed-in person, or a guest. The cart a person filled before signing in is joined to their own
/// before anything else is done.
pub(super) struct Shopper {
    pub(super) whose: Whose,
    pub(super) actor: Actor,
    pub(super) cookies: Cookies,
}

/// A signed-in person who may place orders; their cart as for a [`Shopper`].
pub(super) struct Buyer {
    pub(super) user: UserId,
    pub(super) actor: Actor,
    /// What became of the cart they filled before signing in.
    pub(super) joined: Joined,
    pub(super) cookies: Cookies,
}

/// What an answer tells the client to do with the cookie of a guest's cart.
#[derive(Clone, Copy)]
pub(super) struct Cookies {
    /// Whether clients reach us by https.
    secure: bool,
    /// Whether the cart it was for has been joined to a user's.
    spent: bool,
}

impl Cookies {
    const NAME: &'static str = "stoa_cart";

    /// The secret a request carries, if it could be one of ours.
    fn secret(headers: &HeaderMap) -> Option<GuestSecret> {
        let cookies = headers.get_all(header::COOKIE).into_iter();
        let mut pairs = cookies.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        pairs.find_map(|pair| match pair.trim().split_once('=') {
            Some((Self::NAME, value)) => GuestSecret::parse(value),
            _ => None,
        })
    }

    /// The answer, taking back the cookie of a cart that is no guest's any more.
    pub(super) fn on(self, reply: Reply) -> Reply {
        if self.spent { self.set(reply, "", 0) } else { reply }
    }

    /// The answer to a change of a cart: a guest keeps the cookie for as long as the cart is kept from now on.
    pub(super) fn after_change(self, reply: Reply, secret: Option<&GuestSecret>) -> Reply {
        match secret {
            Some(secret) => self.set(reply, secret.reveal(), KEPT.as_secs()),
            None => self.on(reply),
        }
    }

    fn set(self, reply: Reply, value: &str, seconds: u64) -> Reply {
        match HeaderValue::try_from(self.cookie(value, seconds)) {
            Ok(mut cookie) => {
                cookie.set_sensitive(true);
                reply.with_header(header::SET_COOKIE, cookie)
            }
            Err(_) => reply,
        }
    }

    fn cookie(self, value: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}", Self::NAME)
    }
}

/// Joins the cart of the cookie to that of the user.
async fn join(parts: &mut Parts, ordering: &Ordering, user: UserId) -> Result<(Joined, Cookies), Problem> {
    let secure = RequestContext::from_request_parts(parts, ordering).await?.settings().https;
    let Some(secret) = Cookies::secret(&parts.headers) else {
        return Ok((Joined::Nothing, Cookies { secure, spent: false }));
    };
    let joined = ordering.join_carts(user, secret, ordering.platform.clock.now()).await?;
    Ok((joined, Cookies { secure, spent: true }))
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

async fn caller<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Actor, Problem> {
    Caller::from_request_parts(parts, state).await.map(|Caller(actor)| actor)
}

impl FromRequestParts<Ordering> for Shopper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ordering: &Ordering) -> Result<Self, Problem> {
        let actor = caller(parts, ordering).await?;
        if matches!(actor, Actor::Guest) {
            let secure = RequestContext::from_request_parts(parts, ordering).await?.settings().https;
            let whose = Whose::Guest(Cookies::secret(&parts.headers));
            return Ok(Self { whose, actor, cookies: Cookies { secure, spent: false } });
        }
        let user = actor.require_user()?.user;
        let (_, cookies) = join(parts, ordering, user).await?;
        Ok(Self { whose: Whose::User(user), actor, cookies })
    }
}

impl FromRequestParts<Ordering> for Buyer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ordering: &Ordering) -> Result<Self, Problem> {
        let actor = caller(parts, ordering).await?;
        actor.require("order", "create")?;
        let user = actor.require_user()?.user;
        let (joined, cookies) = join(parts, ordering, user).await?;
        Ok(Self { user, actor, joined, cookies })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        Ok(Self(Scope::granted(&actor, "read")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Canceller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = caller(parts, state).await?;
        Ok(Self { scope: Scope::granted(&actor, "create")?, actor })
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
    use stoa_kernel::Random;

    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (header::COOKIE, HeaderValue::try_from(*cookie).unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others_and_only_if_it_could_be_ours() {
        let secret = GuestSecret::new(&Random::system());
        let ours = format!("stoa_cart={}", secret.reveal());
        for cookies in [vec![ours.as_str()], vec!["a=b", &format!("c=d; stoa_cart=x;{ours} ; e")]] {
            assert_eq!(Cookies::secret(&headers(&cookies)), Some(secret.clone()), "{cookies:?}");
        }
        let strange = format!("x{ours}");
        for cookies in [vec![], vec!["stoa_cart="], vec![strange.as_str()], vec!["stoa_cart"]] {
            assert_eq!(Cookies::secret(&headers(&cookies)), None, "{cookies:?}");
        }
    }

    #[test]
    fn the_cookie_is_for_us_alone() {
        let plain = Cookies { secure: false, spent: false };
        assert_eq!(plain.cookie("x", 60), "stoa_cart=x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax");
        assert!(Cookies { secure: true, ..plain }.cookie("x", 60).ends_with("; SameSite=Lax; Secure"));
    }
}
