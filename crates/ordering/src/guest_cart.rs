//! Carts of people who have not signed in, and how they become part of a user's.
//!
//! A guest is known by a cookie that holds a secret; what is kept is its hash. The cookie is given with the first change,
//! never for looking. Whoever signs in brings the cookie along to the next request about the cart or an order, and that
//! request joins what lies in the guest's cart to the user's, in one transaction, once.

use std::{collections::HashMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stoa_contracts::catalog::Ware;
use stoa_kernel::{Money, Random, Timestamp, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    jobs::{Job, JobFailure},
};

use crate::{
    Ordering,
    cart::{CartId, CartItemId, KeptLine, MOST_CODES, MOST_LINES, MOST_PIECES},
    edit_cart::CartPlace,
    settings::OrderingSettings,
    store::{
        carts::{self, Doubled},
        guests,
    },
    totals::Totals,
};

/// How long a guest's cart is kept after its last change, and the cookie with it.
pub(crate) const KEPT: Duration = Duration::from_hours(24 * 30);

/// What a guest's cookie holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GuestSecret(String);

impl GuestSecret {
    const LENGTH: usize = 43;

    pub(crate) fn new(random: &Random) -> Self {
        Self(random.secret())
    }

    /// A value that could be one of ours; what could not is no secret at all.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let ours = text.len() == Self::LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        ours.then(|| Self(text.to_owned()))
    }

    /// For the cookie alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(&self.0).to_vec()
    }
}

impl fmt::Debug for GuestSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuestSecret")
    }
}

/// Whose cart is meant.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    User(UserId),
    /// A guest's, who may have none yet.
    Guest(Option<GuestSecret>),
}

/// A guest about to get a cart; made before the transaction, so that a transaction that runs again makes the same.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    secret: GuestSecret,
    cart: CartId,
}

/// A cart that is about to be changed.
pub(crate) struct OpenCart {
    pub(crate) place: CartPlace,
    /// What the guest's cookie shall hold from now on.
    pub(crate) secret: Option<GuestSecret>,
}

/// What signing in did to the user's cart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joined {
    /// Nothing: the guest had nothing in a cart.
    Nothing,
    /// The user's cart was empty and holds the guest's lines now.
    Moved,
    /// Both held something.
    Mixed,
}

/// Removes carts that guests have left behind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RemoveAbandonedCarts {}

impl Job for RemoveAbandonedCarts {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "remove-abandoned-carts";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

impl Whose {
    /// Where the cart is; `None` for a guest who has none.
    pub(crate) fn place(&self, connection: &mut Connection<'_>) -> Result<Option<CartPlace>, DatabaseError> {
        match self {
            Self::User(user) => Ok(Some(CartPlace::of(*user))),
            Self::Guest(None) => Ok(None),
            Self::Guest(Some(secret)) => {
                let found = guests::find(connection, &secret.hash())?;
                Ok(found.map(|id| CartPlace { id, owner: None }))
            }
        }
    }

    /// The cart, to be changed from here on; `None` for a guest who has none.
    pub(crate) fn open(&self, tx: &mut Tx<'_>, at: Timestamp) -> Result<Option<OpenCart>, DatabaseError> {
        let (place, secret) = match self {
            Self::User(user) => (CartPlace::of(*user), None),
            Self::Guest(None) => return Ok(None),
            Self::Guest(Some(secret)) => match guests::touch(tx, &secret.hash(), at)? {
                Some(id) => (CartPlace { id, owner: None }, Some(secret.clone())),
                None => return Ok(None),
            },
        };
        carts::touch(tx, place.id, at)?;
        Ok(Some(OpenCart { place, secret }))
    }

