//! Packages, their parts, and how many of them there are.

use std::collections::HashMap;

use stoa_contracts::catalog::{Offering, PackageId, ProductId, Sellable, VariantId, Ware};
use stoa_kernel::{Currency, Money, Page, PageRequest};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value, placeholders},
    params,
};

use super::roll::{Filter, Roll, RollPlace};
use crate::{
    package::{Package, PackageItem, Stocked, makes},
    product::{JsonText, ProductStatus, folded},
};

const COLUMNS: &str = "id, name, description, price, images, status, version, created_at, updated_at";

/// A package from the [`COLUMNS`] of a row, without its parts.
fn read(row: &Row<'_>, currency: Currency) -> Result<Package, DatabaseError> {
    Ok(Package {
        id: row.read()?,
        name: row.read()?,
        description: row.read()?,
        price: Money::from_minor(row.read()?, currency),
        currency,
        items: Vec::new(),
        stock: 0,
        images: JsonText::stored(row.read()?),
        status: row.parse(ProductStatus::of_name)?,
        version: row.read()?,
        created_at: row.read()?,
        updated_at: row.read()?,
    })
}

/// A part beside what is on its shelf: nothing while it is not offered.
const PARTS: &str = "package_items.package_id, package_items.product_id, package_items.variant_id,
    package_items.quantity,
    CASE WHEN products.status = 'ACTIVE' AND package_items.variant_id IS NULL AND products.variant_count = 0
         THEN products.stock
         WHEN products.status = 'ACTIVE' THEN variants.stock
    END
    FROM package_items
    LEFT JOIN products ON products.id = package_items.product_id
    LEFT JOIN variants ON variants.id = package_items.variant_id
                      AND variants.product_id = package_items.product_id";

/// The parts of packages in their order, each with what there is of it: one query for all of them.
fn parts(
    connection: &mut Connection<'_>,
    packages: &[PackageId],
) -> Result<HashMap<PackageId, Vec<(PackageItem, Stocked)>>, DatabaseError> {
    let mut found: HashMap<PackageId, Vec<(PackageItem, Stocked)>> = HashMap::new();
    if packages.is_empty() {
        return Ok(found);
    }
    let list = placeholders(1, packages.len());
    let sql = format!(
        "SELECT {PARTS} WHERE package_items.package_id IN ({list})
         ORDER BY package_items.package_id, package_items.position"
    );
    let ids: Vec<Value<'_>> = packages.iter().map(|id| Value::from(*id)).collect();
    let rows = connection.query(&sql, &ids, |row| {
        let package = row.read::<PackageId>()?;
        let item = PackageItem { product_id: row.read()?, variant_id: row.read()?, quantity: row.read()? };
        Ok((package, (item, Stocked { quantity: item.quantity, available: row.read()? })))
    })?;
    for (package, part) in rows {
        found.entry(package).or_default().push(part);
    }
    Ok(found)
}

fn query(
    connection: &mut Connection<'_>,
    sql: &str,
    values: &[Value<'_>],
    currency: Currency,
) -> Result<Vec<Package>, DatabaseError> {
    let mut packages = connection.query(sql, values, |row| read(row, currency))?;
    let ids: Vec<PackageId> = packages.iter().map(|package| package.id).collect();
    let mut parts = parts(connection, &ids)?;
    for package in &mut packages {
        let parts = parts.remove(&package.id).unwrap_or_default();
        package.items = parts.iter().map(|(item, _)| *item).collect();
        package.stock = makes(parts.into_iter().map(|(_, stocked)| stocked)).unwrap_or(0);
    }
    Ok(packages)
}

pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: PackageId,
    currency: Currency,
) -> Result<Option<Package>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM packages WHERE id = $1");
    Ok(query(connection, &sql, params![id], currency)?.pop())
}

/// As [`find`], and nobody else changes it before this transaction ends.
pub(crate) fn find_for_change(
    tx: &mut Tx<'_>,
    id: PackageId,
    currency: Currency,
) -> Result<Option<Package>, DatabaseError> {
    let lock = if tx.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM packages WHERE id = $1{lock}");
    Ok(query(tx, &sql, params![id], currency)?.pop())
}

/// A page of packages: of one status, or of all.
pub(crate) fn page(
    connection: &mut Connection<'_>,
    status: Option<ProductStatus>,
    (roll, request): (Roll, &PageRequest),
    currency: Currency,
) -> Result<Page<Package>, DatabaseError> {
    let of_status = |status: ProductStatus| Filter {
        condition: "status = $1".into(),
        values: vec![Value::from(status.name())],
    };
    let filter = status.map(of_status).unwrap_or_default();
    let read = |connection: &mut Connection<'_>, sql: &str, values: &[Value<'_>]| {
        query(connection, sql, values, currency)
    };
    roll.page(connection, (COLUMNS, "packages"), &filter, request, read, |package| RollPlace {
        id: package.id.uuid().into(),
        name: package.name.clone(),
        created_at: package.created_at,
    })
}

pub(crate) fn insert(tx: &mut Tx<'_>, package: &Package) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO packages (id, name, name_folded, description, price, images, status, version, created_at,
                               updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            package.id,
            &package.name,
            folded(&package.name),
            &package.description,
            package.price,
            &package.images,
            package.status.name(),
            package.version,
            package.created_at,
            package.updated_at
        ],
    )?;
    insert_items(tx, package)
}

fn insert_items(tx: &mut Tx<'_>, package: &Package) -> Result<(), DatabaseError> {
    for (position, item) in (0_i64..).zip(&package.items) {
        tx.execute(
            "INSERT INTO package_items (package_id, position, product_id, variant_id, quantity)
             VALUES ($1, $2, $3, $4, $5)",
            params![package.id, position, item.product_id, item.variant_id, item.quantity],
        )?;
    }
    Ok(())
}

