//! All of ordering's SQL, the test provider's ledger apart.

pub(crate) mod carts;
pub(crate) mod orders;
pub(crate) mod payments;
