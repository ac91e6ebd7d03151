//! A cart and what stands between it and an order.
//!
//! A line remembers the name and price that were shown when it was added, and the cart goes on showing that price. So a
//! change of price is never silent: `validate` names it, and checking out is refused with `PRICE_CHANGED` until the
//! buyer has been told. That refusal is the telling: the cart shows the new prices from then on, and the next try buys at
//! them. Adding more of a ware that is in the cart keeps the price the line remembers, for the same reason.
//!
//! Offers are held to the same. The cart remembers what they took off when it was last changed and goes on showing that;
//! when they take off something else now, `validate` says so, and checking out is refused with `OFFER_CHANGED`, once. A
//! code that no longer holds leaves the cart with that refusal.

use stoa_contracts::catalog::{
    AppliedOffer, BasketLine, CodeTrouble, Discounts, OfferId, Offering, Quantity, Sellable, Ware,
};
use stoa_kernel::{Id, Money, Timestamp, UserId};

use crate::{
    complaint::{Complaint, Subject, Trouble},
    error::OrderError,
    settings::OrderingSettings,
    totals::Totals,
};

/// Marker of cart line ids.
pub enum CartItem {}
/// The id of a line of a cart.
pub type CartItemId = Id<CartItem>;

/// Marker of cart ids.
pub enum CartRow {}
/// The id of a cart.
pub type CartId = Id<CartRow>;

/// How many pieces a line may have.
pub const MOST_PIECES: i64 = 1_000;
/// How many lines a cart may have.
pub const MOST_LINES: usize = 100;
/// How many codes may be put on a cart.
pub const MOST_CODES: usize = 10;

/// A user has one cart, known by the user's id, so it need not be made before it can be looked at.
pub(crate) fn cart_of(user: UserId) -> CartId {
    user.uuid().into()
}

/// A cart apart from its lines.
#[derive(Clone, Debug)]
pub(crate) struct CartHead {
    pub(crate) id: CartId,
    /// Whose it is; nobody's when it is a guest's.
    pub(crate) owner: Option<UserId>,
    pub(crate) updated_at: Timestamp,
    /// The codes that were put on it, as their offers write them.
    pub(crate) codes: Vec<String>,
    /// The offers it is shown with.
    pub(crate) shown: Vec<AppliedOffer>,
}

/// A line as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptLine {
    pub(crate) id: CartItemId,
    pub(crate) ware: Ware,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    /// The price that was shown.
    pub(crate) price: Money,
}

/// A line beside what the catalogue says now.
#[derive(Clone, Debug)]
pub(crate) struct CartLine {
    pub(crate) kept: KeptLine,
    /// What the catalogue knows of it, if it does.
    pub(crate) sellable: Option<Sellable>,
}

/// A cart as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Cart {
    pub(crate) head: CartHead,
    pub(crate) lines: Vec<CartLine>,
    /// The sums at the prices and offers shown.
    pub(crate) totals: Totals,
}

impl KeptLine {
    pub(crate) const fn in_basket(&self) -> BasketLine {
        BasketLine { ware: self.ware, price: self.price, pieces: self.quantity }
    }
}

impl CartLine {
    fn offered(&self) -> Option<&Sellable> {
        self.sellable.as_ref().filter(|sellable| sellable.offering == Offering::Offered)
    }

    /// Whether all of it could be bought now.
    pub(crate) fn is_available(&self) -> bool {
        self.offered().is_some_and(|sellable| sellable.stock >= self.kept.quantity)
    }

    fn troubles(&self) -> impl Iterator<Item = Trouble> {
        let (kept, offered) = (&self.kept, self.offered());
        let gone = match self.sellable.as_ref().map(|sellable| sellable.offering) {
            Some(Offering::Offered) => None,
            Some(Offering::ByVariant) => Some(Trouble::ByVariant),
            Some(Offering::NotOffered) | None => Some(Trouble::NotOffered),
        };
        let price = offered
            .filter(|sellable| sellable.price != kept.price)
            .map(|sellable| Trouble::PriceChanged { shown: kept.price, now: sellable.price });
        let few = offered
            .filter(|sellable| sellable.stock < kept.quantity)
            .map(|sellable| Trouble::TooFew { available: sellable.stock, requested: kept.quantity });
        gone.into_iter().chain(price).chain(few)
    }
}

impl CartHead {
    /// A cart that nobody has put anything into.
    pub(crate) const fn untouched(id: CartId, owner: Option<UserId>, at: Timestamp) -> Self {
        Self { id, owner, updated_at: at, codes: Vec::new(), shown: Vec::new() }
    }

