//! Categories.

use std::collections::HashMap;

use stoa_contracts::catalog::ProductId;
use stoa_kernel::{Cursor, CursorValue, Page, PageRequest, SortOrder, page::DEEPEST_ENTRY};
use stoa_platform::{
    database::{Connection, DatabaseError, Engine, Row, Tx, Value, placeholders},
    params,
};

use crate::{
    category::{Category, CategoryId, Tree},
    product::folded,
    slug::Slug,
};

/// How an address names a category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CategoryName {
    Id(CategoryId),
    Slug(String),
}

impl CategoryName {
    pub(crate) fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Slug(text.to_owned()), Self::Id)
    }
}

const COLUMNS: &str = "id, slug, name, parent_id";

fn read(row: &Row<'_>) -> Result<Category, DatabaseError> {
    Ok(Category {
        id: row.read()?,
        slug: Slug::stored(row.read()?),
        name: row.read()?,
        parent_id: row.read()?,
    })
}

pub(crate) fn find(
    connection: &mut Connection<'_>,
    name: &CategoryName,
) -> Result<Option<Category>, DatabaseError> {
    let (column, value) = match name {
        CategoryName::Id(id) => ("id", Value::from(*id)),
        CategoryName::Slug(slug) => ("slug", Value::from(slug)),
    };
    connection.find(&format!("SELECT {COLUMNS} FROM categories WHERE {column} = $1"), &[value], read)
}

/// All categories, by name.
pub(crate) fn all(connection: &mut Connection<'_>) -> Result<Vec<Category>, DatabaseError> {
    connection.query(&format!("SELECT {COLUMNS} FROM categories ORDER BY name_folded, id"), &[], read)
}

/// The categories that these products stand in, at any level. Ends even if stored data had a loop.
pub(crate) fn around(
    connection: &mut Connection<'_>,
    products: &[ProductId],
) -> Result<HashMap<ProductId, Vec<CategoryId>>, DatabaseError> {
    let mut found: HashMap<ProductId, Vec<CategoryId>> = HashMap::new();
    if products.is_empty() {
        return Ok(found);
    }
    let sql = format!(
        "WITH RECURSIVE around (product_id, id, parent_id) AS (
             SELECT products.id, categories.id, categories.parent_id
             FROM products JOIN categories ON categories.slug = products.category WHERE products.id IN ({})
             UNION
             SELECT around.product_id, categories.id, categories.parent_id
             FROM around JOIN categories ON categories.id = around.parent_id
         )
         SELECT product_id, id FROM around",
        placeholders(1, products.len())
    );
    let ids: Vec<Value<'_>> = products.iter().map(|id| Value::from(*id)).collect();
    for (product, category) in connection.query(&sql, &ids, |row| Ok((row.read()?, row.read()?)))? {
        found.entry(product).or_default().push(category);
    }
    Ok(found)
}

/// The tree; nobody else changes it before this transaction ends.
pub(crate) fn lock_tree(tx: &mut Tx<'_>) -> Result<Tree, DatabaseError> {
    if tx.engine() == Engine::Postgres {
        tx.batch("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE")?;
    }
    let places =
        tx.query("SELECT id, parent_id FROM categories", &[], |row| Ok((row.read()?, row.read()?)))?;
    Ok(places.into_iter().collect())
}

pub(crate) fn insert(tx: &mut Tx<'_>, category: &Category) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO categories (id, slug, name, name_folded, parent_id) VALUES ($1, $2, $3, $4, $5)",
        params![category.id, &category.slug, &category.name, folded(&category.name), category.parent_id],
    )?;
    Ok(())
}

pub(crate) fn update(tx: &mut Tx<'_>, category: &Category) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE categories SET slug = $2, name = $3, name_folded = $4, parent_id = $5 WHERE id = $1",
        params![category.id, &category.slug, &category.name, folded(&category.name), category.parent_id],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx<'_>, id: CategoryId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM categories WHERE id = $1", params![id])?;
    Ok(())
}

pub(crate) fn has_children(connection: &mut Connection<'_>, id: CategoryId) -> Result<bool, DatabaseError> {
    let child =
        connection.find("SELECT id FROM categories WHERE parent_id = $1 LIMIT 1", params![id], |row| {
            row.read::<CategoryId>()
        })?;
    Ok(child.is_some())
}

pub(crate) fn is_named_by_a_product(
    connection: &mut Connection<'_>,
    slug: &Slug,
) -> Result<bool, DatabaseError> {
    // Naming every status lets the indexes that begin with it serve.
    let named = connection.find(
        "SELECT 1 FROM products
         WHERE status IN ('DRAFT', 'ACTIVE', 'INACTIVE', 'ARCHIVED') AND category = $1 LIMIT 1",
        params![slug],
        |row| row.read::<i64>(),
    )?;
    Ok(named.is_some())
}

/// The ordering of lists of categories.
pub(crate) const fn ordering(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "name:asc",
        SortOrder::Desc => "name:desc",
    }
}

/// A page of categories by name, after the folded name and id of `after`.
pub(crate) fn page(
    connection: &mut Connection<'_>,
    order: SortOrder,
    (request, after): (&PageRequest, Option<&(String, CategoryId)>),
) -> Result<Page<Category>, DatabaseError> {
    let (direction, beyond) = if order == SortOrder::Asc { ("ASC", ">") } else { ("DESC", "<") };
    let mut values = params![i64::from(request.limit) + 1, request.offset()].to_vec();
    let mut begin = String::new();
    if let Some((name, id)) = after {
        begin = format!("WHERE (name_folded, id) {beyond} ($3, $4)");
        values.extend_from_slice(params![name, *id]);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM categories {begin} ORDER BY name_folded {direction}, id {direction}
         LIMIT $1 OFFSET $2"
    );
    let rows = connection.query(&sql, &values, read)?;
    let total = if request.wants_total() { Some(count(connection)?) } else { None };
    Ok(Page::from_rows(rows, request.limit, total, |last| Cursor {
        order: ordering(order).into(),
        value: CursorValue::Text(folded(&last.name)),
        id: last.id.uuid(),
    }))
}

fn count(connection: &mut Connection<'_>) -> Result<u32, DatabaseError> {
    let counted = connection.find("SELECT COUNT(*) FROM categories", &[], |row| row.read::<u32>())?;
    Ok(counted.unwrap_or(0).min(DEEPEST_ENTRY))
}
