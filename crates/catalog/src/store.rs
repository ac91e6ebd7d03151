//! All of the catalogue's SQL.

pub(crate) mod categories;
pub(crate) mod imports;
pub(crate) mod many;
pub(crate) mod offers;
pub(crate) mod packages;
pub(crate) mod pages;
pub(crate) mod products;
pub(crate) mod roll;
pub(crate) mod search;
pub(crate) mod sellables;
pub(crate) mod stock;
pub(crate) mod variants;
pub(crate) mod verify;
pub(crate) mod written;

#[cfg(test)]
mod tests;
