//! Stoa as a library: settings, wiring and the running node. The binary `stoa` is a thin command line over it, and an
//! embedder starts from the same parts.
//!
//! The only crate that knows every other.

pub mod acme;
mod agreement;
pub mod app;
pub mod commands;
pub mod health;
mod insight;
mod logging;
pub mod secrets;
pub mod serve;
pub mod settings;
mod start_page;
pub mod tls;
mod warming;
mod ways;
pub mod wiring;

pub use app::{App, StartError};
pub use insight::InsightSettings;
pub use settings::{Settings, StorageSettings};
