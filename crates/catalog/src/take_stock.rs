//! Taking stock for an order, and giving it back. Packages are unpacked; what they and other lines want of a shelf is
//! added up, and each shelf is touched once, in the order of the ids.

use std::collections::{BTreeMap, HashMap};

use stoa_contracts::catalog::{
    PackageId, Part, ProductId, Quantity, StockChanged, StockError, Unpacked, VariantId, Ware,
};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Catalogue,
    package::PackageItem,
    stock::{Level, Movement, Reason, tell_of_changes},
    store::{packages, stock},
};

/// What the packages of an order are made of.
type Recipes = HashMap<PackageId, Vec<PackageItem>>;

/// A place where pieces lie.
type Shelf = (ProductId, Option<VariantId>);

impl Catalogue {
    /// Takes all of the pieces or fails whole; answers what packages were made of.
    pub(crate) fn take(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        wanted: &[Quantity],
    ) -> Result<Vec<Unpacked>, StockError> {
        let recipes = recipes(tx, wanted)?;
        let demand = Demand { wanted, recipes: &recipes };
        let parts = in_order(demand.parts())?;
        let mut changes = Vec::with_capacity(parts.len());
        for part in &parts {
            changes.extend(self.take_from_shelf(tx, occasion, *part, &demand)?);
        }
        tell_of_changes(tx, occasion, changes)?;
        self.forget_products(tx, parts.iter().map(|part| part.product));
        Ok(demand.unpacked()?)
    }

    fn take_from_shelf(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        taken: Part,
        demand: &Demand<'_>,
    ) -> Result<Option<StockChanged>, StockError> {
        let Some(moved) = stock::take(tx, occasion.at, taken)? else {
            let place = (taken.product, taken.variant);
            return Err(demand.refused(place, stock::offered(tx, place)?));
        };
        Ok(self.tell_of_move(tx, occasion, (taken, moved), (-taken.pieces, Reason::Sold))?)
    }

    /// Gives pieces back. Those whose shelf is gone are forgotten: of a deleted product or variant, and of a product that
    /// has got variants meanwhile.
    pub(crate) fn give_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        parts: &[Part],
    ) -> Result<(), DatabaseError> {
        let parts = in_order(parts.to_vec())?;
        let mut changes = Vec::with_capacity(parts.len());
        for part in &parts {
            if let Some(moved) = stock::put_back(tx, occasion.at, *part)? {
                let told = (part.pieces, Reason::Returned);
                changes.extend(self.tell_of_move(tx, occasion, (*part, moved), told)?);
            }
        }
        tell_of_changes(tx, occasion, changes)?;
        self.forget_products(tx, parts.iter().map(|part| part.product));
        Ok(())
    }

    /// Keeps a movement and tells what it means for the product; answers what is to be told of it beside those of others.
    fn tell_of_move(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        (part, moved): (Part, stock::Moved),
        (change, reason): (i64, Reason),
    ) -> Result<Option<StockChanged>, DatabaseError> {
        let Part { product, variant, .. } = part;
        let stock::Moved { product_stock, version, variant_stock } = moved;
        let movement = Movement { product, variant, version, change, reason };
        stock::record(tx, occasion, &movement)?;
        let level = |variant, after| Level { product, variant, version, before: after - change, after };
        self.tell_of_stock(tx, occasion, level(None, product_stock))?;
        if let Some(after) = variant_stock {
            self.warn(tx, occasion, level(variant, after))?;
        }
        Ok(movement.told(variant_stock.unwrap_or(product_stock), product_stock))
    }
}

/// The recipes of the packages among `wanted`; a query only when there are any.
fn recipes(tx: &mut Tx<'_>, wanted: &[Quantity]) -> Result<Recipes, StockError> {
    let mut asked: Vec<PackageId> = wanted.iter().filter_map(|quantity| as_package(quantity.ware)).collect();
    if asked.is_empty() {
        return Ok(Recipes::new());
    }
    asked.sort_unstable();
    asked.dedup();
    let recipes = packages::recipes(tx, &asked)?;
    match asked.into_iter().find(|package| !recipes.contains_key(package)) {
        Some(withdrawn) => Err(StockError::NotOffered(Ware::Package(withdrawn))),
        None => Ok(recipes),
    }
}

