//! Nothing that was acknowledged is lost, and nothing is heard twice or out of order, however often the node is killed and
//! wherever lines break.

use std::{env, time::Duration};

use stoa_kernel::Random;
use stoa_platform::database::Engine;

use super::{cast, script::Script};
use crate::{
    crash::on,
    node::{Home, tell},
};

/// For how long a node lives before it is killed, in milliseconds.
const SHORTEST: u64 = 300;
const LONGEST: u64 = 2_500;

/// How many clients in how many rooms, and how often they are in trouble: `STOA_TEST_SURVIVORS=300/30/10`.
struct Size {
    clients: usize,
    rooms: usize,
    troubles: usize,
}

impl Size {
    /// As the environment says, or `usual`, or what the long form of the suite takes.
    fn wanted(usual: &str) -> Self {
        let usual = if env::var_os("STOA_SOAK").is_some() { "300/30/10" } else { usual };
        let wanted = env::var("STOA_TEST_SURVIVORS").unwrap_or_else(|_| usual.to_owned());
        let numbers: Vec<usize> = wanted.split('/').map(|number| number.parse().unwrap()).collect();
        let [clients, rooms, troubles] = numbers[..] else {
            panic!("STOA_TEST_SURVIVORS is not a/b/c: {wanted}")
        };
        Self { clients, rooms, troubles }
    }
}

async fn survive_kills(engine: Engine, protocol: &str) {
    let (size, random) = (Size::wanted("60/10/4"), Random::system());
    let home = Home::new(engine);
    let mut node = home.start().await;
    let cast = cast::of_many(&home, size.clients, size.rooms).await;
    let mut script = Script::start("survivors.mjs", &[protocol, "kills"], &home, &cast);
    script.says(|line| line == "ready").await;
    for _ in 0..size.troubles {
        tokio::time::sleep(Duration::from_millis(SHORTEST + random.below(LONGEST - SHORTEST))).await;
        node.kill();
        node = home.start().await;
    }
    script.hears("stop");
    all_is_well(&home, script).await;
}

async fn survive_cuts(engine: Engine, protocol: &str) {
    // Lines break at any byte of a handshake too, after which some clients wait for a heartbeat.
    let size = Size::wanted("40/8/2");
    let home = Home::new(engine);
    let _node = home.start().await;
    let mut cast = cast::of_many(&home, size.clients, size.rooms).await;
    cast["returns"] = size.troubles.into();
    let script = Script::start("survivors.mjs", &[protocol, "cuts"], &home, &cast);
    all_is_well(&home, script).await;
}

/// The clients find everything as it should be, and so does the product's own check.
async fn all_is_well(home: &Home, script: Script) {
    for line in script.ends().await {
        tell(&line);
    }
    let (is_clean, findings) = home.tries(&["verify"]);
    assert!(is_clean, "stoa verify\n{findings}");
}

macro_rules! survivals {
    ($($name:ident: $survive:ident $protocol:literal;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                on(Engine::Sqlite, $survive(Engine::Sqlite, $protocol));
            }

            #[test]
            fn postgres() {
                on(Engine::Postgres, $survive(Engine::Postgres, $protocol));
            }
        })+
    };
}

survivals! {
    crash_of_the_node_under_socket_io_clients: survive_kills "socketio";
    crash_of_the_node_under_plain_websockets: survive_kills "ws";
    crash_of_lines_under_socket_io_clients: survive_cuts "socketio";
    crash_of_lines_under_plain_websockets: survive_cuts "ws";
}
