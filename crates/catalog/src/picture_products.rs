//! Giving a product other pictures: addresses, or files that were sent here.

use std::collections::HashMap;

use stoa_contracts::{
    catalog::ProductId,
    files::{FileId, FileView, Visibility},
};
use stoa_http::IfMatch;
use stoa_platform::{Occasion, database::Tx};

use crate::{
    CatalogError, Catalogue,
    product::{self, Product},
    update_product::ProductChanges,
};

impl Catalogue {
    /// Replaces the pictures of a product. Each is an address, or the id of a file.
    pub(crate) fn picture_product(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        product: (ProductId, &IfMatch),
        given: &[String],
    ) -> Result<Product, CatalogError> {
        let ids: Vec<FileId> =
            given.iter().take(product::MOST_IMAGES).filter_map(|text| text.parse().ok()).collect();
        let held = self.0.files.hold(tx, &ids)?;
        let files: HashMap<FileId, FileView> =
            held.into_iter().map(|owned| (owned.file.id, owned.file)).collect();
        let urls = given.iter().map(|text| match text.parse::<FileId>() {
            Ok(id) => address_of(files.get(&id)),
            Err(_) => Ok(text.clone()),
        });
        let urls = urls.collect::<Result<Vec<_>, CatalogError>>()?;
        let images =
            product::images(&urls).map_err(|flaw| CatalogError::Field("images", flaw.code, flaw.message))?;
        let changes = ProductChanges { images: Some(images), ..ProductChanges::default() };
        self.update_product(tx, occasion, product, &changes)
    }
}

/// The address of a file that everybody may see in a shop window.
fn address_of(file: Option<&FileView>) -> Result<String, CatalogError> {
    let refuse = |code, message| Err(CatalogError::Field("images", code, message));
    match file {
        None => refuse("UNKNOWN", "There is no such file."),
        Some(file) if !file.is_picture() => refuse("NOT_A_PICTURE", "This file is no picture."),
        Some(file) if file.visibility != Visibility::Public => {
            refuse("NOT_PUBLIC", "This file is private, and not for everybody to see.")
        }
        Some(file) => Ok(file.url.clone()),
    }
}
