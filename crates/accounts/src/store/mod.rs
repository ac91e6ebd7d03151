//! All of the domain's SQL, a file for each kind of thing.

pub(crate) mod audit;
pub(crate) mod failures;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod users;
pub(crate) mod verifications;

#[cfg(test)]
pub(crate) mod testing;
