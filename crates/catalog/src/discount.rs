//! What offers take off a basket, by plain rules:
//!
//! 1. Of the offers without a code that are for a product, a category or a package, each line gets the one that takes
//!    most off it; of equals the older.
//! 2. Codes for products, categories and packages follow in the order they were given, each on what is left of its lines.
//! 3. Of the offers without a code that are for the whole cart, the one that takes most off what is left.
//! 4. Codes for the whole cart follow in the order they were given, each on what is left.
//!
//! A percentage of a line, or of the cart, is rounded once, halves up. A fixed amount is taken off each piece of a line, or
//! once off the cart. Nothing falls below zero. As less left before never means more left after, taking the most at each
//! step is the best for the buyer as a whole.

use std::collections::HashSet;

use stoa_contracts::catalog::{AppliedOffer, CodeTrouble, Discounts, Ware};
use stoa_kernel::{Currency, Money};

use crate::{
    category::CategoryId,
    offer::{Offer, Target, Worth},
};

/// A line of a basket, with the categories that its product stands in at any level.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) ware: Ware,
    pub(crate) price: Money,
    pub(crate) pieces: i64,
    pub(crate) categories: Vec<CategoryId>,
}

/// A code as it was given, with its offer or why there is none to use.
pub(crate) type Asked = (String, Result<Offer, CodeTrouble>);

/// What the offers do for the lines. All of `automatic` are running; they are in the order of their ids.
pub(crate) fn discounts(
    lines: &[Line],
    automatic: &[Offer],
    asked: Vec<Asked>,
    currency: Currency,
) -> Discounts {
    let mut told = Discounts::default();
    let mut codes: Vec<(String, Offer)> = Vec::new();
    let mut known = HashSet::new();
    for (code, offer) in asked {
        match offer {
            // The same code twice is one.
            Ok(offer) if known.insert(offer.id) => codes.push((code, offer)),
            Ok(_) => {}
            Err(trouble) => told.refused.push((code, trouble)),
        }
    }
    let mut basket = Basket::of(lines, currency);
    let mut taken = basket.take_best_of_each_line(automatic);
    let (for_cart, for_lines): (Vec<_>, Vec<_>) =
        codes.into_iter().partition(|(_, offer)| offer.target == Target::Cart);
    let mut useless: Vec<String> = Vec::new();
    for (code, offer) in for_lines {
        match basket.take_off_lines(&offer) {
            0 => useless.push(code),
            discount => taken.push((offer, discount)),
        }
    }
    let mut left = basket.left();
    taken.extend(take_best_of_cart(&mut left, automatic, currency));
    for (code, offer) in for_cart {
        match take_off(offer.worth, &mut left, 1, currency) {
            0 => useless.push(code),
            discount => taken.push((offer, discount)),
        }
    }
    told.refused.extend(useless.into_iter().map(|code| (code, CodeTrouble::NotForThese)));
    told.applied = taken.into_iter().map(|(offer, discount)| applied(offer, discount, currency)).collect();
    told
}

fn applied(offer: Offer, discount: i64, currency: Currency) -> AppliedOffer {
    let discount = Money::from_minor(discount, currency);
    AppliedOffer { id: offer.id, name: offer.name, code: offer.code, discount }
}

/// Lines with what is left to pay of each, in minor units.
struct Basket<'l> {
    lines: Vec<(&'l Line, i64)>,
    currency: Currency,
}

impl<'l> Basket<'l> {
    fn of(lines: &'l [Line], currency: Currency) -> Self {
        let total = |line: &Line| line.price.minor().saturating_mul(line.pieces).max(0);
        Self { lines: lines.iter().map(|line| (line, total(line))).collect(), currency }
    }

    fn left(&self) -> i64 {
        self.lines.iter().fold(0, |sum, (_, left)| sum.saturating_add(*left))
    }

