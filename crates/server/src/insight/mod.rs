//! What an operator sees of a node: its figures for Prometheus, what the last minutes were like, its slow requests, and
//! traces.

mod access;
mod figures;
mod performance;
mod upkeep;

use std::fmt;

use stoa_drivers::otlp::OtlpSettings;

pub(crate) use self::{
    figures::{Figures, recorder},
    performance::module,
    upkeep::Upkeep,
};

/// Who may see a node's figures, and where its traces go.
#[derive(Clone, PartialEq, Default)]
pub struct InsightSettings {
    /// Tokens that open the figures to whoever has one.
    pub tokens: Vec<String>,
    /// The collector of traces, if there is one.
    pub otlp: Option<OtlpSettings>,
}

/// Tokens are not shown.
impl fmt::Debug for InsightSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsightSettings")
            .field("tokens", &self.tokens.len())
            .field("otlp", &self.otlp)
            .finish()
    }
}
