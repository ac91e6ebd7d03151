//! Importing one slice of lines, in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use stoa_contracts::catalog::{ProductCreated, ProductId, StockChanged};
use stoa_http::IfMatch;
use stoa_kernel::{FieldError, Id, Refusal, Timestamp};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};
use uuid::Uuid;

use crate::{
    CatalogError, Catalogue,
    import_products::{ImportId, ImportReport},
    product::{NewProduct, Product},
    seed::{Making, insert_makings},
    stock::{Reason, tell_of_changes},
    store::imports,
    transfer::{BadLine, Checked, Listed, MOST_TOLD, Slice},
    update_product::ProductChanges,
    variant::Variant,
};

/// A product that a line makes.
#[derive(Debug)]
struct Birth {
    id: ProductId,
    at: Timestamp,
    version: i64,
    new: NewProduct,
}

/// What a line does that is not done together with others.
#[derive(Debug)]
enum Deed {
    /// Makes a product with these variants.
    Make(Birth, Vec<Variant>),
    /// Changes a product, and gives it these variants if its own are others.
    Change(ProductId, Option<Vec<Variant>>, ProductChanges),
}

/// What the lines of a slice do.
#[derive(Debug, Default)]
struct Sorted {
    /// Products without variants, made all at once.
    births: Vec<Birth>,
    /// The rest in the order of the lines, by number.
    deeds: Vec<(u64, Deed)>,
    /// Lines that said what was so already.
    unchanged: i64,
}

impl Catalogue {
    /// Writes a slice of an import, unless it was written before; answers the record as it is then.
    pub(crate) fn import_slice(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: ImportId,
        slice: &Slice,
    ) -> Result<ImportReport, DatabaseError> {
        let is_next = imports::claim_slice(tx, id, slice.number)?;
        let found = imports::find(tx, id)?;
        let mut report =
            found.ok_or_else(|| DatabaseError::Defect(format!("the record of import {id} is gone")))?;
        if !is_next {
            return Ok(report);
        }
        let mut told = Slice { bad: slice.bad.clone(), failed: slice.failed, ..Slice::default() };
        let Sorted { births, deeds, unchanged } = self.sorted(tx, occasion, slice, &mut told)?;
        make(tx, occasion, &births)?;
        report.created += i64::try_from(births.len()).unwrap_or(i64::MAX);
        report.unchanged += unchanged;
        let mut told_of_stock = Vec::new();
        for (line, deed) in deeds {
            match tx.savepoint(|tx| self.do_deed(tx, occasion, &deed)) {
                Ok(change) => {
                    told_of_stock.extend(change);
                    match deed {
                        Deed::Make(..) => report.created += 1,
                        Deed::Change(..) => report.updated += 1,
                    }
                }
                Err(CatalogError::Database(error)) => return Err(error),
                Err(error) => told.refuse(refused(line, error)),
            }
        }
        tell_of_changes(tx, occasion, told_of_stock)?;
        report.lines += slice.lines;
        report.failed += told.failed;
        told.bad.sort_by_key(|bad| bad.line);
        report.errors.extend(told.bad);
        report.errors.truncate(MOST_TOLD);
        report.updated_at = occasion.at;
        imports::update(tx, &report)?;
        self.forget_products(tx, []);
        Ok(report)
    }

    /// What the lines of a slice do.
    fn sorted(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        slice: &Slice,
        told: &mut Slice,
    ) -> Result<Sorted, DatabaseError> {
        let named: Vec<ProductId> = slice.good.iter().filter_map(|(_, checked)| checked.id).collect();
        let known: HashMap<Uuid, Product> = imports::products_for_change(tx, &named, self.currency())?
            .into_iter()
            .map(|product| (product.id.uuid(), product))
            .collect();
        let unknown: Vec<ProductId> =
            named.into_iter().filter(|id| !known.contains_key(&id.uuid())).collect();
        let versions = imports::last_versions(tx, &unknown)?;
        let mut sorted = Sorted::default();
        // Each a microsecond younger than the one before, so that they are listed in their order.
        let mut ages = (0..).map(|age| occasion.at + Duration::from_micros(age));
        for (line, checked) in &slice.good {
            let product = checked.id.and_then(|id| known.get(&id.uuid()));
            let done = if let Some(product) = product {
                sorted.change(*line, checked, product, occasion)
            } else {
                let at = ages.next().unwrap_or(occasion.at);
                // A product that comes back after it was deleted goes on counting.
                let last = checked.id.and_then(|id| versions.get(&id.uuid()));
                let version = last.map_or(1, |last| last + 1);
                sorted.make(*line, checked, (at, version), occasion)
            };
            if let Err(errors) = done {
                told.refuse(BadLine { line: *line, errors });
            }
        }
        Ok(sorted)
    }

