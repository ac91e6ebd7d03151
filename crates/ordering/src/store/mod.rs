//! All of ordering's SQL, the test provider's ledger apart.

pub(crate) mod carts;
pub(crate) mod guests;
pub(crate) mod invoices;
pub(crate) mod notices;
pub(crate) mod offers;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod refunds;
pub(crate) mod verify;
mod wares;
