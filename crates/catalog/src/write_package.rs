//! Making, changing and deleting packages.

use std::collections::HashMap;

use stoa_contracts::catalog::{PackageId, ProductId, VariantId};
use stoa_kernel::{Fields, Flaw};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{self, Event},
};

use crate::{
    CatalogError, Catalogue, PACKAGES,
    events::{PackageCreated, PackageDeleted, PackageUpdated},
    package::{NewPackage, Package, PackageChanges, PackageItem},
    store::packages,
};

impl Catalogue {
    /// Makes a package of products that exist; they need not be offered yet.
    pub(crate) fn create_package(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        new: NewPackage,
    ) -> Result<Package, CatalogError> {
        check_parts(tx, &new.items)?;
        let NewPackage { name, description, price, items, images, status } = new;
        let package = Package {
            id: occasion.id(),
            name,
            description,
            price,
            currency: self.currency(),
            items,
            stock: 0,
            images,
            status,
            created_at: occasion.at,
            updated_at: occasion.at,
            version: 1,
        };
        packages::insert(tx, &package)?;
        let Package { id: package_id, version, .. } = package;
        self.tell_of_package(
            tx,
            occasion,
            &PackageCreated { package_id, version, name: package.name.clone() },
        )?;
        self.as_kept(tx, package)
    }

    /// Changes a package; one without changes is answered as it stands. Orders keep what they were placed with.
    pub(crate) fn update_package(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: PackageId,
        changes: PackageChanges,
    ) -> Result<Package, CatalogError> {
        let found = packages::find_for_change(tx, id, self.currency())?;
        let mut package = found.ok_or(CatalogError::UnknownPackage)?;
        if changes == PackageChanges::default() {
            return Ok(package);
        }
        if let Some(items) = &changes.items {
            check_parts(tx, items)?;
        }
        package.change(changes, occasion.at);
        packages::update(tx, &package)?;
        self.tell_of_package(tx, occasion, &PackageUpdated { package_id: id, version: package.version })?;
        self.as_kept(tx, package)
    }

    /// Deletes a package. Its parts stay, and so do the orders of it.
    pub(crate) fn delete_package(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: PackageId,
    ) -> Result<(), CatalogError> {
        let found = packages::find_for_change(tx, id, self.currency())?;
        let package = found.ok_or(CatalogError::UnknownPackage)?;
        packages::delete(tx, id)?;
        let deleted = PackageDeleted { package_id: id, version: package.version + 1 };
        Ok(self.tell_of_package(tx, occasion, &deleted)?)
    }

    /// The package as it is read: with what there is of its parts.
    fn as_kept(&self, tx: &mut Tx<'_>, package: Package) -> Result<Package, CatalogError> {
        packages::find(tx, package.id, self.currency())?.ok_or(CatalogError::UnknownPackage)
    }

    fn tell_of_package(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        event: &impl Event,
    ) -> Result<(), DatabaseError> {
        events::append(tx, occasion, event)?;
        self.forget(tx, vec![PACKAGES]);
        Ok(())
    }
}

/// 422 for parts that name no product, no variant of it, or no variant where the product has some.
fn check_parts(tx: &mut Tx<'_>, items: &[PackageItem]) -> Result<(), CatalogError> {
    let wanted: Vec<ProductId> = items.iter().map(|item| item.product_id).collect();
    let products: HashMap<ProductId, i64> = packages::variant_counts(tx, &wanted)?;
    let wanted: Vec<VariantId> = items.iter().filter_map(|item| item.variant_id).collect();
    let variants: HashMap<VariantId, ProductId> = packages::products_of_variants(tx, &wanted)?;
    let mut fields = Fields::default();
    for (index, item) in items.iter().enumerate() {
        let count = products.get(&item.product_id);
        let known = Flaw::new("UNKNOWN", "There is no such product.");
        fields.check(format!("items[{index}].productId"), count.is_some(), known);
        let flaw = match (count, item.variant_id) {
            (None | Some(0), None) => None,
            (Some(_), None) => {
                Some(Flaw::new("VARIANT_REQUIRED", "This product is sold by variants. Name one."))
            }
            (_, Some(variant)) if variants.get(&variant) == Some(&item.product_id) => None,
            (_, Some(_)) => Some(Flaw::new("UNKNOWN", "The product has no such variant.")),
        };
        if let Some(flaw) = flaw {
            fields.refuse(format!("items[{index}].variantId"), flaw);
        }
    }
    Ok(fields.finish()?)
}