    /// As [`Whose::open`], and a guest who has none gets one. A secret that is not known is never taken over.
    pub(crate) fn open_or_make(
        &self,
        tx: &mut Tx<'_>,
        newcomer: &Newcomer,
        at: Timestamp,
    ) -> Result<OpenCart, DatabaseError> {
        if let Some(open) = self.open(tx, at)? {
            return Ok(open);
        }
        let Newcomer { secret, cart } = newcomer;
        guests::insert(tx, &secret.hash(), *cart, at)?;
        carts::touch(tx, *cart, at)?;
        Ok(OpenCart { place: CartPlace { id: *cart, owner: None }, secret: Some(secret.clone()) })
    }
}

impl Ordering {
    pub(crate) fn newcomer(&self, occasion: &Occasion) -> Newcomer {
        Newcomer { secret: GuestSecret::new(&self.platform.random), cart: occasion.id() }
    }

    /// Joins what lies in a guest's cart to the user's. Of two requests at once one does it.
    pub(crate) async fn join_carts(
        &self,
        user: UserId,
        secret: GuestSecret,
        at: Timestamp,
    ) -> Result<Joined, DatabaseError> {
        let (ordering, hash) = (self.clone(), secret.hash());
        let known = self.platform.database.get({
            let hash = hash.clone();
            move |connection| guests::find(connection, &hash)
        });
        if known.await?.is_none() {
            return Ok(Joined::Nothing);
        }
        self.platform.database.write(move |tx| ordering.join(tx, user, &hash, at)).await
    }

    fn join(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        secret_hash: &[u8],
        at: Timestamp,
    ) -> Result<Joined, DatabaseError> {
        let Some(guests) = guests::take(tx, secret_hash)? else { return Ok(Joined::Nothing) };
        let brought = carts::take(tx, guests, self.settings.currency, at)?;
        carts::remove(tx, &[guests])?;
        if brought.lines.is_empty() && brought.codes.is_empty() {
            return Ok(Joined::Nothing);
        }
        let place = CartPlace::of(user);
        carts::touch(tx, place.id, at)?;
        let (head, there) = self.kept(tx, place)?;
        let joined = match (there.is_empty(), brought.lines.is_empty()) {
            (false, false) => Joined::Mixed,
            (true, false) => Joined::Moved,
            (_, true) => Joined::Nothing,
        };
        for change in join_lines(&there, brought.lines, &self.settings) {
            match change {
                Change::More(line, quantity) => drop(carts::set_quantity(tx, place.id, line, quantity)?),
                Change::Put(line) => carts::put(tx, place.id, &line, Doubled::LeftOut)?,
            }
        }
        carts::set_codes(tx, place.id, &join_codes(head.codes, brought.codes))?;
        self.show_offers(tx, place, at)?;
        Ok(joined)
    }

