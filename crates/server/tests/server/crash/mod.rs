//! What survives SIGKILL: the real binary is killed in the middle of shoppers' orders, at named places and at random
//! moments, and started again on what it left. Then the books must balance.

mod books;
mod checks;
mod failpoints;
mod files;
mod moments;
mod shop;
mod shoppers;

use stoa_platform::{database::Engine, testing::engines_under_test};

/// Runs the body of a test when its engine is asked for.
pub(crate) fn on(engine: Engine, body: impl Future<Output = ()>) {
    if engines_under_test().contains(&engine) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(body);
    }
}
