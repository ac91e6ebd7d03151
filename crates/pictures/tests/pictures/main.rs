//! Pictures, from outside: what becomes of good ones and of bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;
