//! What must hold between domains, which know nothing of each other's tables: each is asked for its side.

use stoa_platform::{
    database::{Connection, DatabaseError},
    verify::Check,
};

/// The checks between catalogue and ordering.
pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("stock-of-orders", "What left the shelves is what orders hold.", |connection, _| {
            shelves_and_orders(connection)
        }),
        Check::new("offers-of-orders", "Offers count the orders that used them.", |connection, _| {
            offers_and_orders(connection)
        }),
    ]
}

fn shelves_and_orders(connection: &mut Connection<'_>) -> Result<Vec<String>, DatabaseError> {
    let mut held = stoa_ordering::verify::held_pieces(connection)?;
    let sold = stoa_catalog::verify::sold_pieces(connection)?;
    let mut told: Vec<String> = sold
        .into_iter()
        .filter_map(|((product, variant), sold)| {
            let held = held.remove(&(product, variant)).unwrap_or(0);
            let shelf = variant.map_or_else(String::new, |variant| format!("variant {variant} of "));
            (sold != held)
                .then(|| format!("of {shelf}product {product} {sold} pieces were taken, orders hold {held}"))
        })
        .collect();
    told.sort_unstable();
    Ok(told)
}

fn offers_and_orders(connection: &mut Connection<'_>) -> Result<Vec<String>, DatabaseError> {
    let held = stoa_ordering::verify::held_offers(connection)?;
    let mut told: Vec<String> = stoa_catalog::verify::offer_uses(connection)?
        .into_iter()
        .filter_map(|(offer, uses)| {
            let of_orders = held.get(&offer).cloned().unwrap_or(0..=0);
            let wrong = !of_orders.contains(&uses);
            wrong.then(|| format!("offer {offer} says {uses} uses, orders have {of_orders:?}"))
        })
        .collect();
    told.sort_unstable();
    Ok(told)
}
