//! Saying something that is kept before it is answered: over REST, over sockets, in one room and in one each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Column, Stage, contender,
    crowd::CONTENT,
    frames,
    session::{Credentials, Origin, Socket},
};
use crate::{
    client::request,
    failure::Failure,
    measure::{Cost, drive, drive_each},
    server::Server,
};

const SENDERS: usize = 64;
const AIM: &str = "≤ 50 µs";

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let server = stage.contender.start().await?;
    for (what, rooms) in [("one room", 1), ("a room each", SENDERS)] {
        let rooms: Vec<_> = (0..SENDERS).map(|sender| stage.room(what_in(rooms), sender % rooms)).collect();
        if stage.is_first() {
            let cost = over_rest(stage, &server, &rooms).await?;
            table.add(format!("a message stored over REST, {SENDERS} people in {what}"), cost, AIM);
        }
        let cost = over_sockets(stage, &server, &rooms).await?;
        table.add(format!("a message stored over sockets, {SENDERS} people in {what}"), cost, AIM);
    }
    if stage.is_first() {
        let (room, reader) = (stage.room(what_in(1), 0), stage.contender.people.first());
        let page = format!("/api/messages?room={room}&limit=50");
        let page = request("GET", &page, reader.map(AsRef::as_ref), None);
        table.add("GET the last 50 messages", drive(&server, SENDERS, stage.time, page).await?, "≤ 60 µs");
    }
    Ok(())
}

fn what_in(rooms: usize) -> &'static str {
    if rooms == 1 { "together" } else { "alone" }
}

async fn over_rest(stage: &Stage<'_>, server: &Server, rooms: &[String]) -> Result<Cost, Failure> {
    let mut sends = Vec::new();
    for (room, token) in rooms.iter().zip(stage.contender.people.iter().cycle()) {
        contender::enter(server.address, token, room).await?;
        let said = json!({"room": room, "content": CONTENT});
        sends.push(Arc::new(request("POST", "/api/messages", Some(token), Some(&said))));
    }
    drive_each(server, sends, stage.time, 201).await
}

async fn over_sockets(stage: &Stage<'_>, server: &Server, rooms: &[String]) -> Result<Cost, Failure> {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for (room, token) in rooms.iter().zip(stage.contender.people.iter().cycle()) {
        let mut socket = Socket::open(stage.door(server), Origin::default(), Credentials::of(token)).await?;
        socket.join(room).await?;
        let frame = frames::text(&stage.dialect.say(room, CONTENT, true))?;
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                socket.say(&frame).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(())
        });
    }
    tokio::time::sleep(stage.time / 4).await;
    let (begun, cpu, before) = (Instant::now(), server.cpu()?, done.load(Ordering::Relaxed));
    tokio::time::sleep(stage.time).await;
    let cost = Cost {
        requests: done.load(Ordering::Relaxed) - before,
        wall: begun.elapsed(),
        cpu: server.cpu()?.saturating_sub(cpu),
    };
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(cost)
}
