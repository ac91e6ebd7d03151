//! What the catalogue publishes, and what may be asked of it.

use serde::{Deserialize, Serialize};
use stoa_kernel::{Id, Money};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events::Event,
};

/// Marker of product ids.
pub enum Product {}
/// The id of a product.
pub type ProductId = Id<Product>;

/// A product as a cart needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sellable {
    /// The product.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// Its price now.
    pub price: Money,
    /// Pieces in stock now.
    pub stock: i64,
    /// Whether it is offered at all.
    pub active: bool,
}

/// So many pieces of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The product.
    pub product: ProductId,
    /// The pieces.
    pub pieces: i64,
}

/// Why stock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// Fewer pieces than asked for.
    #[error("product {product} has {available} pieces, {requested} were asked for")]
    Insufficient {
        /// The product.
        product: ProductId,
        /// What is there.
        available: i64,
        /// What was asked for.
        requested: i64,
    },
    /// No such product, or not offered.
    #[error("product {0} is not offered")]
    NotOffered(ProductId),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Questions to the catalogue, and the two moves of stock that belong to an order's transaction.
pub trait Catalog: Send + Sync {
    /// The products among `wanted` that exist, in no particular order, in one query.
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[ProductId],
    ) -> Result<Vec<Sellable>, DatabaseError>;

    /// Takes all of the pieces, each by one conditional statement, in the order of the ids so that no two orders wait
    /// for each other in a circle. Fails whole; the caller's transaction must then fail too.
    fn take_stock(&self, tx: &mut Tx<'_>, occasion: &Occasion, pieces: &[Quantity])
    -> Result<(), StockError>;

    /// Gives pieces back.
    fn return_stock(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        pieces: &[Quantity],
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
    /// A product was deleted.
    ProductDeleted = "product.deleted" {}
}
product_event! {
    /// Stock fell to the warning level.
    LowStock = "product.low_stock" {
        /// Pieces left.
        stock: i64,
    }
}
product_event! {
    /// The last piece was taken.
    OutOfStock = "product.out_of_stock" {
        /// Pieces left, which is none.
        stock: i64,
    }
}
