//! A whole Stoa for tests: real HTTP on a free port, a database of its own, and time that moves only when told.
//!
//! ```text
//! stoa_testing::each_engine! {
//!     async fn a_shopper_fills_a_cart(app: TestApp) {
//!         let bob = app.shopper("bob").await;
//!         let tea = app.product("9.90", 5).await;
//!         bob.post("/api/cart/items", json!({"productId": tea, "quantity": 2})).await.expect(200);
//!     }
//! }
//! ```
//!
//! A dev-dependency only; it panics where a test must fail.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test's tools fail by panicking"
)]

mod another_node;
mod answer;
mod app;
mod client;
mod form;
mod live;

pub use another_node::AnotherNode;
pub use answer::Answer;
pub use app::{Change, TestApp, at_once, bucket};
pub use client::Client;
pub use form::Form;
pub use live::{Heard, Live, NotLetIn};
pub use reqwest::Method;
pub use serde_json::{Value, json};

/// The moment at which every test begins: 2026-01-15 12:00 UTC.
pub const START: stoa_kernel::Timestamp = stoa_kernel::Timestamp::from_seconds(1_768_478_400);
/// The password of everybody.
pub const PASSWORD: &str = "Corr3ct-Horse-Battery";

/// Makes of each test two, `<name>::sqlite` and `<name>::postgres`, each with a node of its own. After the body the
/// node must have nothing left to do: no dead job, no parked event.
///
/// `async fn name(app: TestApp)` or, with other settings, `async fn name(app: TestApp, |settings| …)`.
#[macro_export]
macro_rules! each_engine {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp $(, $change:expr)?) $body:block)+) => {
        $($(#[$meta])* mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            async fn body($app: &$crate::TestApp) $body

            fn run(engine: $crate::Engine) {
                #[allow(unused_mut, unused_assignments, reason = "most tests keep the usual settings")]
                let mut change: $crate::Change = |_| {};
                $(change = $change;)?
                $crate::run_on(engine, change, |app| Box::pin(body(app)));
            }

            #[test]
            fn sqlite() {
                run($crate::Engine::Sqlite);
            }

            #[test]
            fn postgres() {
                run($crate::Engine::Postgres);
            }
        })+
    };
}

pub use stoa_platform::database::Engine;

/// What [`each_engine!`] calls.
#[doc(hidden)]
pub fn run_on(
    engine: Engine,
    change: Change,
    body: impl for<'a> FnOnce(&'a TestApp) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>,
) {
    let migrations = stoa_server::wiring::migrations();
    stoa_platform::testing::on_engine(engine, &migrations, |database| async move {
        let app = TestApp::start(database, change).await;
        body(&app).await;
        app.finish().await;
    });
}
