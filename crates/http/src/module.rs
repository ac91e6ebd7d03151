//! What a domain hands to the server: everything it serves, hears and does, in one plain struct.

use axum::Router;
use stoa_platform::{
    database::Migration,
    events::Follower,
    jobs::{Handler, Schedule},
};
use utoipa_axum::router::OpenApiRouter;

/// One room of the house. An embedder's own modules are the same struct.
#[derive(Default)]
pub struct Module {
    /// Its name, as `--modules` knows it.
    pub name: &'static str,
    /// Its tables.
    pub migrations: Vec<Migration>,
    /// Its routes under `/api`, with their documentation.
    pub routes: OpenApiRouter,
    /// Its routes of the deprecated flat surface.
    pub v0_routes: Router,
    /// What it says and hears on sockets.
    pub sockets: stoa_realtime::Sockets,
    /// What it does when it hears of events.
    pub followers: Vec<Follower>,
    /// The jobs it knows how to do.
    pub job_handlers: Vec<Handler>,
    /// The jobs it wants done at times.
    pub schedules: Vec<Schedule>,
    /// Cache tags to forget when an event of another node is heard.
    pub cache_tags: Option<fn(&stoa_platform::events::StoredEvent) -> Vec<stoa_platform::cache::Tag>>,
}
