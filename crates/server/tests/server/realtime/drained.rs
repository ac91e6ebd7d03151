//! A server that is told to stop lets its clients go over some seconds, and they come back by themselves to the next one.

use stoa_platform::database::Engine;

use super::{cast, script::Script};
use crate::{
    crash::on,
    node::{Home, tell},
};

const CLIENTS: usize = 40;
const ROOMS: usize = 4;

async fn are_let_go(engine: Engine, protocol: &str) {
    let home = Home::new(engine);
    let mut node = home.start().await;
    let cast = cast::of_many(&home, CLIENTS, ROOMS).await;
    let mut script = Script::start("drained.mjs", &[protocol], &home, &cast);
    script.says(|line| line == "ready").await;
    node.is_told_to_stop();
    assert!(node.ends().await.success(), "{}", node.last_words());
    let _next = home.start().await;
    script.hears("over");
    for line in script.ends().await {
        tell(&line);
    }
}

macro_rules! drained {
    ($($name:ident: $protocol:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                on(Engine::Sqlite, are_let_go(Engine::Sqlite, $protocol));
            }

            #[test]
            fn postgres() {
                on(Engine::Postgres, are_let_go(Engine::Postgres, $protocol));
            }
        })+
    };
}

drained! {
    socket_io_clients: "socketio";
    plain_websockets: "ws";
}