    /// The sums of these lines with the offers shown.
    fn totals<'l>(
        &self,
        lines: impl IntoIterator<Item = &'l KeptLine>,
        settings: &OrderingSettings,
    ) -> Result<Totals, OrderError> {
        let nothing = Money::zero(settings.currency);
        let discount = self.shown.iter().try_fold(nothing, |sum, offer| sum.plus(offer.discount));
        let sums = lines.into_iter().map(|line| (line.price, line.quantity));
        let totals = discount.and_then(|discount| Totals::of(sums, discount, settings));
        totals.ok_or(OrderError::AmountTooLarge)
    }

    /// What offers do now that was not shown.
    fn offer_complaints(&self, now: &Discounts) -> Vec<Complaint> {
        let mut complaints: Vec<Complaint> = now
            .refused
            .iter()
            .map(|(code, trouble)| Complaint {
                about: Subject::Code,
                name: code.clone(),
                trouble: Trouble::Code(*trouble),
            })
            .collect();
        let refused = |offer: &AppliedOffer| {
            let own = offer.code.as_deref();
            own.is_some_and(|own| now.refused.iter().any(|(code, _)| code.eq_ignore_ascii_case(own)))
        };
        let of = |offers: &[AppliedOffer], id| {
            offers.iter().find(|offer| offer.id == id).map(|offer| offer.discount)
        };
        let gone_or_changed = self.shown.iter().filter(|offer| !refused(offer));
        let new = now.applied.iter().filter(|offer| of(&self.shown, offer.id).is_none());
        for offer in gone_or_changed.chain(new) {
            let (shown, now) = (of(&self.shown, offer.id), of(&now.applied, offer.id));
            if shown != now {
                complaints.push(Complaint {
                    about: Subject::Offer(offer.id),
                    name: offer.name.clone(),
                    trouble: Trouble::OfferChanged { shown, now },
                });
            }
        }
        complaints
    }

    /// The complaint about an offer whose last use went to somebody else.
    pub(crate) fn used_up(&self, id: OfferId) -> Complaint {
        let offer = self.shown.iter().find(|offer| offer.id == id);
        let trouble = Trouble::OfferChanged { shown: offer.map(|offer| offer.discount), now: None };
        let name = offer.map_or_else(|| id.to_string(), |offer| offer.name.clone());
        match offer.and_then(|offer| offer.code.clone()) {
            Some(code) => {
                Complaint { about: Subject::Code, name: code, trouble: Trouble::Code(CodeTrouble::UsedUp) }
            }
            None => Complaint { about: Subject::Offer(id), name, trouble },
        }
    }
}

impl Cart {
    /// Puts lines beside what the catalogue says of their wares.
    pub(crate) fn assemble(
        head: CartHead,
        kept: Vec<KeptLine>,
        sellables: Vec<Sellable>,
        settings: &OrderingSettings,
    ) -> Result<Self, OrderError> {
        let totals = head.totals(&kept, settings)?;
        let mut sellables = sellables;
        let lines = kept.into_iter().map(|kept| {
            let found = sellables.iter().position(|sellable| sellable.ware == kept.ware);
            CartLine { kept, sellable: found.map(|index| sellables.swap_remove(index)) }
        });
        let lines = lines.collect();
        Ok(Self { head, lines, totals })
    }

    /// The same cart, shown with these offers.
    pub(crate) fn shown_with(
        mut self,
        offers: Vec<AppliedOffer>,
        settings: &OrderingSettings,
    ) -> Result<Self, OrderError> {
        self.head.shown = offers;
        self.totals = self.head.totals(self.lines.iter().map(|line| &line.kept), settings)?;
        Ok(self)
    }

    /// Everything that stands between this cart and an order: in the order of its lines, then what offers do `now`.
    pub(crate) fn complaints(&self, now: &Discounts) -> Vec<Complaint> {
        let of_line = |line: &CartLine| {
            let kept = line.kept.clone();
            line.troubles()
                .map(|trouble| Complaint {
                    about: Subject::Line(kept.id, kept.ware),
                    name: kept.name.clone(),
                    trouble,
                })
                .collect::<Vec<_>>()
        };
        let mut complaints: Vec<Complaint> = self.lines.iter().flat_map(of_line).collect();
        complaints.extend(self.head.offer_complaints(now));
        complaints
    }

    /// Whether it can be bought as it stands.
    pub(crate) fn check_out(&self, now: &Discounts) -> Result<(), OrderError> {
        if self.lines.is_empty() {
            return Err(OrderError::CartEmpty);
        }
        let complaints = self.complaints(now);
        if complaints.is_empty() { Ok(()) } else { Err(OrderError::NotAsShown(complaints)) }
    }

