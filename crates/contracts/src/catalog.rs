//! What the catalogue publishes, and what may be asked of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use stoa_kernel::{Id, Money, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events::Event,
};

/// Marker of product ids.
pub enum Product {}
/// The id of a product.
pub type ProductId = Id<Product>;
/// Marker of variant ids.
pub enum Variant {}
/// The id of a variant, a kind of a product that is sold by itself.
pub type VariantId = Id<Variant>;
/// Marker of package ids.
pub enum Package {}
/// The id of a package, products sold together at a price of their own.
pub type PackageId = Id<Package>;
/// Marker of offer ids.
pub enum Offer {}
/// The id of an offer, which takes something off a price.
pub type OfferId = Id<Offer>;

/// What can lie in a cart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ware {
    /// A product that has no variants.
    Product(ProductId),
    /// A variant of a product.
    Variant(ProductId, VariantId),
    /// A package.
    Package(PackageId),
}

impl Ware {
    /// The product it is, or is a variant of.
    pub const fn product(self) -> Option<ProductId> {
        match self {
            Self::Product(product) | Self::Variant(product, _) => Some(product),
            Self::Package(_) => None,
        }
    }
}

impl fmt::Display for Ware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(product) => write!(f, "product {product}"),
            Self::Variant(product, variant) => write!(f, "variant {variant} of product {product}"),
            Self::Package(package) => write!(f, "package {package}"),
        }
    }
}

/// Whether a ware can be bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offering {
    /// It can, as far as stock goes.
    Offered,
    /// It cannot: a draft, archived, or a package of which a part cannot.
    NotOffered,
    /// The product is sold by its variants only.
    ByVariant,
}

/// A ware as a cart needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sellable {
    /// What it is.
    pub ware: Ware,
    /// Its name, for people; a variant's tells the product too.
    pub name: String,
    /// Its price now.
    pub price: Money,
    /// Pieces that could be had now; of a package, as many as the scarcest part allows.
    pub stock: i64,
    /// Whether it is offered at all.
    pub offering: Offering,
}

/// So many pieces of a ware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// What.
    pub ware: Ware,
    /// The pieces.
    pub pieces: i64,
}

/// Pieces as they lie on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The product.
    pub product: ProductId,
    /// Its variant, if it has any.
    pub variant: Option<VariantId>,
    /// The pieces.
    pub pieces: i64,
}

/// What was taken from the shelf for packages of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The package.
    pub package: PackageId,
    /// All pieces taken for it, for as many packages as were asked for.
    pub parts: Vec<Part>,
}

/// Why stock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// Fewer pieces than asked for.
    #[error("of {ware} there are {available} pieces, {requested} were asked for")]
    Insufficient {
        /// What was asked for.
        ware: Ware,
        /// What is there.
        available: i64,
        /// What was asked for.
        requested: i64,
    },
    /// No such ware, or not offered.
    #[error("{0} is not offered")]
    NotOffered(Ware),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A line of a basket, as offers look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasketLine {
    /// What it is of.
    pub ware: Ware,
    /// The price of a piece.
    pub price: Money,
    /// The pieces.
    pub pieces: i64,
}

/// An offer that takes something off a basket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedOffer {
    /// Which.
    pub id: OfferId,
    /// Its name, for people.
    pub name: String,
    /// The code it was asked for by, as it is written in the offer; none when it applies by itself.
    pub code: Option<String>,
    /// What it takes off, more than nothing.
    pub discount: Money,
}

/// Why a code takes nothing off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTrouble {
    /// There is no such code, or it is switched off.
    Unknown,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Over,
    /// It was used as often as it may be.
    UsedUp,
    /// Nothing in the basket is what it is for.
    NotForThese,
}

/// What offers do for a basket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discounts {
    /// Those that take something off, in the order they are applied. Together never more than the basket costs.
    pub applied: Vec<AppliedOffer>,
    /// Codes that do not, as they were given.
    pub refused: Vec<(String, CodeTrouble)>,
}

/// Why offers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// Somebody else had the last use, or it ended.
    #[error("offer {0} cannot be used any more")]
    Ended(OfferId),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Questions to the catalogue, and the moves of stock and offers that belong to an order's transaction. An order takes
/// stock first and offers second, so that no two orders wait for each other in a circle.
pub trait Catalog: Send + Sync {
    /// The wares among `wanted` that exist, in no particular order, in a bounded number of queries.
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[Ware],
    ) -> Result<Vec<Sellable>, DatabaseError>;

    /// Takes all of the pieces, each shelf by one conditional statement, in the order of the ids so that no two orders
    /// wait for each other in a circle. Fails whole; the caller's transaction must then fail too. Answers what the
    /// packages among them were made of, so that exactly that can be given back; nothing for other wares.
    fn take_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        wanted: &[Quantity],
    ) -> Result<Vec<Unpacked>, StockError>;

    /// Gives pieces back to the shelf; those of a product that is gone are forgotten.
    fn return_stock(&self, tx: &mut Tx<'_>, occasion: &Occasion, parts: &[Part])
    -> Result<(), DatabaseError>;

    /// What offers do for a basket at `at`: those that apply by themselves and those of `codes`.
    fn discounts(
        &self,
        connection: &mut Connection<'_>,
        at: Timestamp,
        basket: &[BasketLine],
        codes: &[String],
    ) -> Result<Discounts, DatabaseError>;

    /// Uses each offer once, each by one conditional statement, in the order of their ids. Fails whole.
    fn use_offers(&self, tx: &mut Tx<'_>, occasion: &Occasion, offers: &[OfferId]) -> Result<(), OfferError>;

    /// Gives uses back, of an order that did not come to be; those of an offer that is gone are forgotten.
    fn return_offers(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        offers: &[OfferId],
    ) -> Result<(), DatabaseError>;
}

macro_rules! product_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The product.
            pub product_id: ProductId,
            /// The product's version after the change.
            pub version: i64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!("product:{}", self.product_id)
            }

            fn aggregate(&self) -> String {
                format!("product:{}", self.product_id)
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    };
}

product_event! {
    /// A product was made.
    ProductCreated = "product.created" {
        /// Its name.
        name: String,
    }
}
product_event! {
    /// A product changed.
    ProductUpdated = "product.updated" {
        /// Pieces in stock after the change.
        stock: i64,
    }
}
product_event! {
    /// Pieces of a product came or went; those it was made with are not told of. Several such events of one transaction
    /// bear the product's last version and stock.
    StockChanged = "product.stock_changed" {
        /// The variant they are of; none when they are of the product itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant_id: Option<VariantId>,
        /// What there is now of the variant, or of the product itself.
        stock: i64,
        /// What there is now of the whole product: with variants the sum of theirs.
        product_stock: i64,
        /// How many came; negative when they went.
        change: i64,
        /// Why: `sold`, `returned`, `set`, `adjusted`, `created` (with a variant), `moved` (from the product to its first
        /// variant) or `deleted`.
        reason: String,
    }
}
product_event! {
    /// A product was deleted.
    ProductDeleted = "product.deleted" {}
}
product_event! {
    /// Stock fell to the warning level.
    LowStock = "product.low_stock" {
        /// The variant it is of; none when it is the stock of the whole product.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant_id: Option<VariantId>,
        /// Pieces left.
        stock: i64,
    }
}
product_event! {
    /// The last piece was taken.
    OutOfStock = "product.out_of_stock" {
        /// The variant it is of; none when nothing of the whole product is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant_id: Option<VariantId>,
        /// Pieces left, which is none.
        stock: i64,
    }
}
