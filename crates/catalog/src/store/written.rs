//! Products as they are shown, written straight from their rows: a list shows a hundred, and to make each of them first,
//! only to take it apart again, costs more than to read it.

use std::io::Write as _;

use bytes::Bytes;
use serde::Serialize;
use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Currency, Money, Timestamp};
use stoa_platform::{
    database::{Connection, DatabaseError, Row, Value},
    params,
};

use super::{products, variants};
use crate::product::ProductStatus;

/// A product, written, with what a list is sorted by.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) id: ProductId,
    pub(crate) price: i64,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) status: ProductStatus,
    pub(crate) version: i64,
    text: Vec<u8>,
    /// Where the variants stand, if it has any.
    variants_at: Option<usize>,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl From<Written> for Bytes {
    fn from(written: Written) -> Self {
        written.text.into()
    }
}

/// The product of this id.
pub(crate) fn find(
    connection: &mut Connection<'_>,
    id: ProductId,
    currency: Currency,
) -> Result<Option<Written>, DatabaseError> {
    Ok(query(connection, &products::FIND, params![id], currency)?.pop())
}

/// The products that a statement finds by its [`products::COLUMNS`].
pub(crate) fn query(
    connection: &mut Connection<'_>,
    sql: &str,
    values: &[Value<'_>],
    currency: Currency,
) -> Result<Vec<Written>, DatabaseError> {
    let mut written = connection.query(sql, values, |row| write(row, currency))?;
    let with_variants = written.iter().filter(|product| product.variants_at.is_some());
    let ids: Vec<ProductId> = with_variants.map(|product| product.id).collect();
    if !ids.is_empty() {
        let variants = variants::of(connection, &ids, currency)?;
        for product in &mut written {
            if let (Some(place), Some(variants)) = (product.variants_at, variants.get(&product.id)) {
                let list = json(variants)?;
                product.text.splice(place..place + "[]".len(), list);
            }
        }
    }
    Ok(written)
}

/// In the order of the fields of a product.
fn write(row: &Row<'_>, currency: Currency) -> Result<Written, DatabaseError> {
    let mut text = Text(Vec::with_capacity(768));
    let (id, name, description) = (row.read::<ProductId>()?, row.text()?, row.text()?);
    text.field("{\"id\":", &id)?;
    text.field(",\"name\":", name)?;
    text.field(",\"description\":", description)?;
    let price: i64 = row.read()?;
    text.amount(",\"price\":", price, currency);
    if let Some(earlier) = row.read::<Option<i64>>()? {
        text.amount(",\"compareAtPrice\":", earlier, currency);
    }
    text.field(",\"currency\":", &currency)?;
    text.field(",\"stock\":", &row.read::<i64>()?)?;
    text.field(",\"category\":", row.text()?)?;
    let status = row.parse(ProductStatus::of_name)?;
    text.field(",\"status\":", &status)?;
    // Kept as the JSON they are.
    text.raw(&[",\"images\":", row.text()?, ",\"specifications\":", row.text()?, ",\"variants\":"]);
    let variants_at = text.0.len();
    let (version, created_at, updated_at) = (row.read()?, row.read::<Timestamp>()?, row.read::<Timestamp>()?);
    text.field("[],\"createdAt\":", &created_at)?;
    text.field(",\"updatedAt\":", &updated_at)?;
    text.raw(&["}"]);
    let variants_at = (row.read::<i64>()? > 0).then_some(variants_at);
    Ok(Written { id, price, name: name.to_owned(), created_at, status, version, text: text.0, variants_at })
}

struct Text(Vec<u8>);

impl Text {
    fn raw(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), DatabaseError> {
        self.raw(&[name]);
        serde_json::to_writer(&mut self.0, value).map_err(unwritable)
    }

    fn amount(&mut self, name: &str, minor: i64, currency: Currency) {
        self.raw(&[name]);
        // Writing to memory cannot fail.
        let _ = write!(self.0, "{}", Money::from_minor(minor, currency));
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, DatabaseError> {
    serde_json::to_vec(value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> DatabaseError {
    DatabaseError::Defect(format!("a product cannot be written: {error}"))
}
