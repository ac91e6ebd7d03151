//! Answers to events, in both directions.

use crate::{
    app::{Seen, Stage},
    websocket_client::Websocket,
};

async fn answered(stage: &mut Stage) -> (String, String) {
    loop {
        if let Seen::Answered(answer, attachments) = stage.seen().await {
            return (answer, attachments);
        }
    }
}

#[tokio::test]
async fn a_client_gets_its_answer_under_its_id() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send(r#"42456["echo",1,"2",{"3":[false]}]"#).await;
    assert_eq!(client.text().await, r#"43456[1,"2",{"3":[false]}]"#);
    client.send("420[\"echo\"]").await;
    assert_eq!(client.text().await, "430[]");
}

#[tokio::test]
async fn an_answer_may_have_attachments() {
    let stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send(r#"451-789["echo",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[4, 5, 6]).await;
    assert_eq!(client.text().await, r#"461-789[{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.binary().await, [4, 5, 6]);
}

#[tokio::test]
async fn an_answer_never_given_is_never_sent() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    stage.connected().await;
    client.send("421[\"nobody answers\"]").await;
    stage.event("nobody answers").await;
    client.send("422[\"echo\"]").await;
    assert_eq!(client.text().await, "432[]");
}

#[tokio::test]
async fn the_server_gets_its_answer_while_its_handler_waits_for_it() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"ask\"]").await;
    assert_eq!(client.text().await, r#"421["question","why?"]"#);
    client.send("42[\"behind\"]").await;
    client.send(r#"431["because",2]"#).await;
    assert_eq!(answered(&mut stage).await.0, r#"["because",2]"#);
    stage.event("ask").await;
    stage.event("behind").await;
}

#[tokio::test]
async fn the_server_gets_attachments_with_an_answer() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"ask\"]").await;
    client.text().await;
    client.send(r#"461-1[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[9]).await;
    let (answer, attachments) = answered(&mut stage).await;
    assert_eq!((answer.as_str(), attachments.as_str()), (r#"[{"_placeholder":true,"num":0}]"#, "[[9]]"));
}

#[tokio::test]
async fn no_answer_in_time_is_an_error_and_a_late_one_is_no_fault() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"ask\",1]").await;
    client.text().await;
    assert_eq!(answered(&mut stage).await.0, "the client did not answer in time");
    client.send("431[\"late\"]").await;
    client.send("4399[\"never asked\"]").await;
    client.send("420[\"echo\"]").await;
    assert_eq!(client.text().await, "430[]");
}

#[tokio::test]
async fn a_client_that_goes_owes_nothing_more() {
    let mut stage = Stage::new().await;
    let mut client = Websocket::join(stage.address).await;
    client.send("42[\"ask\"]").await;
    client.text().await;
    drop(client);
    assert_eq!(answered(&mut stage).await.0, "the socket has gone");
}

#[tokio::test]
async fn answers_owed_are_bounded() {
    let mut stage = Stage::tuned(|builder| builder.max_awaited_acks(2)).await;
    let mut client = Websocket::join(stage.address).await;
    let socket = stage.connected().await;
    let limit = std::time::Duration::from_mins(1);
    let asked: Vec<_> = (0..2)
        .map(|_| {
            let socket = socket.clone();
            tokio::spawn(async move { socket.emit_with_ack("question", &(), limit).await })
        })
        .collect();
    client.text().await;
    client.text().await;
    let third = socket.emit_with_ack("question", &(), limit).await;
    assert!(matches!(third, Err(stoa_socketio::AckError::TooMany)));
    client.send("431[]").await;
    client.send("432[]").await;
    for one in asked {
        one.await.unwrap().unwrap();
    }
}
