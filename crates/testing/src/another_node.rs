//! More nodes on the database of a test: what one is told must hold on the others, in time.

use stoa_kernel::Random;
use stoa_platform::{Platform, database::DatabaseConfig};
use stoa_server::App;
use tempfile::TempDir;

use crate::{
    app::{Change, TestApp, settings},
    client::Client,
};

/// A node beside a [`TestApp`], on the same database and by the same clock. SQLite is for one node, so it needs
/// PostgreSQL.
pub struct AnotherNode {
    app: App,
    _folder: TempDir,
}

impl AnotherNode {
    /// Its address, e.g. `http://127.0.0.1:4711`.
    pub fn address(&self) -> String {
        format!("http://{}", self.app.address())
    }

    /// Its engines, to look behind the surface.
    pub fn platform(&self) -> &Platform {
        self.app.platform()
    }

    /// Nobody.
    pub fn anon(&self) -> Client {
        Client::new(self.address())
    }

    /// Somebody who talked to another node, with the same credentials.
    pub fn seen_by(&self, somebody: &Client) -> Client {
        somebody.clone().at(self.address())
    }

    /// Lets its schedules look at the clock.
    pub async fn tick(&self) {
        self.app.tick().await.expect("schedules that run");
    }

    /// Ends it.
    pub async fn stop(self) {
        self.app.stop().await;
    }
}

impl TestApp {
    /// Starts another node with the settings of this one.
    pub async fn another_node(&self) -> AnotherNode {
        self.another_node_with(|_| {}).await
    }

    /// Starts another node whose settings differ from this one's.
    pub async fn another_node_with(&self, change: Change) -> AnotherNode {
        let config = self.database_config();
        assert!(matches!(config, DatabaseConfig::Postgres(_)), "SQLite is for one node");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut settings = settings(folder.path(), &self.shared);
        settings.database = config;
        (self.change)(&mut settings);
        change(&mut settings);
        let app =
            App::start(settings, self.clock.clock(), Random::system()).await.expect("a node that starts");
        AnotherNode { app, _folder: folder }
    }
}

/// Makes of each test one on PostgreSQL with two nodes on one database: `async fn name(app: TestApp, other: AnotherNode)`
/// or, with other settings for both, `async fn name(app: TestApp, other: AnotherNode, |settings| …)`.
#[macro_export]
macro_rules! two_nodes {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp, $other:ident: AnotherNode $(, $change:expr)?) $body:block)+) => {
        $($(#[$meta])* mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            async fn body($app: &$crate::TestApp, $other: &$crate::AnotherNode) $body

            #[test]
            fn postgres() {
                #[allow(unused_mut, unused_assignments, reason = "most tests keep the usual settings")]
                let mut change: $crate::Change = |_| {};
                $(change = $change;)?
                $crate::run_on($crate::Engine::Postgres, change, |app| Box::pin(async move {
                    let other = app.another_node().await;
                    body(app, &other).await;
                    other.stop().await;
                }));
            }
        })+
    };
}
