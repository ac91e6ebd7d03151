//! The examples under `examples/realtime`, as a newcomer runs them: they talk with each other, follow an order, and lose
//! nothing over a restart.

use std::{os::unix::fs::symlink, path::Path, process::Command};

use stoa_platform::database::Engine;
use stoa_testing::json;
use tempfile::TempDir;

use super::script::{Script, node_modules, python, root};
use crate::{crash::on, node::Home};

/// An example beside the packages that it names.
struct Example {
    folder: TempDir,
    is_python: bool,
}

impl Example {
    fn of(name: &str) -> Self {
        let (folder, source) = (tempfile::tempdir().unwrap(), root().join("examples/realtime").join(name));
        for file in std::fs::read_dir(&source).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        symlink(node_modules(), folder.path().join("node_modules")).unwrap();
        let is_python = folder.path().join("talk.py").exists();
        Self { folder, is_python }
    }

    /// Starts it as somebody, and waits until they are in.
    async fn start(&self, home: &Home, who: &str) -> Script {
        let script: &Path = if self.is_python { "talk.py".as_ref() } else { "talk.mjs".as_ref() };
        let mut command = if self.is_python { Command::new(python()) } else { Command::new("node") };
        command.arg(script).arg(who).current_dir(self.folder.path()).env("STOA", home.address());
        let mut script = Script::of(command);
        script.says(|line| line == "* you are in tea-lovers").await;
        script
    }
}

async fn plays(engine: Engine, name: &str) {
    let home = Home::new(engine);
    home.make_admin();
    let node = home.start().await;
    let admin = home.admin().await;
    let tea = json!({
        "name": "Tea", "description": "Leaves", "price": 4.35, "stock": 9, "category": "tea", "status": "ACTIVE",
    });
    let product = admin.post("/api/products", tea).await.expect(201).id();
    let (example, friend) = (Example::of(name), Example::of("socketio-client"));
    let mut ada = example.start(&home, "ada").await;
    let mut bob = friend.start(&home, "bob").await;

    ada.hears("Is there tea?");
    bob.says(|line| line == "ada: Is there tea?").await;
    bob.hears("There is.");
    ada.says(|line| line == "bob: There is.").await;

    ada.hears("/buy");
    let bought = ada.says(|line| line.starts_with("* you bought Tea; order ")).await;
    let order = bought.split(' ').nth(5).unwrap().to_owned();
    ada.hears(&format!("/stock {product}"));
    ada.says(|line| line == "* there are 8").await;
    let path = format!("/api/orders/{order}/status");
    admin.patch(&path, json!({"status": "processing"})).await.expect(200);
    ada.says(|line| line == format!("* order {order} is processing")).await;

    node.kill();
    ada.says(|line| line == "* the line is gone").await;
    ada.hears("Are you still there?");
    let _node = home.start().await;
    bob.says(|line| line == "* back, nothing is lost").await;
    bob.says(|line| line == "ada: Are you still there?").await;
    // What is subscribed to has come back with its owner.
    let change = json!({"quantityChange": 5});
    admin.patch(&format!("/api/products/{product}/stock"), change).await.expect(200);
    ada.says(|line| line == format!("* 13 of {product} are left")).await;
}

macro_rules! examples {
    ($($name:ident: $folder:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                on(Engine::Sqlite, plays(Engine::Sqlite, $folder));
            }

            #[test]
            fn postgres() {
                on(Engine::Postgres, plays(Engine::Postgres, $folder));
            }
        })+
    };
}

examples! {
    socket_io_client: "socketio-client";
    ws: "ws";
    python: "python";
}