/// Writes a package that was found for change, with its parts.
pub(crate) fn update(tx: &mut Tx<'_>, package: &Package) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE packages SET name = $2, name_folded = $3, description = $4, price = $5, images = $6, status = $7,
                version = $8, updated_at = $9
         WHERE id = $1",
        params![
            package.id,
            &package.name,
            folded(&package.name),
            &package.description,
            package.price,
            &package.images,
            package.status.name(),
            package.version,
            package.updated_at
        ],
    )?;
    delete_items(tx, package.id)?;
    insert_items(tx, package)
}

fn delete_items(tx: &mut Tx<'_>, id: PackageId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM package_items WHERE package_id = $1", params![id])?;
    Ok(())
}

/// Deletes a package that was found for change.
pub(crate) fn delete(tx: &mut Tx<'_>, id: PackageId) -> Result<(), DatabaseError> {
    delete_items(tx, id)?;
    tx.execute("DELETE FROM packages WHERE id = $1", params![id])?;
    Ok(())
}

/// What the ACTIVE ones of these packages are made of; nobody changes or withdraws them before this transaction ends.
pub(crate) fn recipes(
    tx: &mut Tx<'_>,
    wanted: &[PackageId],
) -> Result<HashMap<PackageId, Vec<PackageItem>>, DatabaseError> {
    let lock = if tx.engine() == Engine::Postgres { " FOR SHARE" } else { "" };
    let list = placeholders(1, wanted.len());
    let sql = format!("SELECT id FROM packages WHERE id IN ({list}) AND status = 'ACTIVE' ORDER BY id{lock}");
    let ids: Vec<Value<'_>> = wanted.iter().map(|id| Value::from(*id)).collect();
    let active: Vec<PackageId> = tx.query(&sql, &ids, |row| row.read())?;
    // Only now that they are held: a statement sees what was committed before it began.
    let found = parts(tx, &active)?;
    let recipe = |parts: Vec<(PackageItem, Stocked)>| parts.into_iter().map(|(item, _)| item).collect();
    Ok(found.into_iter().map(|(id, parts)| (id, recipe(parts))).collect())
}

/// These packages as a cart needs them, in one query.
pub(crate) fn sellables(
    connection: &mut Connection<'_>,
    wanted: &[PackageId],
    currency: Currency,
) -> Result<Vec<Sellable>, DatabaseError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let list = placeholders(1, wanted.len());
    let sql = format!(
        "SELECT packages.id, packages.name, packages.price, packages.status, {PARTS}
         JOIN packages ON packages.id = package_items.package_id WHERE packages.id IN ({list})"
    );
    let ids: Vec<Value<'_>> = wanted.iter().map(|id| Value::from(*id)).collect();
    let rows = connection.query(&sql, &ids, |row| {
        let (id, name, price) = (row.read::<PackageId>()?, row.read::<String>()?, row.read::<i64>()?);
        let status = row.parse(ProductStatus::of_name)?;
        let _ = row.read::<PackageId>()?;
        let item = PackageItem { product_id: row.read()?, variant_id: row.read()?, quantity: row.read()? };
        let stocked = Stocked { quantity: item.quantity, available: row.read()? };
        Ok((id, (name, Money::from_minor(price, currency), status), stocked))
    })?;
    let mut found: HashMap<PackageId, (String, Money, ProductStatus, Vec<Stocked>)> = HashMap::new();
    for (id, (name, price, status), part) in rows {
        found.entry(id).or_insert_with(|| (name, price, status, Vec::new())).3.push(part);
    }
    let sellable =
        |(id, (name, price, status, parts)): (PackageId, (String, Money, ProductStatus, Vec<_>))| {
            let made = makes(parts).filter(|_| status == ProductStatus::Active);
            let offering = if made.is_some() { Offering::Offered } else { Offering::NotOffered };
            Sellable { ware: Ware::Package(id), name, price, stock: made.unwrap_or(0), offering }
        };
    Ok(found.into_iter().map(sellable).collect())
}

pub(crate) fn exists(connection: &mut Connection<'_>, id: PackageId) -> Result<bool, DatabaseError> {
    let found =
        connection.find("SELECT 1 FROM packages WHERE id = $1", params![id], |row| row.read::<i64>())?;
    Ok(found.is_some())
}

/// How many variants these products have; those that do not exist are left out.
pub(crate) fn variant_counts(
    connection: &mut Connection<'_>,
    products: &[ProductId],
) -> Result<HashMap<ProductId, i64>, DatabaseError> {
    let list = placeholders(1, products.len());
    let ids: Vec<Value<'_>> = products.iter().map(|id| Value::from(*id)).collect();
    let sql = format!("SELECT id, variant_count FROM products WHERE id IN ({list})");
    Ok(connection.query(&sql, &ids, |row| Ok((row.read()?, row.read()?)))?.into_iter().collect())
}

/// The products that these variants are of; variants that do not exist are left out.
pub(crate) fn products_of_variants(
    connection: &mut Connection<'_>,
    variants: &[VariantId],
) -> Result<HashMap<VariantId, ProductId>, DatabaseError> {
    if variants.is_empty() {
        return Ok(HashMap::new());
    }
    let list = placeholders(1, variants.len());
    let ids: Vec<Value<'_>> = variants.iter().map(|id| Value::from(*id)).collect();
    let sql = format!("SELECT id, product_id FROM variants WHERE id IN ({list})");
    Ok(connection.query(&sql, &ids, |row| Ok((row.read()?, row.read()?)))?.into_iter().collect())
}
