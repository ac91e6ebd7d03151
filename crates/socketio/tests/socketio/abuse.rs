//! What breaks the rules of frames or of packets ends its own connection, with the right status, and nothing else.

use stoa_socketio::{Reason, Violation};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    app::Stage,
    websocket_client::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Websocket, masked},
};

const FINAL: u8 = 0x80;

/// Sends `bytes` on a connection that has joined, and expects this end; a bystander must not notice.
async fn expect(bytes: &[u8], status: u16, violation: Violation) {
    let mut stage = Stage::new().await;
    let mut bystander = Websocket::join(stage.address).await;
    let mut client = Websocket::join(stage.address).await;
    client.raw(bytes).await;
    assert_eq!(client.close_status().await, Some(status), "{violation:?}");
    assert_eq!(stage.disconnected().await, Reason::Violation(violation));
    bystander.send(r#"42["echo",1]"#).await;
    assert_eq!(bystander.text().await, r#"42["echo",1]"#);
    assert_eq!(stage.server.sessions(), 1);
}

#[tokio::test]
async fn frames_without_a_mask() {
    expect(b"\x81\x05hello", 1002, Violation::Unmasked).await;
}

#[tokio::test]
async fn reserved_opcodes_and_bits() {
    for opcode in [3, 7, 11, 15] {
        expect(&masked(FINAL | opcode, b"x"), 1002, Violation::BadFrame).await;
    }
    for bit in [0x40, 0x20, 0x10] {
        expect(&masked(FINAL | bit | TEXT, b"4x"), 1002, Violation::BadFrame).await;
    }
}

#[tokio::test]
async fn control_frames_that_are_long_or_in_fragments() {
    expect(&masked(FINAL | PING, &[0; 126]), 1002, Violation::BadFrame).await;
    expect(&masked(PING, b""), 1002, Violation::BadFrame).await;
}

#[tokio::test]
async fn fragments_out_of_order() {
    expect(&masked(FINAL | CONTINUATION, b"x"), 1002, Violation::BadFrame).await;
    let twice = [masked(TEXT, b"42"), masked(TEXT, b"x")].concat();
    expect(&twice, 1002, Violation::BadFrame).await;
}

#[tokio::test]
async fn messages_above_the_limit_are_refused_before_they_come() {
    // Only the headers are sent: the length that they announce is enough.
    let announced = [&[FINAL | BINARY, 0x80 | 0x7f][..], &65_537_u64.to_be_bytes(), &[0; 4]].concat();
    expect(&announced, 1009, Violation::TooLarge).await;
    let huge = [&[FINAL | BINARY, 0x80 | 0x7f][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    expect(&huge, 1009, Violation::TooLarge).await;
    let in_parts =
        [masked(BINARY, &vec![0; 40_000]), masked(FINAL | CONTINUATION, &vec![0; 40_000])].concat();
    expect(&in_parts, 1009, Violation::TooLarge).await;
}

#[tokio::test]
async fn a_message_of_the_limit_is_taken() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    let text = format!("42[\"echo\",\"{}\"]", "x".repeat(65_536 - 13));
    assert_eq!(text.len(), 65_536);
    client.send(&text).await;
    assert_eq!(client.text().await, text);
}

#[tokio::test]
async fn a_flood_of_fragments() {
    let mut flood = masked(TEXT, b"4");
    for _ in 0..300 {
        flood.extend(masked(CONTINUATION, b""));
    }
    expect(&flood, 1008, Violation::TooManyFragments).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8() {
    expect(&masked(FINAL | TEXT, b"42[\"\xff\"]"), 1007, Violation::BadText).await;
    let split = [masked(TEXT, b"42[\"\xe2"), masked(FINAL | CONTINUATION, b"\"]")].concat();
    expect(&split, 1007, Violation::BadText).await;
}

#[tokio::test]
async fn close_frames_that_make_no_sense() {
    expect(&masked(FINAL | CLOSE, &[1]), 1002, Violation::BadFrame).await;
    for status in [0_u16, 999, 1005, 1006, 1015] {
        expect(&masked(FINAL | CLOSE, &status.to_be_bytes()), 1002, Violation::BadFrame).await;
    }
    expect(&masked(FINAL | CLOSE, b"\x03\xe8\xff"), 1007, Violation::BadText).await;
}

#[tokio::test]
async fn packets_of_engine_io_that_only_a_server_sends() {
    for packet in ["0", "2", "2probe", "5", "6", "7", "x", "1x", ""] {
        expect(&masked(FINAL | TEXT, packet.as_bytes()), 1008, Violation::BadPacket).await;
    }
}

#[tokio::test]
async fn too_many_attachments_announced() {
    expect(&masked(FINAL | TEXT, b"4510000-[\"a\"]"), 1008, Violation::TooManyAttachments).await;
}

#[tokio::test]
async fn too_many_bytes_attached() {
    let announced = br#"452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let bytes = [
        masked(FINAL | TEXT, announced),
        masked(FINAL | BINARY, &vec![0; 40_000]),
        masked(FINAL | BINARY, &vec![0; 40_000]),
    ]
    .concat();
    expect(&bytes, 1008, Violation::TooManyAttachments).await;
}

#[tokio::test]
async fn attachments_that_do_not_come_or_were_not_announced() {
    let announced = masked(FINAL | TEXT, br#"451-["a",{"_placeholder":true,"num":0}]"#);
    let missing = [announced, masked(FINAL | TEXT, b"42[\"b\"]")].concat();
    expect(&missing, 1008, Violation::BadAttachment).await;
    expect(&masked(FINAL | BINARY, b"x"), 1008, Violation::BadAttachment).await;
    let elsewhere = masked(FINAL | TEXT, br#"451-["a",{"_placeholder":true,"num":1}]"#);
    let elsewhere = [elsewhere, masked(FINAL | BINARY, b"x")].concat();
    expect(&elsewhere, 1008, Violation::BadAttachment).await;
}

#[tokio::test]
async fn fragments_with_pings_between_them_are_one_message() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.frame(TEXT, b"42[\"echo\",").await;
    client.send_final(PING, b"are you there").await;
    assert_eq!(client.next().await, Some((PONG, b"are you there".to_vec())));
    client.frame(CONTINUATION, b"\"in parts").await;
    client.send_final(PONG, b"unasked").await;
    client.send_final(CONTINUATION, b"\"]").await;
    assert_eq!(client.text().await, r#"42["echo","in parts"]"#);
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_frames_all_the_same() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    for byte in masked(FINAL | TEXT, br#"42["echo",1]"#) {
        client.raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.text().await, r#"42["echo",1]"#);
}

#[tokio::test]
async fn a_proper_goodbye_is_answered() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send_final(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.close_status().await, Some(1000));
    assert_eq!(stage.disconnected().await, Reason::ClientClosed);
    let mut client = Websocket::join(stage.address).await;
    client.send("1").await;
    assert_eq!(client.close_status().await, Some(1000));
    assert_eq!(stage.disconnected().await, Reason::ClientClosed);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_a_lost_connection() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.raw(&masked(FINAL | TEXT, b"42[\"half")[..9]).await;
    drop(client);
    assert_eq!(stage.disconnected().await, Reason::ConnectionLost);
}

#[tokio::test]
async fn a_client_that_says_it_will_send_no_more_is_gone() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.close_status().await, None);
    assert_eq!(stage.disconnected().await, Reason::ConnectionLost);
}

#[tokio::test]
async fn no_bytes_at_all_harm_the_server() {
    let stage = Stage::new().await;
    // Every byte of a good frame, changed in every bit, one after the other.
    let good = masked(FINAL | TEXT, br#"421["echo",1]"#);
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[place] ^= 1 << bit;
            let mut client = Websocket::join(stage.address).await;
            client.raw(&changed).await;
        }
    }
    let mut client = Websocket::join(stage.address).await;
    client.raw(&good).await;
    assert_eq!(client.text().await, "431[1]");
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_costs_no_session() {
    let stage = Stage::new().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n").await.unwrap();
    drop(stream);
    Websocket::join(stage.address).await;
    assert!(stage.server.sessions() <= 1);
}
