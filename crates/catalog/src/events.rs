//! What the catalogue tells besides the product events of the contracts.

use serde::{Deserialize, Serialize};
use stoa_platform::events::Event;

use crate::category::CategoryId;

/// Many products were loaded at once. It stands for their `product.created` events: a follower that keeps something for
/// every product reads the table anew when it hears this.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogSeeded {
    /// How many.
    pub products: i64,
}

impl Event for CatalogSeeded {
    const TYPE: &'static str = "catalog.seeded";

    fn topic(&self) -> String {
        "catalog".into()
    }

    fn aggregate(&self) -> String {
        "catalog".into()
    }
}

macro_rules! category_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The category.
            pub category_id: CategoryId,
            /// Its slug.
            pub slug: String,
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!("category:{}", self.category_id)
            }

            fn aggregate(&self) -> String {
                format!("category:{}", self.category_id)
            }
        }
    };
}

category_event! {
    /// A category was made.
    CategoryCreated = "category.created"
}
category_event! {
    /// A category was renamed or moved.
    CategoryUpdated = "category.updated"
}
category_event! {
    /// A category was deleted.
    CategoryDeleted = "category.deleted"
}