const fn as_package(ware: Ware) -> Option<PackageId> {
    if let Ware::Package(package) = ware { Some(package) } else { None }
}

/// What an order wants, and what its packages are made of.
struct Demand<'d> {
    wanted: &'d [Quantity],
    recipes: &'d Recipes,
}

impl Demand<'_> {
    /// What one quantity takes from the shelves.
    fn parts_of(&self, Quantity { ware, pieces }: Quantity) -> Vec<Part> {
        match ware {
            Ware::Product(product) => vec![Part { product, variant: None, pieces }],
            Ware::Variant(product, variant) => vec![Part { product, variant: Some(variant), pieces }],
            Ware::Package(package) => {
                self.recipes.get(&package).into_iter().flatten().map(|item| item.of(pieces)).collect()
            }
        }
    }

    fn parts(&self) -> Vec<Part> {
        self.wanted.iter().flat_map(|quantity| self.parts_of(*quantity)).collect()
    }

    /// What was taken for packages, all of a kind together.
    fn unpacked(&self) -> Result<Vec<Unpacked>, DatabaseError> {
        let mut taken: BTreeMap<PackageId, Vec<Part>> = BTreeMap::new();
        for quantity in self.wanted {
            if let Some(package) = as_package(quantity.ware) {
                taken.entry(package).or_default().extend(self.parts_of(*quantity));
            }
        }
        let unpacked = |(package, parts)| Ok(Unpacked { package, parts: in_order(parts)? });
        taken.into_iter().map(unpacked).collect()
    }

    /// Whom to tell that a shelf has only `available` pieces, or is not offered when there are none such. Who asked for
    /// the shelf itself is served first, then packages in the order they stand in; the first that goes empty is told how
    /// many of it there could have been.
    fn refused(&self, place: Shelf, available: Option<i64>) -> StockError {
        let takes = |ware, pieces| -> i64 {
            let parts = self.parts_of(Quantity { ware, pieces });
            let here = parts.iter().filter(|part| (part.product, part.variant) == place);
            here.map(|part| part.pieces).fold(0, i64::saturating_add)
        };
        let mut askers: Vec<Quantity> = Vec::new();
        for asked in self.wanted.iter().filter(|asked| takes(asked.ware, 1) > 0) {
            match askers.iter_mut().find(|known| known.ware == asked.ware) {
                Some(known) => known.pieces = known.pieces.saturating_add(asked.pieces),
                None => askers.push(*asked),
            }
        }
        askers.sort_by_key(|asked| as_package(asked.ware).is_some());
        let itself = Ware::Product(place.0);
        let fallback = place.1.map_or(itself, |variant| Ware::Variant(place.0, variant));
        let Some(mut left) = available else {
            return StockError::NotOffered(askers.first().map_or(fallback, |asked| asked.ware));
        };
        let mut refused = StockError::NotOffered(fallback);
        for Quantity { ware, pieces: requested } in askers {
            let possible = (left / takes(ware, 1)).max(0);
            // More can have come in since the shelf was found short.
            let available = possible.min(requested.saturating_sub(1));
            refused = StockError::Insufficient { ware, available, requested };
            if possible < requested {
                break;
            }
            left = left.saturating_sub(takes(ware, requested));
        }
        refused
    }
}

