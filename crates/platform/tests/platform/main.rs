//! The contracts of the platform's engines, on each of them.

mod crash;
mod database;
mod followers;
mod jobs;
mod log;
mod postgres;
mod sqlite;
mod support;
