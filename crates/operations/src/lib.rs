//! What operators see of the platform and may put right: the mails that were sent, their templates, and the jobs.
//!
//! No table is its own; it shows those of the platform. What could open somebody's account is shown nowhere: not the
//! body of a mail that went to another server, and not what a mail's job was told.

mod error;
mod routes;

use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_platform::{Occasion, Platform};

pub use self::error::OperationsError;

/// The module, cheap to clone.
#[derive(Clone)]
pub struct Operations(Platform);

impl Operations {
    /// Operations over a platform.
    pub fn new(platform: &Platform) -> Self {
        Self(platform.clone())
    }

    /// What it serves.
    pub fn module(&self) -> Module {
        Module { name: "operations", routes: routes::all(self.clone()), ..Module::default() }
    }

    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.0.clock, &self.0.random, actor)
    }
}