    /// Gives each line the offer that takes most off it; answers them by id with what they took from all lines together.
    fn take_best_of_each_line(&mut self, automatic: &[Offer]) -> Vec<(Offer, i64)> {
        let mut taken = vec![0_i64; automatic.len()];
        for (line, left) in &mut self.lines {
            let fitting = automatic.iter().zip(&mut taken).filter(|(offer, _)| fits(offer.target, line));
            let weighed = fitting.map(|(offer, taken)| {
                (take_off(offer.worth, &mut left.clone(), line.pieces, self.currency), taken)
            });
            // The first of equals stays.
            let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
            if let Some((discount, taken)) = best {
                *taken = taken.saturating_add(discount);
                *left -= discount;
            }
        }
        let useful = automatic.iter().zip(taken).filter(|(_, taken)| *taken > 0);
        useful.map(|(offer, taken)| (offer.clone(), taken)).collect()
    }

    /// Takes an offer off every line it is for; answers what it took.
    fn take_off_lines(&mut self, offer: &Offer) -> i64 {
        let mut taken = 0_i64;
        for (line, left) in &mut self.lines {
            if fits(offer.target, line) {
                taken = taken.saturating_add(take_off(offer.worth, left, line.pieces, self.currency));
            }
        }
        taken
    }
}

fn take_best_of_cart(left: &mut i64, automatic: &[Offer], currency: Currency) -> Option<(Offer, i64)> {
    let for_cart = automatic.iter().filter(|offer| offer.target == Target::Cart);
    let weighed = for_cart.map(|offer| (offer, take_off(offer.worth, &mut left.clone(), 1, currency)));
    let (offer, discount) = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    *left -= discount;
    (discount > 0).then(|| (offer.clone(), discount))
}

/// Whether an offer is for a line. A package is more than its parts, so offers for those are not for it.
fn fits(target: Target, line: &Line) -> bool {
    match target {
        Target::Cart => false,
        Target::Product(product) => line.ware.product() == Some(product),
        Target::Package(package) => line.ware == Ware::Package(package),
        Target::Category(category) => line.ware.product().is_some() && line.categories.contains(&category),
    }
}

/// Takes the worth of an offer off `left`; answers how much that was.
fn take_off(worth: Worth, left: &mut i64, pieces: i64, currency: Currency) -> i64 {
    let discount = match worth {
        Worth::Percent(basis_points) => {
            Money::from_minor(*left, currency).share(basis_points).map_or(*left, Money::minor)
        }
        Worth::Fixed(amount) => amount.minor().saturating_mul(pieces),
    };
    let discount = discount.clamp(0, *left);
    *left -= discount;
    discount
}

/// Whether an offer can be used now, and if not, why not.
pub(crate) fn state(offer: &Offer, at: stoa_kernel::Timestamp) -> Result<(), CodeTrouble> {
    if !offer.active {
        Err(CodeTrouble::Unknown)
    } else if offer.starts_at.is_some_and(|start| at < start) {
        Err(CodeTrouble::NotYet)
    } else if offer.ends_at.is_some_and(|end| at >= end) {
        Err(CodeTrouble::Over)
    } else if offer.max_uses.is_some_and(|most| offer.uses >= most) {
        Err(CodeTrouble::UsedUp)
    } else {
        Ok(())
    }
}

