//! Whole conversations: signing in, talking, seeing each other, shopping, mistakes, coming back.

use stoa_platform::database::Engine;
use stoa_testing::json;

use super::{cast, script::Script};
use crate::{crash::on, node::Home};

async fn plays(engine: Engine, script: &str, arguments: &[&str]) {
    let home = Home::new(engine);
    home.make_admin();
    let _node = home.start().await;
    let cast = cast::of_two(&home).await;
    Script::start(script, arguments, &home, &cast).ends().await;
}

/// Guests are the same on every engine: nothing of theirs is kept.
async fn guests(home: Home, door: &str) {
    let _node = home.start().await;
    Script::start("conversation_lobby.mjs", &[door], &home, &json!({"people": []})).ends().await;
}

#[tokio::test]
async fn guests_in_the_lobby() {
    guests(Home::new(Engine::Sqlite).with("STOA_GUESTS", "true"), "open").await;
    guests(Home::new(Engine::Sqlite), "closed").await;
}

macro_rules! conversations {
    ($($name:ident: $script:literal $($argument:literal)?;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                on(Engine::Sqlite, plays(Engine::Sqlite, $script, &[$($argument)?]));
            }

            #[test]
            fn postgres() {
                on(Engine::Postgres, plays(Engine::Postgres, $script, &[$($argument)?]));
            }
        })+
    };
}

conversations! {
    socket_io_client_over_websocket: "conversation.mjs" "websocket";
    socket_io_client_over_polling: "conversation.mjs" "polling";
    socket_io_client_with_upgrade: "conversation.mjs" "upgrade";
    plain_websocket: "conversation_ws.mjs";
    python_socketio: "conversation.py";
}
