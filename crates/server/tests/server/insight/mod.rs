//! What an operator sees: figures, the last minutes, slow requests, traces, the log.

mod alerts;
mod log;
mod metrics;
mod performance;
mod traces;
