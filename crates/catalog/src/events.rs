//! What the catalogue tells besides the product events of the contracts.

use serde::{Deserialize, Serialize};
use stoa_contracts::catalog::{OfferId, PackageId};
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

macro_rules! versioned_event {
    ($(#[$doc:meta])* $name:ident of $aggregate:literal, $id:ident: $id_type:ty = $kind:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Which.
            pub $id: $id_type,
            /// Its version after the change.
            pub version: i64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!(concat!($aggregate, ":{}"), self.$id)
            }

            fn aggregate(&self) -> String {
                format!(concat!($aggregate, ":{}"), self.$id)
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    };
}

versioned_event! {
    /// A package was made.
    PackageCreated of "package", package_id: PackageId = "package.created" {
        /// Its name.
        name: String,
    }
}
versioned_event! {
    /// A package changed. What happens to its parts is told by their own events.
    PackageUpdated of "package", package_id: PackageId = "package.updated" {}
}
versioned_event! {
    /// A package was deleted.
    PackageDeleted of "package", package_id: PackageId = "package.deleted" {}
}
versioned_event! {
    /// An offer was made.
    OfferCreated of "offer", offer_id: OfferId = "offer.created" {
        /// Its name.
        name: String,
    }
}
versioned_event! {
    /// An offer changed, or was used, or a use was given back.
    OfferUpdated of "offer", offer_id: OfferId = "offer.updated" {
        /// How often it was used.
        uses: i64,
    }
}
versioned_event! {
    /// An offer was deleted.
    OfferDeleted of "offer", offer_id: OfferId = "offer.deleted" {}
}

#[cfg(test)]
mod tests {
    use stoa_contracts::catalog::ProductUpdated;
    use stoa_kernel::{Id, Timestamp};
    use stoa_platform::{cache::Tag, events::StoredEvent};

    use super::*;
    use crate::{CATEGORIES, OFFERS, PACKAGES, PRODUCTS, product_tag, touched};

    fn id<K>() -> Id<K> {
        format!("{:032x}", 7).parse().unwrap()
    }

    /// What a node forgets that hears of an event of another.
    fn forgotten<E: Event>(event: &E) -> Vec<Tag> {
        touched(&StoredEvent {
            pos: 1,
            id: id(),
            topic: event.topic(),
            kind: E::TYPE.into(),
            aggregate: event.aggregate(),
            version: event.version(),
            actor: "guest".into(),
            at: Timestamp::from_seconds(0),
            payload: "{}".into(),
            trace: None,
        })
    }

    #[test]
    fn other_nodes_forget_what_an_event_makes_stale() {
        let version = 2;
        assert_eq!(forgotten(&PackageUpdated { package_id: id(), version }), [PACKAGES]);
        assert_eq!(forgotten(&PackageDeleted { package_id: id(), version }), [PACKAGES]);
        assert_eq!(forgotten(&OfferUpdated { offer_id: id(), version, uses: 1 }), [OFFERS]);
        assert_eq!(forgotten(&OfferDeleted { offer_id: id(), version }), [OFFERS]);
        // Packages are tagged with the products in them, and lists of packages as lists of products are.
        let of_product = forgotten(&ProductUpdated { product_id: id(), version, stock: 0 });
        assert_eq!(of_product, [product_tag(id()), PRODUCTS]);
        let renamed = CategoryUpdated { category_id: id(), slug: "home".into() };
        assert_eq!(forgotten(&renamed), [CATEGORIES]);
    }
}
