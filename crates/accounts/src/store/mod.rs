//! All of the domain's SQL, a file for each kind of thing.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod devices;
pub(crate) mod failures;
pub(crate) mod presence;
pub(crate) mod resets;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod sync;
pub(crate) mod users;
pub(crate) mod verifications;
pub(crate) mod words;

use stoa_kernel::SortOrder;
use uuid::Uuid;

/// How a list by time is walked: what compares with the entry before, which way it is sorted, and where it begins.
fn walk(order: SortOrder) -> (&'static str, &'static str, (i64, Uuid)) {
    match order {
        SortOrder::Asc => (">", "ASC", (i64::MIN, Uuid::nil())),
        SortOrder::Desc => ("<", "DESC", (i64::MAX, Uuid::max())),
    }
}

#[cfg(test)]
pub(crate) mod testing;
