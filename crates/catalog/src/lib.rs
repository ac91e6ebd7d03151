//! The catalogue: products with their stock, and the tree of categories they stand in.
//!
//! Everybody sees what is [`ProductStatus::Active`]; whoever may change products sees the rest too. Every change of stock
//! is one conditional statement and leaves a movement behind, so that what is on the shelf can be proved at any time.
//!
//! A product names its category by slug. The slug need not be known: catalogues are imported before their tree is made.

mod catch_up;
mod category;
mod create_product;
mod delete_product;
mod discount;
mod error;
mod events;
mod find_products;
mod import_products;
mod import_slice;
mod listing;
mod offer;
mod package;
mod picture_products;
mod product;
mod routes;
mod search;
mod seed;
mod serve_orders;
mod set_variants;
mod settings;
mod slug;
mod sockets;
mod stock;
mod store;
mod take_stock;
mod transfer;
mod update_product;
mod use_offers;
mod variant;
pub mod verify;
mod watch_stock;
mod write_category;
mod write_offer;
mod write_package;
mod write_variant;

use std::sync::Arc;

pub use category::{Category, CategoryBranch, CategoryId, CategoryKind, NewCategory};
pub use create_product::CreateProduct;
pub use error::CatalogError;
pub use events::{
    CatalogSeeded, CategoryCreated, CategoryDeleted, CategoryUpdated, OfferCreated, OfferDeleted,
    OfferUpdated, PackageCreated, PackageDeleted, PackageUpdated,
};
pub use offer::{Offer, OfferKind, OfferTarget, TargetKind};
pub use package::{Package, PackageItem};
pub use product::{NewProduct, Product, ProductStatus};
pub use seed::{begin_bulk_load, end_bulk_load};
pub use settings::CatalogSettings;
pub use slug::Slug;
pub use update_product::UpdateProduct;
pub use variant::Variant;

use catch_up::EnterProducts;
use stoa_contracts::{catalog::ProductId, files::Files};
use stoa_http::Module;
use stoa_kernel::{Actor, Clock, Random};
use stoa_platform::{
    Occasion, Platform,
    cache::{Cache, Tag},
    database::{Database, Migration, Tx},
    events::StoredEvent,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The tables of the catalogue.
pub const MIGRATIONS: &[Migration] = &[
    Migration::shared(20, "catalog", include_str!("../../../migrations/0020_catalog.sql")),
    Migration::shared(21, "catalog_lists", include_str!("../../../migrations/0021_catalog_lists.sql")),
    Migration::split(
        22,
        "catalog_search",
        include_str!("../../../migrations/0022_catalog_search.sqlite.sql"),
        include_str!("../../../migrations/0022_catalog_search.postgres.sql"),
    ),
    Migration::shared(23, "catalog_imports", include_str!("../../../migrations/0023_catalog_imports.sql")),
    Migration::shared(24, "variants", include_str!("../../../migrations/0024_variants.sql")),
    Migration::shared(
        25,
        "packages_and_offers",
        include_str!("../../../migrations/0025_packages_and_offers.sql"),
    ),
    Migration::split(
        26,
        "variant_words",
        include_str!("../../../migrations/0026_variant_words.sqlite.sql"),
        include_str!("../../../migrations/0026_variant_words.postgres.sql"),
    ),
    Migration::split(
        27,
        "names_by_price",
        include_str!("../../../migrations/0027_names_by_price.sqlite.sql"),
        include_str!("../../../migrations/0027_names_by_price.postgres.sql"),
    ),
];

/// What cached lists of products are tagged with.
const PRODUCTS: Tag = Tag::named("products");
/// What every cached answer about categories is tagged with.
const CATEGORIES: Tag = Tag::named("categories");
/// What every cached answer about packages is tagged with, beside the products they are made of.
const PACKAGES: Tag = Tag::named("packages");
/// What every cached answer about offers is tagged with.
const OFFERS: Tag = Tag::named("offers");

/// The catalogue of one shop; cheap to clone.
#[derive(Clone)]
pub struct Catalogue(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    random: Random,
    cache: Cache,
    settings: CatalogSettings,
    files: Arc<dyn Files>,
    /// Who holds it imports.
    import_place: Arc<Semaphore>,
}

impl Catalogue {
    /// The catalogue that is kept in the platform's database; its pictures may be files.
    pub fn new(platform: &Platform, settings: CatalogSettings, files: Arc<dyn Files>) -> Self {
        Self(Arc::new(Inner {
            files,
            database: platform.database.clone(),
            clock: platform.clock.clone(),
            random: platform.random.clone(),
            cache: platform.cache.clone(),
            settings,
            import_place: Arc::new(Semaphore::new(1)),
        }))
    }

    /// What the catalogue serves and keeps.
    pub fn module(&self) -> Module {
        Module {
            name: "catalog",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self),
            sockets: self.sockets(),
            job_handlers: vec![EnterProducts::handler(self)],
            cache_tags: Some(touched),
            ..Module::default()
        }
    }

    /// The occasion of a request made by `actor`.
    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.0.clock, &self.0.random, actor)
    }

    /// The one place for an import on this node, if nobody has it.
    fn place_for_import(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.import_place).try_acquire_owned().ok()
    }

    /// Forgets cached answers that show these products, as soon as the transaction is committed.
    fn forget_products(&self, tx: &mut Tx<'_>, products: impl IntoIterator<Item = ProductId>) {
        let mut tags = vec![PRODUCTS];
        tags.extend(products.into_iter().map(product_tag));
        self.forget(tx, tags);
    }

    fn forget(&self, tx: &mut Tx<'_>, tags: Vec<Tag>) {
        let cache = self.0.cache.clone();
        tx.after_commit(move || cache.invalidate(&tags));
    }
}

fn product_tag(id: ProductId) -> Tag {
    Tag::of("product", id)
}

/// What an event of another node makes stale here. A product's aggregate is named as its tag is.
fn touched(event: &StoredEvent) -> Vec<Tag> {
    match event.kind.split('.').next() {
        Some("product") => vec![Tag::named(&event.aggregate), PRODUCTS],
        Some("category") => vec![CATEGORIES],
        Some("package") => vec![PACKAGES],
        Some("offer") => vec![OFFERS],
        Some("catalog") => vec![PRODUCTS, CATEGORIES],
        _ => Vec::new(),
    }
}
