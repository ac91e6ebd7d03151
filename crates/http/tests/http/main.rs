//! The edge from outside: a toy module behind the real edge, on both engines.
#![cfg(test)]

mod caching;
mod idempotency;
mod refusals;
mod shapes;
mod stage;
