//! The official clients, unmodified, in Node.

use std::{
    env,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use stoa_socketio::{Accepted, Packet, Reason, Socket, websocket::OutboundLimits};

use crate::{
    app::{Seen, Setup, Stage},
    plain_websocket,
    serve::patiently,
};

/// Runs a script of `clients/` to its end.
async fn node(script: &str, arguments: &[&str]) -> Output {
    let modules = env::var_os("STOA_TEST_NODE_MODULES").expect(
        "STOA_TEST_NODE_MODULES is not set: run `make suite`, or scripts/install-test-tools.sh suite and set it to \
         $STOA_TOOLS/node/node_modules",
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/socketio/clients");
    let mut command = Command::new("node");
    command.arg(folder.join(script)).args(arguments).env("NODE_PATH", modules);
    let ran = tokio::task::spawn_blocking(move || command.output());
    patiently(ran).await.unwrap().expect("node should be there: scripts/install-test-tools.sh suite says how")
}

fn lines_of(output: Output) -> String {
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{error}");
    out
}

async fn plays_the_scenario(way: &str) {
    // Room for all that the client wants back at once, however seldom it gets a turn.
    let limits = OutboundLimits { frames: 4_000, ..OutboundLimits::default() };
    let mut stage = Stage::tuned(|builder| builder.outbound(limits)).await;
    let output = node("scenario.cjs", &[&format!("http://{}", stage.address), way]).await;
    assert_eq!(lines_of(output), "played to the end\n", "{:?}", stage.observed.lock().unwrap());
    let answer = loop {
        if let Seen::Answered(answer, attachments) = stage.seen().await {
            break (answer, attachments);
        }
    };
    assert_eq!(answer, (r#"["why?",{"_placeholder":true,"num":0}]"#.to_owned(), "[[7]]".to_owned()));
}

#[tokio::test]
async fn socket_io_client_over_websocket() {
    plays_the_scenario("websocket").await;
}

#[tokio::test]
async fn socket_io_client_over_polling() {
    plays_the_scenario("polling").await;
}

#[tokio::test]
async fn socket_io_client_with_upgrade() {
    plays_the_scenario("upgrade").await;
}

#[tokio::test]
async fn ws_on_a_plain_endpoint() {
    let (address, _ended) = plain_websocket::serve_echo().await;
    let output = node("plain.cjs", &[&format!("ws://{address}/ws")]).await;
    assert_eq!(lines_of(output), "played to the end\n");
}

/// Lets everybody in as one session; who comes back gets events 8 and 9.
fn one_session() -> Setup {
    Setup {
        connect: Box::new(|connect| {
            let accepted = Accepted::new(0).pid("session");
            let Some(recovery) = connect.recovery() else { return Ok(accepted) };
            assert_eq!((recovery.pid.as_str(), recovery.offset.as_deref()), ("session", Some("7")));
            connect.socket.emit("enough", &()).unwrap();
            Ok(accepted.missed(vec![news(8), news(9)]))
        }),
        ..Setup::default()
    }
}

fn news(number: u32) -> Packet {
    Packet::event("/", "news", &(number, number.to_string())).unwrap()
}

async fn comes_back(transport: &str, lose: impl AsyncFnOnce(&Stage, &Socket), disconnected: &str) {
    let mut stage = Stage::with(one_session(), |builder| builder).await;
    let url = format!("http://{}", stage.address);
    let arguments = [url.as_str(), transport];
    let client = node("recovery.cjs", &arguments);
    let server = async {
        let socket = stage.connected().await;
        socket.send(&news(7)).unwrap();
        // Answered before the connection goes, so the client has heard what came before.
        socket.emit_with_ack("heard", &(), Duration::from_mins(1)).await.unwrap();
        lose(&stage, &socket).await;
    };
    let (output, ()) = tokio::join!(client, server);
    let lines = lines_of(output);
    let expected = [
        "connected recovered=false",
        "news [7,\"7\"]",
        "heard []",
        disconnected,
        "connected recovered=true",
        "news [8,\"8\"]",
        "news [9,\"9\"]",
        "enough []",
        "disconnected active=false io client disconnect",
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn socket_io_client_recovers_what_it_missed_over_websocket() {
    let lost = "disconnected active=true transport close";
    comes_back("websocket", async |_, socket| socket.cut(Reason::Stalled), lost).await;
}

#[tokio::test]
async fn socket_io_client_recovers_what_it_missed_over_polling() {
    let lost = "disconnected active=true transport close";
    comes_back("polling", async |_, socket| socket.cut(Reason::Stalled), lost).await;
}

#[tokio::test]
async fn socket_io_client_comes_back_by_itself_when_a_server_closes_it() {
    let lost = "disconnected active=true transport close";
    let close = async |_: &Stage, socket: &Socket| socket.close(Reason::Draining);
    comes_back("websocket", close, lost).await;
}
