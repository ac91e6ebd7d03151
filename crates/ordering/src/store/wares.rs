//! Wares as lines of carts and orders keep them: three columns, of which a product fills one, a variant two.

use stoa_contracts::catalog::{PackageId, ProductId, VariantId, Ware};
use stoa_platform::database::{DatabaseError, Row, Value};

/// The columns of a ware, in the order in which they are read and written.
pub(crate) const WARE: &str = "product_id, variant_id, package_id";

/// What a unique index of wares goes by.
pub(crate) const WARE_KEY: &str = "COALESCE(variant_id, package_id, product_id)";

/// Reads the columns of [`WARE`].
pub(crate) fn read_ware(row: &Row<'_>) -> Result<Ware, DatabaseError> {
    let product: Option<ProductId> = row.read()?;
    let (variant, package): (Option<VariantId>, Option<PackageId>) = (row.read()?, row.read()?);
    match (product, variant, package) {
        (Some(product), None, None) => Ok(Ware::Product(product)),
        (Some(product), Some(variant), None) => Ok(Ware::Variant(product, variant)),
        (None, None, Some(package)) => Ok(Ware::Package(package)),
        _ => Err(DatabaseError::Decode("a line that is of no one ware".into())),
    }
}

/// What goes into the columns of [`WARE`].
pub(crate) fn ware_values(ware: Ware) -> [Value<'static>; 3] {
    match ware {
        Ware::Product(product) => [product.into(), Value::Null, Value::Null],
        Ware::Variant(product, variant) => [product.into(), variant.into(), Value::Null],
        Ware::Package(package) => [Value::Null, Value::Null, package.into()],
    }
}