    fn do_deed(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        deed: &Deed,
    ) -> Result<Option<StockChanged>, CatalogError> {
        match deed {
            Deed::Make(birth, variants) => {
                make(tx, occasion, std::slice::from_ref(birth))?;
                self.set_variants(tx, occasion, birth.id, variants).map_err(of_the_list)?;
                Ok(None)
            }
            Deed::Change(id, variants, changes) => {
                if let Some(variants) = variants {
                    self.set_variants(tx, occasion, *id, variants).map_err(of_the_list)?;
                }
                let any = IfMatch::default();
                Ok(self.change_product(tx, occasion, (*id, &any), changes)?.1)
            }
        }
    }
}

impl Sorted {
    /// Notes what a line makes.
    fn make(
        &mut self,
        line: u64,
        checked: &Checked,
        (at, version): (Timestamp, i64),
        occasion: &Occasion,
    ) -> Result<(), Vec<FieldError>> {
        let mut new = checked.new_product()?;
        let listed = Listed { price: new.price, pieces: new.stock, present: &[] };
        let variants = listed.planned(checked.variants.as_deref().unwrap_or_default(), || occasion.id())?;
        agree(checked, &variants)?;
        if !variants.is_empty() {
            new.stock = 0;
        }
        let id = checked.id.unwrap_or_else(|| Id::new(at, &occasion.random));
        let birth = Birth { id, at, version, new };
        if variants.is_empty() {
            self.births.push(birth);
        } else {
            self.deeds.push((line, Deed::Make(birth, variants)));
        }
        Ok(())
    }

    /// Notes what a line changes.
    fn change(
        &mut self,
        line: u64,
        checked: &Checked,
        product: &Product,
        occasion: &Occasion,
    ) -> Result<(), Vec<FieldError>> {
        let mut changes = checked.differing(product);
        let mut variants = None;
        if let Some(list) = &checked.variants {
            let price = checked.changes.price.unwrap_or(product.price);
            let listed = Listed { price, pieces: product.stock, present: &product.variants };
            let planned = listed.planned(list, || occasion.id())?;
            agree(checked, &planned)?;
            if !planned.is_empty() {
                changes.stock = None;
            } else if product.has_variants() {
                // Without its last variant the product has no pieces.
                changes.stock = checked.changes.stock.filter(|stock| *stock != 0);
            }
            variants = (planned != product.variants).then_some(planned);
        }
        if variants.is_none() && changes == ProductChanges::default() {
            self.unchanged += 1;
        } else {
            self.deeds.push((line, Deed::Change(product.id, variants, changes)));
        }
        Ok(())
    }
}

/// The stock of a product with variants is the sum of theirs; a line that says otherwise contradicts itself.
fn agree(checked: &Checked, variants: &[Variant]) -> Result<(), Vec<FieldError>> {
    let sum: i64 = variants.iter().map(|variant| variant.stock).sum();
    match checked.changes.stock {
        Some(stock) if stock != sum && !variants.is_empty() => {
            let message =
                "The stock of a product with variants is the sum of theirs. Say the same, or nothing.";
            Err(vec![FieldError::new("stock", "NOT_THE_SUM", message)])
        }
        _ => Ok(()),
    }
}

fn make(tx: &mut Tx<'_>, occasion: &Occasion, births: &[Birth]) -> Result<(), DatabaseError> {
    let makings: Vec<Making<'_>> = births
        .iter()
        .map(|birth| Making { id: birth.id, at: birth.at, version: birth.version, new: &birth.new })
        .collect();
    insert_makings(tx, occasion, &makings, Reason::Created)?;
    let told = makings.iter().map(|making| {
        let name = making.new.name.clone();
        (occasion, ProductCreated { product_id: making.id, version: making.version, name })
    });
    events::append_all(tx, &told.collect::<Vec<_>>())
}

/// What is wrong with one of the variants is wrong with that field.
fn of_the_list(error: CatalogError) -> CatalogError {
    match error {
        CatalogError::SkuTaken => {
            CatalogError::Field("variants", "SKU_TAKEN", "A variant of another product has this SKU.")
        }
        error => error,
    }
}

fn refused(line: u64, error: CatalogError) -> BadLine {
    let refusal = Refusal::from(error);
    if refusal.fields.is_empty() {
        return BadLine { line, errors: vec![FieldError::new("line", refusal.code, refusal.detail)] };
    }
    BadLine { line, errors: refusal.fields }
}
