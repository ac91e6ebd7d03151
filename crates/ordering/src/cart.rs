//! A cart and what stands between it and an order.
//!
//! A line remembers the name and price that were shown when it was added, and the cart goes on showing that price. So a
//! change of price is never silent: `validate` names it, and checking out is refused with `PRICE_CHANGED` until the
//! buyer has been told. That refusal is the telling: the cart shows the new prices from then on, and the next try buys at
//! them. Adding more of a product that is in the cart keeps the price the line remembers, for the same reason.

use stoa_contracts::catalog::{ProductId, Quantity, Sellable};
use stoa_kernel::{Id, Money, Timestamp, UserId};

use crate::{error::OrderError, settings::OrderingSettings, totals::Totals};

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

/// A user has one cart, known by the user's id, so it need not be made before it can be looked at.
pub(crate) fn cart_of(user: UserId) -> CartId {
    user.uuid().into()
}

/// A line as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptLine {
    pub(crate) id: CartItemId,
    pub(crate) product: ProductId,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    /// The price that was shown.
    pub(crate) price: Money,
}

/// A line beside what the catalogue says now.
#[derive(Clone, Debug)]
pub(crate) struct CartLine {
    pub(crate) kept: KeptLine,
    /// The product, while it is offered.
    pub(crate) offer: Option<Sellable>,
}

/// A cart as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Cart {
    pub(crate) owner: UserId,
    pub(crate) updated_at: Timestamp,
    pub(crate) lines: Vec<CartLine>,
    /// The sums at the prices shown.
    pub(crate) totals: Totals,
}

/// Why a line cannot be bought as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complaint {
    pub(crate) item: CartItemId,
    pub(crate) product: ProductId,
    pub(crate) name: String,
    pub(crate) trouble: Trouble,
}

/// The kinds of complaint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The product is no longer offered.
    NotOffered,
    /// Another price than the one shown.
    PriceChanged { shown: Money, now: Money },
    /// Fewer pieces than wanted.
    TooFew { available: i64, requested: i64 },
}

impl Complaint {
    pub(crate) fn code(&self) -> &'static str {
        match self.trouble {
            Trouble::NotOffered => "PRODUCT_UNAVAILABLE",
            Trouble::PriceChanged { .. } => "PRICE_CHANGED",
            Trouble::TooFew { .. } => "INSUFFICIENT_STOCK",
        }
    }

    pub(crate) fn sentence(&self) -> String {
        let name = &self.name;
        match self.trouble {
            Trouble::NotOffered => format!("{name} is no longer offered."),
            Trouble::PriceChanged { shown, now } => {
                format!("{name} now costs {now} {}, not {shown}.", now.currency())
            }
            Trouble::TooFew { available: 0, .. } => format!("{name} is out of stock."),
            Trouble::TooFew { available, requested } => {
                format!("Only {available} of {name} are in stock; you want {requested}.")
            }
        }
    }
}

impl CartLine {
    /// Whether all of it could be bought now.
    pub(crate) fn is_available(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.stock >= self.kept.quantity)
    }

    fn troubles(&self) -> impl Iterator<Item = Trouble> {
        let (kept, offer) = (&self.kept, self.offer.as_ref());
        let gone = offer.is_none().then_some(Trouble::NotOffered);
        let price = offer
            .filter(|offer| offer.price != kept.price)
            .map(|offer| Trouble::PriceChanged { shown: kept.price, now: offer.price });
        let few = offer
            .filter(|offer| offer.stock < kept.quantity)
            .map(|offer| Trouble::TooFew { available: offer.stock, requested: kept.quantity });
        gone.into_iter().chain(price).chain(few)
    }
}

impl Cart {
    /// Puts lines beside what the catalogue says of their products.
    pub(crate) fn assemble(
        owner: UserId,
        updated_at: Timestamp,
        kept: Vec<KeptLine>,
        offers: Vec<Sellable>,
        settings: &OrderingSettings,
    ) -> Result<Self, OrderError> {
        let sums = kept.iter().map(|line| (line.price, line.quantity));
        let totals = Totals::of(sums, settings).ok_or(OrderError::AmountTooLarge)?;
        let mut offers = offers;
        let lines = kept.into_iter().map(|kept| {
            let found = offers.iter().position(|offer| offer.id == kept.product);
            let offer = found.map(|index| offers.swap_remove(index)).filter(|offer| offer.active);
            CartLine { kept, offer }
        });
        let lines = lines.collect();
        Ok(Self { owner, updated_at, lines, totals })
    }

