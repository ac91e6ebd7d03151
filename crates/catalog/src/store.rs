//! All of the catalogue's SQL.

pub(crate) mod categories;
pub(crate) mod pages;
pub(crate) mod products;
pub(crate) mod stock;

#[cfg(test)]
mod tests;
