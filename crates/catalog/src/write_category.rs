//! Making, changing and deleting categories. The tree is locked meanwhile, for its rules concern all of it.

use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{self, Event},
};

use crate::{
    CATEGORIES, CatalogError, Catalogue,
    category::{Category, CategoryChanges, CategoryId, MOST_CATEGORIES, NewCategory, Tree},
    events::{CategoryCreated, CategoryDeleted, CategoryUpdated},
    slug::Slug,
    store::categories::{self, CategoryName},
};

impl Catalogue {
    /// Makes a category.
    pub fn create_category(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        new: &NewCategory,
    ) -> Result<Category, CatalogError> {
        let tree = categories::lock_tree(tx)?;
        if tree.len() >= MOST_CATEGORIES {
            return Err(CatalogError::TooManyCategories);
        }
        check_place(&tree, new.parent, None)?;
        let NewCategory { name, slug, parent } = new.clone();
        let category = Category { id: occasion.id(), slug, name, parent_id: parent };
        categories::insert(tx, &category).map_err(slug_taken)?;
        let created = CategoryCreated { category_id: category.id, slug: category.slug.to_string() };
        self.tell_of_category(tx, occasion, &created)?;
        Ok(category)
    }

    /// Changes a category. Its slug stays while products name it.
    pub(crate) fn update_category(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        name: &CategoryName,
        changes: &CategoryChanges,
    ) -> Result<Category, CatalogError> {
        let tree = categories::lock_tree(tx)?;
        let mut category = categories::find(tx, name)?.ok_or(CatalogError::UnknownCategory)?;
        if let Some(parent) = changes.parent {
            check_place(&tree, parent, Some(category.id))?;
            category.parent_id = parent;
        }
        if let Some(slug) = &changes.slug
            && *slug != category.slug
        {
            refuse_if_named(tx, &category.slug)?;
            category.slug = slug.clone();
        }
        category.name = changes.name.clone().unwrap_or(category.name);
        categories::update(tx, &category).map_err(slug_taken)?;
        let updated = CategoryUpdated { category_id: category.id, slug: category.slug.to_string() };
        self.tell_of_category(tx, occasion, &updated)?;
        Ok(category)
    }

    /// Deletes a category that nothing stands in.
    pub(crate) fn delete_category(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        name: &CategoryName,
    ) -> Result<(), CatalogError> {
        categories::lock_tree(tx)?;
        let category = categories::find(tx, name)?.ok_or(CatalogError::UnknownCategory)?;
        refuse_if_named(tx, &category.slug)?;
        if categories::has_children(tx, category.id)? {
            return Err(CatalogError::CategoryInUse);
        }
        categories::delete(tx, category.id)?;
        let deleted = CategoryDeleted { category_id: category.id, slug: category.slug.to_string() };
        Ok(self.tell_of_category(tx, occasion, &deleted)?)
    }

    fn tell_of_category(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        event: &impl Event,
    ) -> Result<(), DatabaseError> {
        events::append(tx, occasion, event)?;
        self.forget(tx, vec![CATEGORIES]);
        Ok(())
    }
}

fn check_place(
    tree: &Tree,
    parent: Option<CategoryId>,
    moved: Option<CategoryId>,
) -> Result<(), CatalogError> {
    let Some(parent) = parent else { return Ok(()) };
    tree.may_stand_in(parent, moved).map_err(|flaw| CatalogError::Field("parentId", flaw.code, flaw.message))
}

fn refuse_if_named(tx: &mut Tx<'_>, slug: &Slug) -> Result<(), CatalogError> {
    if categories::is_named_by_a_product(tx, slug)? { Err(CatalogError::CategoryInUse) } else { Ok(()) }
}

fn slug_taken(error: DatabaseError) -> CatalogError {
    if error.is_unique("categories_slug_key") { CatalogError::SlugTaken } else { error.into() }
}
