//! How the catalogue says no: one enum, with stable codes.

use stoa_kernel::{FieldError, Refusal, RefusalKind};
use stoa_platform::database::DatabaseError;

/// Why the catalogue cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No such product, or none that the caller may know of.
    #[error("no such product")]
    UnknownProduct,
    /// No such category.
    #[error("no such category")]
    UnknownCategory,
    /// The product has no such variant.
    #[error("no such variant")]
    UnknownVariant,
    /// The product is sold by variants, and none was named.
    #[error("the product has variants")]
    VariantRequired,
    /// Another variant has this SKU.
    #[error("the SKU is taken")]
    SkuTaken,
    /// The product has as many variants as it can have.
    #[error("there are too many variants")]
    TooManyVariants,
    /// No such package, or none that the caller may know of.
    #[error("no such package")]
    UnknownPackage,
    /// No such offer, or none that the caller may know of.
    #[error("no such offer")]
    UnknownOffer,
    /// Another offer has this code.
    #[error("the code is taken")]
    OfferCodeTaken,
    /// As many offers apply by themselves as can.
    #[error("there are too many offers without a code")]
    TooManyOffers,
    /// No such import.
    #[error("no such import")]
    UnknownImport,
    /// Less stock than would have to be there.
    #[error("{requested} pieces were asked for and {available} are there")]
    InsufficientStock {
        /// Pieces there.
        available: i64,
        /// Pieces asked for.
        requested: i64,
    },
    /// More stock than can be kept.
    #[error("the stock would be too large")]
    StockTooLarge,
    /// Another category has this slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// Products or other categories stand in this one.
    #[error("the category is in use")]
    CategoryInUse,
    /// There are as many categories as there can be.
    #[error("there are too many categories")]
    TooManyCategories,
    /// A field cannot be as given.
    #[error("{0} is invalid: {2}")]
    Field(&'static str, &'static str, &'static str),
    /// Refused by what all routes share.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<CatalogError> for Refusal {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::UnknownProduct => {
                Self::not_found("PRODUCT_NOT_FOUND", "There is no product with this id.")
            }
            CatalogError::UnknownCategory => {
                Self::not_found("CATEGORY_NOT_FOUND", "There is no category with this id or slug.")
            }
            CatalogError::UnknownVariant => {
                Self::not_found("VARIANT_NOT_FOUND", "The product has no variant with this id.")
            }
            CatalogError::VariantRequired => {
                let detail = "This product is sold by variants. Name one by `variantId`.";
                Self::new(RefusalKind::Invalid, "VARIANT_REQUIRED", detail)
            }
            CatalogError::SkuTaken => Self::conflict("SKU_TAKEN", "Another variant has this SKU."),
            CatalogError::TooManyVariants => {
                Self::conflict("TOO_MANY_VARIANTS", "A product has at most 100 variants.")
            }
            CatalogError::UnknownPackage => {
                Self::not_found("PACKAGE_NOT_FOUND", "There is no package with this id.")
            }
            CatalogError::UnknownOffer => {
                Self::not_found("OFFER_NOT_FOUND", "There is no offer with this id.")
            }
            CatalogError::OfferCodeTaken => {
                Self::conflict("OFFER_CODE_TAKEN", "Another offer has this code.")
            }
            CatalogError::TooManyOffers => Self::conflict(
                "TOO_MANY_OFFERS",
                "A shop has at most 1,000 offers that are active and need no code. Switch off or delete some first.",
            ),
            CatalogError::UnknownImport => {
                Self::not_found("IMPORT_NOT_FOUND", "There is no import with this id.")
            }
            CatalogError::InsufficientStock { available, requested } => {
                let detail = "There are not enough pieces in stock.";
                Self::new(RefusalKind::Invalid, "INSUFFICIENT_STOCK", detail)
                    .with_fact("available", available)
                    .with_fact("requested", requested)
            }
            CatalogError::StockTooLarge => {
                let detail = "The stock of a product cannot pass 1,000,000,000 pieces.";
                Self::new(RefusalKind::Invalid, "STOCK_TOO_LARGE", detail)
            }
            CatalogError::SlugTaken => {
                Self::conflict("CATEGORY_SLUG_TAKEN", "Another category has this slug.")
            }
            CatalogError::CategoryInUse => Self::conflict(
                "CATEGORY_IN_USE",
                "Products or other categories stand in this category. Move them first.",
            ),
            CatalogError::TooManyCategories => {
                Self::conflict("TOO_MANY_CATEGORIES", "A shop has at most 5,000 categories.")
            }
            CatalogError::Field(field, code, message) => {
                Self::invalid(vec![FieldError::new(field, code, message)])
            }
            CatalogError::Refused(refusal) => refusal,
            CatalogError::Database(error) => error.into(),
        }
    }
}
