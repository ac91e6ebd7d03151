//! Live updates from outside: official clients in Node and Python against the real binary, over whole conversations and
//! through its death.

mod cast;
mod conversations;
mod documentation;
mod drained;
mod examples;
mod nodes;
pub(crate) mod script;
mod survivors;
