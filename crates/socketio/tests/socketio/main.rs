//! The server over real sockets: every rule of both protocols, what breaks them, and the official client.
#![cfg(test)]

mod abuse;
mod acks;
mod app;
mod connecting;
mod delivery;
mod draining;
mod engine;
mod events;
mod heartbeat;
mod limits;
mod official_client;
mod plain_websocket;
mod polling;
mod recovery;
mod serve;
mod upgrade;
mod websocket_client;
