//! The whole server from outside: the binary's commands, its documents, and what survives its death.
#![cfg(test)]

mod acme;
mod commands;
mod compatibility;
mod crash;
mod insight;
mod mail;
mod node;
mod realtime;
mod redis;
mod schemathesis;
mod tls;
mod tour;
mod verify;