/// The pieces of each shelf together, by product and variant: whoever takes rows in this order cannot deadlock.
fn in_order(mut pieces: Vec<Part>) -> Result<Vec<Part>, DatabaseError> {
    pieces.sort_by_key(|part| (part.product, part.variant));
    let mut sorted: Vec<Part> = Vec::with_capacity(pieces.len());
    for part in pieces {
        if part.pieces <= 0 {
            return Err(DatabaseError::Defect(format!("{} pieces of stock cannot move", part.pieces)));
        }
        match sorted.last_mut() {
            Some(last) if (last.product, last.variant) == (part.product, part.variant) => {
                last.pieces = last.pieces.saturating_add(part.pieces);
            }
            _ => sorted.push(part),
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use stoa_kernel::Id;

    use super::*;

    fn id<K>(number: u128) -> Id<K> {
        format!("{number:032x}").parse().unwrap()
    }

    fn part(product: u128, variant: Option<u128>, pieces: i64) -> Part {
        Part { product: id(product), variant: variant.map(id), pieces }
    }

    fn item(product: u128, quantity: i64) -> PackageItem {
        PackageItem { product_id: id(product), variant_id: None, quantity }
    }

    fn asked(ware: Ware, pieces: i64) -> Quantity {
        Quantity { ware, pieces }
    }

    fn told(wanted: &[Quantity], recipes: &Recipes, available: Option<i64>) -> String {
        Demand { wanted, recipes }.refused((id(1), None), available).to_string()
    }

    #[test]
    fn pieces_move_in_the_order_of_ids_each_shelf_once() {
        let moved = in_order(vec![
            part(9, Some(2), 1),
            part(2, None, 3),
            part(9, None, 7),
            part(9, Some(1), 5),
            part(9, Some(2), 4),
        ]);
        let sorted = [part(2, None, 3), part(9, None, 7), part(9, Some(1), 5), part(9, Some(2), 5)];
        assert_eq!(moved.unwrap(), sorted);
        assert!(in_order(vec![part(1, None, 0)]).is_err() && in_order(vec![part(1, None, -2)]).is_err());
    }

    #[test]
    fn packages_are_unpacked_for_as_many_as_are_wanted() {
        let recipes = Recipes::from([(id(5), vec![item(1, 2), item(2, 1)])]);
        let wanted =
            [asked(Ware::Package(id(5)), 3), asked(Ware::Product(id(1)), 1), asked(Ware::Package(id(5)), 1)];
        let demand = Demand { wanted: &wanted, recipes: &recipes };
        assert_eq!(in_order(demand.parts()).unwrap(), [part(1, None, 9), part(2, None, 4)]);
        let unpacked = demand.unpacked().unwrap();
        assert_eq!(unpacked, [Unpacked { package: id(5), parts: vec![part(1, None, 8), part(2, None, 4)] }]);
    }

    #[test]
    fn the_one_that_goes_empty_is_told_how_many_there_could_have_been() {
        let recipes = Recipes::from([(id(5), vec![item(1, 2)]), (id(6), vec![item(1, 1), item(2, 1)])]);
        let (lamp, pair, set) = (Ware::Product(id(1)), Ware::Package(id(5)), Ware::Package(id(6)));
        let both = [asked(pair, 2), asked(lamp, 3)];
        assert_eq!(
            told(&both, &recipes, Some(2)),
            StockError::Insufficient { ware: lamp, available: 2, requested: 3 }.to_string()
        );
        assert_eq!(
            told(&both, &recipes, Some(6)),
            StockError::Insufficient { ware: pair, available: 1, requested: 2 }.to_string()
        );
        let sets = [asked(set, 2), asked(pair, 1)];
        assert_eq!(
            told(&sets, &recipes, Some(3)),
            StockError::Insufficient { ware: pair, available: 0, requested: 1 }.to_string()
        );
        // Somebody brought pieces back in between.
        assert_eq!(
            told(&sets, &recipes, Some(9)),
            StockError::Insufficient { ware: pair, available: 0, requested: 1 }.to_string()
        );
        assert_eq!(told(&sets, &recipes, None), StockError::NotOffered(set).to_string());
        assert_eq!(told(&both, &recipes, None), StockError::NotOffered(lamp).to_string());
    }
}
