//! What a category is, and the rules of the tree.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use stoa_kernel::{Fields, Flaw, Id, Refusal, fields::text};

use crate::{product::LONGEST_NAME, slug::Slug, update_product::given};

/// Categories of a shop; whoever needs more wants a filter.
pub(crate) const MOST_CATEGORIES: usize = 5_000;
/// Levels of the tree.
const MOST_LEVELS: usize = 10;
/// Slugs that are addresses already.
const RESERVED: [&str; 1] = ["tree"];

/// Marker of category ids.
pub enum CategoryKind {}
/// The id of a category.
pub type CategoryId = Id<CategoryKind>;

/// A category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// Its name in addresses.
    pub slug: Slug,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The category it stands in; absent at the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
}

/// A category with those that stand in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryBranch {
    /// Its id.
    pub id: CategoryId,
    /// Its name in addresses.
    pub slug: Slug,
    /// What it is called.
    pub name: String,
    /// The category it stands in; absent at the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
    /// Those that stand in it, by name.
    #[schema(no_recursion)]
    pub children: Vec<CategoryBranch>,
}

impl CategoryBranch {
    /// The tree of all categories; they keep the order they come in.
    pub(crate) fn grow(categories: Vec<Category>) -> Vec<Self> {
        let mut by_parent: HashMap<Option<CategoryId>, Vec<Category>> = HashMap::new();
        for category in categories {
            by_parent.entry(category.parent_id).or_default().push(category);
        }
        Self::under(None, &mut by_parent)
    }

    fn under(
        parent: Option<CategoryId>,
        by_parent: &mut HashMap<Option<CategoryId>, Vec<Category>>,
    ) -> Vec<Self> {
        let standing_here = by_parent.remove(&parent).unwrap_or_default();
        let branch = |Category { id, slug, name, parent_id }| {
            let children = Self::under(Some(id), by_parent);
            Self { id, slug, name, parent_id, children }
        };
        standing_here.into_iter().map(branch).collect()
    }
}

/// A category to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateCategory {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Its name in addresses; made of the name unless told.
    #[schema(pattern = "^[a-z0-9-]{1,100}$")]
    slug: Option<String>,
    /// The category it stands in.
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<CategoryId>,
}

/// What is to change of a category; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct UpdateCategory {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    /// Its name in addresses.
    #[serde(default, deserialize_with = "given")]
    #[schema(pattern = "^[a-z0-9-]{1,100}$", nullable = false)]
    slug: Option<String>,
    /// The category it stands in; null moves it to the top.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<Option<CategoryId>>,
}

/// What a new category is made of, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCategory {
    /// What it is called.
    pub name: String,
    /// Its name in addresses.
    pub slug: Slug,
    /// The category it stands in.
    pub parent: Option<CategoryId>,
}

/// Changes of a category, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct CategoryChanges {
    pub(crate) name: Option<String>,
    pub(crate) slug: Option<Slug>,
    pub(crate) parent: Option<Option<CategoryId>>,
}

impl CreateCategory {
    pub(crate) fn checked(self) -> Result<NewCategory, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", category_name(&self.name));
        let slug = match self.slug.as_deref() {
            Some(slug) => fields.take("slug", category_slug(slug)),
            // A bad name is told already.
            None if name.is_none() => None,
            None => fields.take("slug", slug_of_name(&self.name)),
        };
        match (name, slug) {
            (Some(name), Some(slug)) => Ok(NewCategory { name, slug, parent: self.parent_id }),
            _ => Err(fields.into_refusal()),
        }
    }
}

impl UpdateCategory {
    pub(crate) fn checked(self) -> Result<CategoryChanges, Refusal> {
        let mut fields = Fields::default();
        let changes = CategoryChanges {
            name: fields.take_given("name", self.name.as_deref().map(category_name)),
            slug: fields.take_given("slug", self.slug.as_deref().map(category_slug)),
            parent: self.parent_id,
        };
        fields.finish().map(|()| changes)
    }
}

fn category_name(value: &str) -> Result<String, Flaw> {
    text(value, 1, LONGEST_NAME)
}

/// An address must tell a slug from an id and from other addresses.
fn category_slug(value: &str) -> Result<Slug, Flaw> {
    let slug = Slug::parse(value)?;
    if RESERVED.contains(&slug.as_str()) || slug.looks_like_an_id() {
        return Err(Flaw::new("RESERVED", "This slug means something else already."));
    }
    Ok(slug)
}

fn slug_of_name(name: &str) -> Result<Slug, Flaw> {
    let none = Flaw::new("REQUIRED", "No slug can be made of this name; give one.");
    Slug::of_name(name).ok_or(none).and_then(|slug| category_slug(slug.as_str()))
}

/// Who stands where, for the rules that concern the whole tree.
#[derive(Debug, Default)]
pub(crate) struct Tree(HashMap<CategoryId, Option<CategoryId>>);