/// What is asked of the store: the ids that offers without a code may be for.
pub(crate) fn targets(wares: impl IntoIterator<Item = Ware>) -> Vec<stoa_kernel::Id<()>> {
    let id = |ware| match ware {
        Ware::Product(product) | Ware::Variant(product, _) => product.uuid().into(),
        Ware::Package(package) => package.uuid().into(),
    };
    let mut ids: Vec<stoa_kernel::Id<()>> = wares.into_iter().map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Id, Timestamp};

    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn id<K>(number: u128) -> Id<K> {
        format!("{number:032x}").parse().unwrap()
    }

    fn money(cents: i64) -> Money {
        Money::from_minor(cents, usd())
    }

    /// A line of product `number`, which stands in category `number + 100` and in category 1000 above it.
    fn line(number: u128, cents: i64, pieces: i64) -> Line {
        let categories = vec![id(number + 100), id(1_000)];
        Line { ware: Ware::Product(id(number)), price: money(cents), pieces, categories }
    }

    fn offer(number: u128, worth: Worth, target: Target) -> Offer {
        Offer {
            id: id(number),
            name: format!("offer {number}"),
            code: None,
            kind: worth.kind(),
            worth,
            target,
            starts_at: None,
            ends_at: None,
            max_uses: None,
            uses: 0,
            active: true,
            version: 1,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        }
    }

    fn percent(number: u128, basis_points: i64, target: Target) -> Offer {
        offer(number, Worth::Percent(basis_points), target)
    }

    fn fixed(number: u128, cents: i64, target: Target) -> Offer {
        offer(number, Worth::Fixed(money(cents)), target)
    }

    fn code(number: u128, worth: Worth, target: Target) -> Asked {
        let written = format!("CODE{number}");
        (written.to_lowercase(), Ok(Offer { code: Some(written), ..offer(number, worth, target) }))
    }

    /// Offers by number with what they take off.
    fn taken(lines: &[Line], automatic: &[Offer], asked: Vec<Asked>) -> Vec<(String, i64)> {
        let told = discounts(lines, automatic, asked, usd());
        told.applied.into_iter().map(|applied| (applied.name, applied.discount.minor())).collect()
    }

    fn named(expected: &[(u128, i64)]) -> Vec<(String, i64)> {
        expected.iter().map(|(number, cents)| (format!("offer {number}"), *cents)).collect()
    }

    #[test]
    fn a_basket_without_offers_stays_as_it_is() {
        assert_eq!(discounts(&[line(1, 100, 1)], &[], Vec::new(), usd()), Discounts::default());
    }

    #[test]
    fn a_line_gets_the_one_best_offer_that_needs_no_code() {
        let product = Target::Product(id(1));
        let offers =
            [percent(1, 1_000, product), fixed(2, 150, product), percent(3, 500, Target::Category(id(101)))];
        assert_eq!(taken(&[line(1, 1_000, 2)], &offers, vec![]), named(&[(2, 300)]));
        assert_eq!(taken(&[line(1, 2_000, 2)], &offers, vec![]), named(&[(1, 400)]));
        let equal = [percent(4, 1_000, product), fixed(5, 100, product)];
        assert_eq!(taken(&[line(1, 1_000, 1)], &equal, vec![]), named(&[(4, 100)]), "the older of equals");
    }

    #[test]
    fn one_offer_takes_off_all_its_lines_and_is_told_once() {
        let offers = [percent(1, 1_000, Target::Category(id(1_000)))];
        assert_eq!(taken(&[line(1, 105, 1), line(2, 105, 1)], &offers, vec![]), named(&[(1, 22)]));
        assert_eq!(taken(&[line(1, 104, 1), line(2, 104, 1)], &offers, vec![]), named(&[(1, 20)]));
    }

    #[test]
    fn fixed_amounts_are_per_piece_and_never_more_than_the_price() {
        let offers = [fixed(1, 300, Target::Product(id(1)))];
        assert_eq!(taken(&[line(1, 1_000, 3)], &offers, vec![]), named(&[(1, 900)]));
        assert_eq!(taken(&[line(1, 200, 3), line(2, 1_000, 1)], &offers, vec![]), named(&[(1, 600)]));
        let whole = [fixed(2, 300, Target::Cart)];
        assert_eq!(taken(&[line(1, 1_000, 3)], &whole, vec![]), named(&[(2, 300)]), "once off the cart");
        assert_eq!(taken(&[line(1, 100, 1)], &whole, vec![]), named(&[(2, 100)]));
    }

    #[test]
    fn offers_for_the_cart_see_what_is_left() {
        let offers = [
            percent(1, 5_000, Target::Product(id(1))),
            percent(2, 1_000, Target::Cart),
            fixed(3, 5, Target::Cart),
        ];
        assert_eq!(taken(&[line(1, 1_000, 1)], &offers, vec![]), named(&[(1, 500), (2, 50)]));
        assert_eq!(taken(&[line(1, 80, 1)], &offers, vec![]), named(&[(1, 40), (3, 5)]));
    }

    #[test]
    fn codes_stack_on_top_in_the_order_given() {
        let product = Target::Product(id(1));
        let half = || code(7, Worth::Percent(5_000), product);
        let ten_off = || code(8, Worth::Fixed(money(100)), product);
        let auto = [percent(1, 1_000, product)];
        let lines = [line(1, 1_000, 1)];
        assert_eq!(taken(&lines, &auto, vec![half(), ten_off()]), named(&[(1, 100), (7, 450), (8, 100)]));
        assert_eq!(taken(&lines, &auto, vec![ten_off(), half()]), named(&[(1, 100), (8, 100), (7, 400)]));
        let cart = code(9, Worth::Percent(1_000), Target::Cart);
        let cart_first = vec![cart, half()];
        assert_eq!(taken(&lines, &auto, cart_first), named(&[(1, 100), (7, 450), (9, 45)]), "lines first");
        assert_eq!(
            taken(&lines, &[], vec![half(), half()]),
            named(&[(7, 500)]),
            "the same code twice is one"
        );
    }

    #[test]
    fn nothing_falls_below_zero() {
        let free = [percent(1, 10_000, Target::Product(id(1)))];
        let more = code(7, Worth::Fixed(money(500)), Target::Product(id(1)));
        let cart = code(8, Worth::Percent(5_000), Target::Cart);
        let told = discounts(&[line(1, 999, 3)], &free, vec![more, cart], usd());
        assert_eq!(told.applied.len(), 1);
        assert_eq!(told.applied[0].discount.minor(), 2_997);
        let useless = |code: &str| (code.to_owned(), CodeTrouble::NotForThese);
        assert_eq!(told.refused, [useless("code7"), useless("code8")]);
        assert_eq!(taken(&[line(1, i64::MAX, i64::MAX)], &free, vec![]).len(), 1, "sums do not wrap");
    }

    #[test]
    fn an_offer_is_for_what_it_names_only() {
        let package = Line { ware: Ware::Package(id(5)), categories: Vec::new(), ..line(1, 1_000, 1) };
        let variant = Line { ware: Ware::Variant(id(1), id(6)), ..line(1, 1_000, 1) };
        let on_product = [percent(1, 1_000, Target::Product(id(1)))];
        assert_eq!(
            taken(std::slice::from_ref(&variant), &on_product, vec![]),
            named(&[(1, 100)]),
            "variants are the product"
        );
        assert_eq!(taken(&[package.clone(), line(2, 1_000, 1)], &on_product, vec![]), []);
        let on_package = [percent(2, 1_000, Target::Package(id(5)))];
        assert_eq!(taken(&[package, variant], &on_package, vec![]), named(&[(2, 100)]));
    }

    #[test]
    fn codes_are_refused_with_their_reason() {
        let refused = |trouble| ("code".to_owned(), Err::<Offer, _>(trouble));
        let troubles = [CodeTrouble::Unknown, CodeTrouble::NotYet, CodeTrouble::Over, CodeTrouble::UsedUp];
        let asked = troubles.map(refused).to_vec();
        let told = discounts(&[line(1, 100, 1)], &[], asked, usd());
        assert_eq!(told.refused, troubles.map(|trouble| ("code".to_owned(), trouble)));
        let not_for_these = code(1, Worth::Percent(100), Target::Product(id(9)));
        let told = discounts(&[line(1, 100, 1)], &[], vec![not_for_these], usd());
        assert_eq!(told.refused, [("code1".to_owned(), CodeTrouble::NotForThese)]);
    }

    #[test]
    fn an_offer_runs_from_its_start_until_before_its_end() {
        let at = Timestamp::from_seconds;
        let mut offer = percent(1, 100, Target::Cart);
        (offer.starts_at, offer.ends_at, offer.max_uses) = (Some(at(10)), Some(at(20)), Some(2));
        let states = [9, 10, 19, 20].map(|second| state(&offer, at(second)));
        assert_eq!(states, [Err(CodeTrouble::NotYet), Ok(()), Ok(()), Err(CodeTrouble::Over)]);
        offer.uses = 2;
        assert_eq!(state(&offer, at(10)), Err(CodeTrouble::UsedUp));
        offer.active = false;
        assert_eq!(state(&offer, at(10)), Err(CodeTrouble::Unknown));
    }
}