    /// Everything that stands between this cart and an order, in the order of its lines.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let of_line = |line: &CartLine| {
            let kept = line.kept.clone();
            line.troubles()
                .map(|trouble| Complaint {
                    item: kept.id,
                    product: kept.product,
                    name: kept.name.clone(),
                    trouble,
                })
                .collect::<Vec<_>>()
        };
        self.lines.iter().flat_map(of_line).collect()
    }

    /// Whether it can be bought as it stands.
    pub(crate) fn check_out(&self) -> Result<(), OrderError> {
        if self.lines.is_empty() {
            return Err(OrderError::CartEmpty);
        }
        let complaints = self.complaints();
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

    /// Whether the line of `product` can be bought now.
    pub(crate) fn check_stock_of(&self, product: ProductId) -> Result<(), OrderError> {
        let Some(line) = self.lines.iter().find(|line| line.kept.product == product) else {
            return Ok(());
        };
        let offer = line.offer.as_ref().ok_or(OrderError::UnknownProduct(product))?;
        let (available, requested) = (offer.stock, line.kept.quantity);
        if available >= requested {
            Ok(())
        } else {
            Err(OrderError::InsufficientStock { product, available, requested })
        }
    }

    /// The pieces it would take from stock.
    pub(crate) fn pieces(&self) -> Vec<Quantity> {
        let lines = self.lines.iter();
        lines.map(|line| Quantity { product: line.kept.product, pieces: line.kept.quantity }).collect()
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
        KeptLine { id: id(), product: id(), name: "Pot".into(), quantity, price: money(500) }
    }

    fn offer(line: &KeptLine, stock: i64) -> Sellable {
        Sellable { id: line.product, name: "Pot".into(), price: money(500), stock, active: true }
    }

    fn cart(lines: Vec<KeptLine>, offers: Vec<Sellable>) -> Cart {
        Cart::assemble(id(), Timestamp::from_seconds(1), lines, offers, &settings()).unwrap()
    }

    fn codes(cart: &Cart) -> Vec<&'static str> {
        cart.complaints().iter().map(Complaint::code).collect()
    }

    #[test]
    fn a_cart_as_shown_can_be_bought() {
        let pot = line(2);
        let cart = cart(vec![pot.clone()], vec![offer(&pot, 2)]);
        assert!(cart.check_out().is_ok() && cart.lines[0].is_available());
        assert_eq!(cart.pieces(), [Quantity { product: pot.product, pieces: 2 }]);
    }

    #[test]
    fn every_difference_is_told() {
        let (gone, hidden, dearer, scarce) = (line(1), line(1), line(1), line(3));
        let offers = vec![
            Sellable { active: false, ..offer(&hidden, 9) },
            Sellable { price: money(501), ..offer(&dearer, 9) },
            Sellable { price: money(499), ..offer(&scarce, 2) },
        ];
        let cart = cart(vec![gone, hidden, dearer, scarce], offers);
        assert_eq!(
            codes(&cart),
            [
                "PRODUCT_UNAVAILABLE",
                "PRODUCT_UNAVAILABLE",
                "PRICE_CHANGED",
                "PRICE_CHANGED",
                "INSUFFICIENT_STOCK"
            ]
        );
        assert!(matches!(cart.check_out(), Err(OrderError::NotAsShown(told)) if told.len() == 5));
        assert_eq!(cart.complaints()[2].sentence(), "Pot now costs 5.01 USD, not 5.00.");
        assert_eq!(cart.totals.subtotal, money(3_000), "the sums stay those shown");
    }

    #[test]
    fn an_empty_cart_is_no_order() {
        assert!(matches!(cart(vec![], vec![]).check_out(), Err(OrderError::CartEmpty)));
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
        let cart = cart(vec![pot.clone(), pan.clone()], vec![offer(&pot, 2), offer(&pan, 4)]);
        assert!(cart.check_stock_of(pot.product).is_ok());
        let refused = cart.check_stock_of(pan.product);
        assert!(
            matches!(refused, Err(OrderError::InsufficientStock { available: 4, requested: 5, .. })),
            "{refused:?}"
        );
    }
}
