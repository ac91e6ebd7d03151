//! The whole server from outside: the binary's commands, its documents, and what survives its death.
#![cfg(test)]

mod acme;
mod commands;
mod compatibility;
mod crash;
mod credentials;
mod insight;
mod mail;
mod node;
mod realtime;
mod redis;
mod schemathesis;
mod start_page;
mod storage;
mod tls;
mod tour;
mod upload_page;
mod verify;
