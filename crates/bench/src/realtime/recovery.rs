//! Coming back: one that missed much, and many at once after the server was killed and started again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use super::{
    Column, Door, Stage, contender,
    crowd::CONTENT,
    dialect::Heard,
    frames,
    session::{Credentials, Origin, Session, Socket},
};
use crate::{
    client::{Connection, request},
    failure::Failure,
};

/// Of those who come back together, so many share a room.
const IN_A_ROOM: usize = 100;
/// They speak in turn, so that none speaks more often than a socket may.
const SAYERS: usize = 8;

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    alone(stage, table).await?;
    // What the peer remembers of its sockets is gone with its process.
    if stage.contender.is_stoa() { together(stage, table).await } else { Ok(()) }
}

async fn alone(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let (server, room) = (stage.contender.start_with_recovery().await?, stage.room("recovery", 0));
    let Some((hearer, sayers)) = stage.contender.people.split_first() else {
        return Err(Failure::new("nobody is there"));
    };
    let (door, missed) = (stage.door(&server), stage.sizes.missed);
    let mut hearing = Socket::open(door, Origin::default(), Credentials::of(hearer)).await?;
    hearing.join(&room).await?;
    let mut speaking = Vec::new();
    for sayer in sayers.iter().take(SAYERS) {
        let mut socket = Socket::open(door, Origin::default(), Credentials::of(sayer)).await?;
        socket.join(&room).await?;
        speaking.push(socket);
    }
    let say = frames::text(&stage.dialect.say(&room, CONTENT, true))?;
    speaking.first_mut().ok_or_else(|| Failure::new("it takes two people to talk"))?.say(&say).await?;
    hearing.until(Heard::Message).await?;
    hearing.remember_place();
    let session = hearing.session.clone();
    drop(hearing);
    let mut said = 0;
    while said < missed {
        for socket in &mut speaking {
            socket.say(&say).await?;
            said += 1;
        }
    }
    let begun = Instant::now();
    come_back(door, hearer, &session, said).await?;
    table.add(
        format!("one that missed {said} messages has them after"),
        format!("{:.0?}", begun.elapsed()),
        "",
    );
    Ok(())
}

/// Comes back and hears what was missed.
async fn come_back(door: Door, token: &str, session: &Session, missed: u64) -> Result<Socket, Failure> {
    let credentials = Credentials { token, resumed: Some(session) };
    let mut socket = Socket::open(door, Origin::default(), credentials).await?;
    if !socket.session.recovered {
        return Err(Failure::new("a socket came back and was not recovered"));
    }
    while socket.missed < missed {
        socket.until(Heard::Message).await?;
        socket.missed += 1;
    }
    Ok(socket)
}

async fn together(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let server = stage.contender.start_with_recovery().await?;
    let count = stage.sizes.returning;
    let rooms: Vec<_> =
        (0..count.div_ceil(IN_A_ROOM)).map(|number| stage.room("returning", number)).collect();
    let people = &stage.contender.people;
    let mut sockets = Vec::with_capacity(count);
    for (token, room) in people.iter().cycle().zip(rooms.iter().cycle()).take(count) {
        let mut socket = Socket::open(stage.door(&server), Origin::default(), Credentials::of(token)).await?;
        socket.join(room).await?;
        sockets.push((Arc::clone(token), socket));
    }
    let killed = Instant::now();
    drop(server);
    let sessions = sockets.into_iter().map(|(token, socket)| (token, socket.session)).collect();
    let server = stage.contender.start_with_recovery().await?;
    let ready = killed.elapsed();
    speak_in_each(stage, server.address, &rooms).await?;
    let all = return_at_once(stage.door(&server), sessions).await?;
    table.add(
        format!("{count} that come back at once after a kill, each with a message missed"),
        format!("{all:.1?}, {ready:.1?} after the kill the server was ready"),
        "",
    );
    Ok(())
}

async fn speak_in_each(
    stage: &Stage<'_>,
    address: std::net::SocketAddr,
    rooms: &[String],
) -> Result<(), Failure> {
    let sayer = stage.contender.people.first().ok_or_else(|| Failure::new("nobody is there"))?;
    let mut connection = Connection::open(address).await?;
    for room in rooms {
        contender::enter(address, sayer, room).await?;
        let said = json!({"room": room, "content": CONTENT});
        connection.send(&request("POST", "/api/messages", Some(sayer), Some(&said))).await?.expect(201)?;
    }
    Ok(())
}

/// How long it takes until all are back and have heard what they missed.
async fn return_at_once(door: Door, sessions: Vec<(Arc<str>, Session)>) -> Result<Duration, Failure> {
    let (start, mut tasks) = (Arc::new(Barrier::new(sessions.len() + 1)), JoinSet::new());
    for (token, session) in sessions {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            come_back(door, &token, &session, 1).await
        });
    }
    start.wait().await;
    let (begun, mut back) = (Instant::now(), Vec::new());
    while let Some(socket) = tasks.join_next().await {
        back.push(socket??);
    }
    Ok(begun.elapsed())
}
