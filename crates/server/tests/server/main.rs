//! The whole server from outside: the binary's commands, its documents, and what survives its death.
#![cfg(test)]

mod commands;
mod crash;
mod node;
mod schemathesis;
mod tour;
