//! What stands between a cart and an order, and how it is told.

use stoa_contracts::catalog::{CodeTrouble, OfferId, Ware};
use stoa_kernel::Money;

use crate::cart::CartItemId;

/// Why a cart cannot be bought as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complaint {
    pub(crate) about: Subject,
    /// How people call it.
    pub(crate) name: String,
    pub(crate) trouble: Trouble,
}

/// What a complaint is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    Line(CartItemId, Ware),
    Offer(OfferId),
    /// The code that is its name.
    Code,
}

/// The kinds of complaint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The ware is no longer offered.
    NotOffered,
    /// The product is sold by its variants now.
    ByVariant,
    /// Another price than the one shown.
    PriceChanged { shown: Money, now: Money },
    /// Fewer pieces than wanted.
    TooFew { available: i64, requested: i64 },
    /// An offer takes off something else than was shown; nothing where it says nothing.
    OfferChanged { shown: Option<Money>, now: Option<Money> },
    /// The code takes nothing off any more.
    Code(CodeTrouble),
}

/// The stable word for what is wrong with a code.
pub(crate) const fn code_trouble(trouble: CodeTrouble) -> &'static str {
    match trouble {
        CodeTrouble::Unknown => "OFFER_UNKNOWN",
        CodeTrouble::NotYet => "OFFER_NOT_STARTED",
        CodeTrouble::Over => "OFFER_ENDED",
        CodeTrouble::UsedUp => "OFFER_USED_UP",
        CodeTrouble::NotForThese => "OFFER_NOT_APPLICABLE",
    }
}

/// What is wrong with a code, for people.
pub(crate) fn code_sentence(code: &str, trouble: CodeTrouble) -> String {
    match trouble {
        CodeTrouble::Unknown => format!("There is no offer with the code {code}."),
        CodeTrouble::NotYet => format!("The offer with the code {code} has not begun."),
        CodeTrouble::Over => format!("The offer with the code {code} has ended."),
        CodeTrouble::UsedUp => format!("The code {code} has been used as often as it can be."),
        CodeTrouble::NotForThese => format!("The code {code} is for nothing that is in your cart."),
    }
}

impl Complaint {
    pub(crate) const fn code(&self) -> &'static str {
        match self.trouble {
            Trouble::NotOffered => "PRODUCT_UNAVAILABLE",
            Trouble::ByVariant => "VARIANT_REQUIRED",
            Trouble::PriceChanged { .. } => "PRICE_CHANGED",
            Trouble::TooFew { .. } => "INSUFFICIENT_STOCK",
            Trouble::OfferChanged { .. } => "OFFER_CHANGED",
            Trouble::Code(trouble) => code_trouble(trouble),
        }
    }

    pub(crate) fn sentence(&self) -> String {
        let name = &self.name;
        match self.trouble {
            Trouble::NotOffered => format!("{name} is no longer offered."),
            Trouble::ByVariant => format!("{name} comes in several variants now: choose one."),
            Trouble::PriceChanged { shown, now } => {
                format!("{name} now costs {now} {}, not {shown}.", now.currency())
            }
            Trouble::TooFew { available: 0, .. } => format!("{name} is out of stock."),
            Trouble::TooFew { available, requested } => {
                format!("Only {available} of {name} are in stock; you want {requested}.")
            }
            Trouble::OfferChanged { shown: Some(shown), now: Some(now) } => {
                format!("{name} now takes {now} {} off, not {shown}.", now.currency())
            }
            Trouble::OfferChanged { now: Some(now), .. } => {
                format!("{name} now takes {now} {} off.", now.currency())
            }
            Trouble::OfferChanged { now: None, .. } => format!("{name} takes nothing off any more."),
            Trouble::Code(trouble) => code_sentence(name, trouble),
        }
    }

    /// Whether the cart will be shown otherwise once this has been told.
    pub(crate) const fn is_news(&self) -> bool {
        matches!(self.trouble, Trouble::PriceChanged { .. } | Trouble::OfferChanged { .. } | Trouble::Code(_))
    }
}