    /// The bounds that hold after every change: lines, pieces of a line.
    pub(crate) fn check_bounds(&self) -> Result<(), OrderError> {
        if self.lines.len() > MOST_LINES {
            return Err(OrderError::CartFull);
        }
        let most = self.lines.iter().map(|line| line.kept.quantity).max();
        if most.is_some_and(|most| most > MOST_PIECES) { Err(OrderError::TooManyPieces) } else { Ok(()) }
    }

    /// Whether the line of `ware` can be bought now.
    pub(crate) fn check_stock_of(&self, ware: Ware) -> Result<(), OrderError> {
        let Some(line) = self.lines.iter().find(|line| line.kept.ware == ware) else {
            return Ok(());
        };
        let sellable = line.sellable.as_ref().ok_or(OrderError::NotOffered(ware))?;
        check_offering(sellable)?;
        let (available, requested) = (sellable.stock, line.kept.quantity);
        if available >= requested {
            Ok(())
        } else {
            Err(OrderError::InsufficientStock { ware, available, requested })
        }
    }

    /// The pieces it would take from stock.
    pub(crate) fn pieces(&self) -> Vec<Quantity> {
        let lines = self.lines.iter();
        lines.map(|line| Quantity { ware: line.kept.ware, pieces: line.kept.quantity }).collect()
    }
}