impl FromIterator<(CategoryId, Option<CategoryId>)> for Tree {
    fn from_iter<I: IntoIterator<Item = (CategoryId, Option<CategoryId>)>>(places: I) -> Self {
        Self(places.into_iter().collect())
    }
}

impl Tree {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, category: CategoryId) -> bool {
        self.0.contains_key(&category)
    }

    /// Whether a category, with all that stands in it, may stand in `parent`; a new one is `None`.
    pub(crate) fn may_stand_in(&self, parent: CategoryId, moved: Option<CategoryId>) -> Result<(), Flaw> {
        if !self.contains(parent) {
            return Err(Flaw::new("UNKNOWN", "There is no such category."));
        }
        if moved.is_some_and(|moved| self.way_up(parent).any(|above| above == moved)) {
            return Err(Flaw::new("LOOP", "A category cannot stand in itself."));
        }
        let height = moved.map_or(1, |moved| self.height(moved));
        if self.way_up(parent).count() + height > MOST_LEVELS {
            return Err(Flaw::new("TOO_DEEP", "The tree has at most 10 levels."));
        }
        Ok(())
    }

    /// A category and all that it stands in. Ends even if stored data had a loop.
    fn way_up(&self, from: CategoryId) -> impl Iterator<Item = CategoryId> {
        let above = |category: &CategoryId| self.0.get(category).copied().flatten();
        std::iter::successors(Some(from), above).take(self.0.len() + 1)
    }

    /// Levels from a category down to the lowest that stands in it.
    fn height(&self, top: CategoryId) -> usize {
        let levels = |category: &CategoryId| self.way_up(*category).position(|above| above == top);
        self.0.keys().filter_map(levels).max().map_or(1, |levels| levels + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> CategoryId {
        format!("{number:032x}").parse().unwrap()
    }

    /// 1 ← 2 ← 3 ← … ← `count`
    fn chain(count: usize) -> Tree {
        (1..=count).map(|number| (id(number), (number > 1).then(|| id(number - 1)))).collect()
    }

    fn refused(answer: Result<(), Flaw>) -> &'static str {
        answer.unwrap_err().code
    }

    #[test]
    fn a_category_stands_in_one_that_exists_and_not_in_itself() {
        let tree = chain(3);
        assert!(tree.may_stand_in(id(3), None).is_ok());
        assert!(tree.may_stand_in(id(1), Some(id(3))).is_ok());
        assert_eq!(refused(tree.may_stand_in(id(9), None)), "UNKNOWN");
        assert_eq!(refused(tree.may_stand_in(id(1), Some(id(1)))), "LOOP");
        assert_eq!(refused(tree.may_stand_in(id(3), Some(id(1)))), "LOOP");
    }

    #[test]
    fn the_tree_has_ten_levels() {
        assert!(chain(9).may_stand_in(id(9), None).is_ok());
        assert_eq!(refused(chain(10).may_stand_in(id(10), None)), "TOO_DEEP");
        let mut two = chain(6);
        two.0.extend((11..=15).map(|number| (id(number), (number > 11).then(|| id(number - 1)))));
        assert_eq!(refused(two.may_stand_in(id(6), Some(id(11)))), "TOO_DEEP");
        assert!(two.may_stand_in(id(5), Some(id(11))).is_ok());
    }

    #[test]
    fn a_tree_grows_from_a_list() {
        let category = |number, parent: Option<usize>| Category {
            id: id(number),
            slug: Slug::parse(&format!("c{number}")).unwrap(),
            name: format!("C{number}"),
            parent_id: parent.map(id),
        };
        let tree = CategoryBranch::grow(vec![category(3, Some(1)), category(1, None), category(2, Some(1))]);
        assert_eq!(tree.len(), 1);
        let children: Vec<_> = tree[0].children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(children, ["C3", "C2"]);
    }

    #[test]
    fn a_slug_is_made_of_the_name_unless_given() {
        let checked = |json: &str| {
            let given: CreateCategory = serde_json::from_str(json).unwrap();
            given.checked().map(|new| new.slug.to_string()).map_err(|refusal| {
                let field = &refusal.fields[0];
                format!("{} {}", field.field, field.code)
            })
        };
        assert_eq!(checked(r#"{"name":"Garden & Tools"}"#).unwrap(), "garden-tools");
        assert_eq!(checked(r#"{"name":"日本","slug":"japan"}"#).unwrap(), "japan");
        assert_eq!(checked(r#"{"name":"日本"}"#).unwrap_err(), "slug REQUIRED");
        assert_eq!(checked(r#"{"name":"Tree"}"#).unwrap_err(), "slug RESERVED");
        let id = r#"{"name":"x","slug":"01890a5d-ac96-774b-bcce-b302099a8057"}"#;
        assert_eq!(checked(id).unwrap_err(), "slug RESERVED");
        assert_eq!(checked(r#"{"name":""}"#).unwrap_err(), "name TOO_SHORT");
    }
}