    /// Removes carts that nobody has come back to, a bounded number at a time.
    pub(crate) async fn remove_abandoned_carts(&self, occasion: Occasion) -> Result<(), JobFailure> {
        const BATCH: u32 = 200;
        const MOST_BATCHES: usize = 500;
        let before = occasion.at - KEPT;
        for _ in 0..MOST_BATCHES {
            let removed = self.platform.database.write(move |tx| {
                let abandoned = guests::take_abandoned(tx, before, BATCH)?;
                carts::remove(tx, &abandoned)?;
                Ok::<_, DatabaseError>(abandoned.len())
            });
            if removed.await? < BATCH as usize {
                break;
            }
        }
        Ok(())
    }
}

/// What joining does to a line.
#[derive(Debug)]
enum Change {
    /// A line that is there has so many pieces from now on.
    More(CartItemId, i64),
    /// A line comes along.
    Put(KeptLine),
}

/// What becomes of lines that are brought to those that are there. Pieces add up and lines come along as far as the
/// bounds of a cart allow; a line that would be beyond them stays behind. A line that is there keeps the price it shows.
fn join_lines(there: &[KeptLine], brought: Vec<KeptLine>, settings: &OrderingSettings) -> Vec<Change> {
    let mut lines: HashMap<Ware, (Option<CartItemId>, Money, i64)> =
        there.iter().map(|line| (line.ware, (Some(line.id), line.price, line.quantity))).collect();
    let can_be_summed = |lines: &HashMap<Ware, (Option<CartItemId>, Money, i64)>| {
        let sums = lines.values().map(|(_, price, quantity)| (*price, *quantity));
        Totals::of(sums, Money::zero(settings.currency), settings).is_some()
    };
    let mut changes = Vec::new();
    for line in brought {
        let before = lines.get(&line.ware).copied();
        let (id, price, quantity) = match before {
            Some((id, price, there)) => (id, price, there.saturating_add(line.quantity).min(MOST_PIECES)),
            None if lines.len() >= MOST_LINES => continue,
            None => (None, line.price, line.quantity),
        };
        lines.insert(line.ware, (id, price, quantity));
        if !can_be_summed(&lines) {
            match before {
                Some(before) => lines.insert(line.ware, before),
                None => lines.remove(&line.ware),
            };
            continue;
        }
        changes.push(id.map_or(Change::Put(line), |id| Change::More(id, quantity)));
    }
    changes
}

/// Codes that are there, and those that are brought as far as there is room.
pub(crate) fn join_codes(there: Vec<String>, brought: Vec<String>) -> Vec<String> {
    let mut codes = there;
    for code in brought {
        if codes.len() < MOST_CODES && !codes.iter().any(|own| own.eq_ignore_ascii_case(&code)) {
            codes.push(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Currency, Id};

    use super::*;

    fn settings() -> OrderingSettings {
        OrderingSettings::for_currency(Currency::parse("USD").unwrap())
    }

    fn id<K>() -> Id<K> {
        Id::new(Timestamp::from_seconds(1), &Random::system())
    }

    fn line(ware: Ware, quantity: i64, price: i64) -> KeptLine {
        let price = Money::from_minor(price, settings().currency);
        KeptLine { id: id(), ware, name: "Pot".into(), quantity, price }
    }

    fn pot() -> Ware {
        Ware::Product(id())
    }

    #[test]
    fn pieces_add_up_to_the_bound_and_new_lines_come_along() {
        let (pot, pan, many) = (pot(), pot(), pot());
        let there = [line(pot, 2, 100), line(many, 900, 1)];
        let brought = vec![line(pan, 1, 300), line(pot, 3, 200), line(many, 200, 1)];
        let changes = join_lines(&there, brought, &settings());
        assert!(
            matches!(&changes[..], [Change::Put(new), Change::More(one, 5), Change::More(two, 1_000)]
                if new.ware == pan && *one == there[0].id && *two == there[1].id),
            "{changes:?}"
        );
    }

    #[test]
    fn a_full_cart_takes_more_of_what_it_holds_and_nothing_else() {
        let there: Vec<_> = (0..MOST_LINES).map(|_| line(pot(), 1, 1)).collect();
        let brought = vec![line(pot(), 1, 1), line(there[7].ware, 1, 1)];
        let changes = join_lines(&there, brought, &settings());
        assert!(matches!(&changes[..], [Change::More(line, 2)] if *line == there[7].id), "{changes:?}");
    }

    #[test]
    fn what_would_be_beyond_all_sums_stays_behind() {
        let (dear, cheap) = (pot(), pot());
        let there = [line(dear, 1, i64::MAX / 2)];
        let brought = vec![line(dear, 5, 1), line(pot(), 1, i64::MAX / 2), line(cheap, 1, 1)];
        let changes = join_lines(&there, brought, &settings());
        assert!(matches!(&changes[..], [Change::Put(line)] if line.ware == cheap), "{changes:?}");
    }

    #[test]
    fn codes_are_joined_without_doubles_and_within_their_bound() {
        let codes = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(join_codes(codes(&["TEN"]), codes(&["ten", "FIVE"])), codes(&["TEN", "FIVE"]));
        let many: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(join_codes(codes(&["TEN"]), many).len(), MOST_CODES);
    }

    #[test]
    fn only_what_could_be_a_secret_is_one_and_none_is_ever_shown() {
        let secret = GuestSecret::new(&Random::system());
        assert_eq!(GuestSecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{:?}", Whose::Guest(Some(secret))), "Guest(Some(GuestSecret))");
        for other in ["", "x", &"a".repeat(42), &"a".repeat(44), &"ü".repeat(43), &";".repeat(43)] {
            assert_eq!(GuestSecret::parse(other), None);
        }
    }
}