/// Whether a ware can be put into a cart.
pub(crate) const fn check_offering(sellable: &Sellable) -> Result<(), OrderError> {
    match sellable.offering {
        Offering::Offered => Ok(()),
        Offering::NotOffered => Err(OrderError::NotOffered(sellable.ware)),
        Offering::ByVariant => Err(OrderError::VariantRequired(sellable.ware)),
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Currency, Random};

    use super::*;

    fn settings() -> OrderingSettings {
        OrderingSettings::for_currency(Currency::parse("USD").unwrap())
    }

    fn money(minor: i64) -> Money {
        Money::from_minor(minor, settings().currency)
    }

    fn id<K>() -> Id<K> {
        Id::new(Timestamp::from_seconds(1), &Random::system())
    }

    fn line(quantity: i64) -> KeptLine {
        KeptLine { id: id(), ware: Ware::Product(id()), name: "Pot".into(), quantity, price: money(500) }
    }

    fn sellable(line: &KeptLine, stock: i64) -> Sellable {
        Sellable {
            ware: line.ware,
            name: "Pot".into(),
            price: money(500),
            stock,
            offering: Offering::Offered,
        }
    }

    fn offer(code: Option<&str>, discount: i64) -> AppliedOffer {
        AppliedOffer {
            id: id(),
            name: "Spring".into(),
            code: code.map(str::to_owned),
            discount: money(discount),
        }
    }

    fn head(shown: Vec<AppliedOffer>) -> CartHead {
        CartHead { shown, ..CartHead::untouched(id(), None, Timestamp::from_seconds(1)) }
    }

    fn cart(lines: Vec<KeptLine>, sellables: Vec<Sellable>) -> Cart {
        Cart::assemble(head(Vec::new()), lines, sellables, &settings()).unwrap()
    }

    fn codes(complaints: &[Complaint]) -> Vec<&'static str> {
        complaints.iter().map(Complaint::code).collect()
    }

    fn sentences(complaints: &[Complaint]) -> Vec<String> {
        complaints.iter().map(Complaint::sentence).collect()
    }

    #[test]
    fn a_cart_as_shown_can_be_bought() {
        let pot = line(2);
        let cart = cart(vec![pot.clone()], vec![sellable(&pot, 2)]);
        assert!(cart.check_out(&Discounts::default()).is_ok() && cart.lines[0].is_available());
        assert_eq!(cart.pieces(), [Quantity { ware: pot.ware, pieces: 2 }]);
    }

    #[test]
    fn every_difference_is_told() {
        let (gone, hidden, split, dearer, scarce) = (line(1), line(1), line(1), line(1), line(3));
        let sellables = vec![
            Sellable { offering: Offering::NotOffered, ..sellable(&hidden, 9) },
            Sellable { offering: Offering::ByVariant, ..sellable(&split, 9) },
            Sellable { price: money(501), ..sellable(&dearer, 9) },
            Sellable { price: money(499), ..sellable(&scarce, 2) },
        ];
        let cart = cart(vec![gone, hidden, split, dearer, scarce], sellables);
        let complaints = cart.complaints(&Discounts::default());
        let expected = [
            "PRODUCT_UNAVAILABLE",
            "PRODUCT_UNAVAILABLE",
            "VARIANT_REQUIRED",
            "PRICE_CHANGED",
            "PRICE_CHANGED",
            "INSUFFICIENT_STOCK",
        ];
        assert_eq!(codes(&complaints), expected);
        let refused = cart.check_out(&Discounts::default());
        assert!(matches!(refused, Err(OrderError::NotAsShown(told)) if told.len() == 6));
        assert_eq!(complaints[3].sentence(), "Pot now costs 5.01 USD, not 5.00.");
        assert_eq!(cart.totals.subtotal, money(3_500), "the sums stay those shown");
    }

    #[test]
    fn offers_that_do_what_was_shown_are_no_news() {
        let spring = offer(None, 100);
        let now = Discounts { applied: vec![spring.clone()], refused: Vec::new() };
        assert_eq!(head(vec![spring]).offer_complaints(&now), []);
    }

    #[test]
    fn what_offers_do_otherwise_is_told() {
        let (less, gone, new) = (offer(None, 100), offer(Some("TEN"), 100), offer(None, 50));
        let now = Discounts {
            applied: vec![AppliedOffer { discount: money(90), ..less.clone() }, new],
            refused: Vec::new(),
        };
        let told = head(vec![less, gone]).offer_complaints(&now);
        assert_eq!(codes(&told), ["OFFER_CHANGED"; 3]);
        let expected = [
            "Spring now takes 0.90 USD off, not 1.00.",
            "Spring takes nothing off any more.",
            "Spring now takes 0.50 USD off.",
        ];
        assert_eq!(sentences(&told), expected);
    }

    #[test]
    fn a_refused_code_is_told_once_and_by_its_own_name() {
        let ten = offer(Some("TEN"), 100);
        let now = Discounts { applied: Vec::new(), refused: vec![("ten".into(), CodeTrouble::Over)] };
        let told = head(vec![ten.clone()]).offer_complaints(&now);
        assert_eq!((codes(&told), told[0].about), (vec!["OFFER_ENDED"], Subject::Code));
        assert_eq!(sentences(&told), ["The offer with the code ten has ended."]);
        let lost = head(vec![ten.clone()]).used_up(ten.id);
        assert_eq!((lost.code(), lost.name.as_str()), ("OFFER_USED_UP", "TEN"));
    }

    #[test]
    fn an_offer_that_loses_its_last_use_is_told_by_its_name() {
        let spring = offer(None, 100);
        let lost = head(vec![spring.clone()]).used_up(spring.id);
        assert_eq!((lost.code(), lost.about), ("OFFER_CHANGED", Subject::Offer(spring.id)));
        assert_eq!(lost.sentence(), "Spring takes nothing off any more.");
    }

    #[test]
    fn discounts_come_off_the_goods() {
        let head = head(vec![offer(None, 100), offer(Some("TEN"), 150)]);
        let cart = Cart::assemble(head, vec![line(2)], Vec::new(), &settings()).unwrap();
        let Totals { subtotal, discount, tax, total, .. } = cart.totals;
        assert_eq!([subtotal, discount, tax, total].map(Money::minor), [1_000, 250, 75, 1_825]);
    }

    #[test]
    fn an_empty_cart_is_no_order() {
        let empty = cart(vec![], vec![]).check_out(&Discounts::default());
        assert!(matches!(empty, Err(OrderError::CartEmpty)));
    }

    #[test]
    fn bounds_hold_at_their_edge() {
        let lines = |count: usize, pieces| (0..count).map(|_| line(pieces)).collect::<Vec<_>>();
        assert!(cart(lines(MOST_LINES, MOST_PIECES), vec![]).check_bounds().is_ok());
        let crowded = cart(lines(MOST_LINES + 1, 1), vec![]);
        assert!(matches!(crowded.check_bounds(), Err(OrderError::CartFull)));
        let heavy = cart(lines(1, MOST_PIECES + 1), vec![]);
        assert!(matches!(heavy.check_bounds(), Err(OrderError::TooManyPieces)));
    }

    #[test]
    fn the_stock_of_one_line_is_judged_alone() {
        let (pot, pan) = (line(2), line(5));
        let cart = cart(vec![pot.clone(), pan.clone()], vec![sellable(&pot, 2), sellable(&pan, 4)]);
        assert!(cart.check_stock_of(pot.ware).is_ok());
        let refused = cart.check_stock_of(pan.ware);
        assert!(
            matches!(refused, Err(OrderError::InsufficientStock { available: 4, requested: 5, .. })),
            "{refused:?}"
        );
    }
}
