//! One reader that stops reading while a room is spoken in at full speed.

use std::time::{Duration, Instant};

use super::{
    Column, Stage,
    crowd::{CONTENT, Crowd, Speech},
    session::{Credentials, Origin, Socket},
};
use crate::{
    client::{Connection, request},
    failure::Failure,
    server::Server,
};

/// Long messages, for the system itself keeps megabytes of what is written to a socket.
const TIMES: usize = 64;
const ON_THE_WAY: u64 = 64;
/// The system keeps little for the one that does not read, so that the server has to.
const RECEIVE_BUFFER: u32 = 4 * 1024;
const LOOKING: Duration = Duration::from_millis(100);
/// It is looked at for so many times the usual time.
const LONGER: u32 = 5;
/// How Stoa counts the sockets that have ended, and the reasons of those that it cut because they read too slowly.
const ENDED: &str = "stoa_sockets_ended_total{";
const TOO_SLOW: [&str; 2] = ["reason=\"queue_full\"", "reason=\"stalled\""];

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let (people, room) = (&stage.contender.people, stage.room("stalled", 0));
    let server = stage.contender.start().await?;
    let door = stage.door(&server);
    let mut crowd = Crowd::gather(door, people, stage.sizes.members, vec![room.clone()]).await?;
    let speech = Speech { content: CONTENT.repeat(TIMES), on_the_way: ON_THE_WAY };
    let without = crowd.at_full_speed(&server, stage.time, &speech).await?;

    let origin = Origin { receive_buffer: Some(RECEIVE_BUFFER), ..Origin::default() };
    let token = people.first().ok_or_else(|| Failure::new("nobody is there"))?;
    let mut reader = Socket::open(door, origin, Credentials::of(token)).await?;
    reader.join(&room).await?;
    let time = stage.time * LONGER;
    let (with, watched) = tokio::join!(crowd.at_full_speed(&server, time, &speech), watch(&server, time));
    let (with, watched) = (with?, watched?);
    // It was there all the time.
    drop(reader);
    table.add(
        format!("pace in a room of {} with one that stopped reading, to that without", stage.sizes.members),
        format!("{:.2} of {:.0}/s", with.rate() / without.rate(), without.rate()),
        "1.0",
    );
    let cut = watched.cut.map_or("not seen to be cut".to_owned(), |after| format!("cut after {after:.1?}"));
    table.add("the one that stopped reading", format!("{cut}, {:.1} MiB more memory", watched.grown), "cut");
    Ok(())
}

struct Watched {
    cut: Option<Duration>,
    /// By so many MiB at most.
    grown: f64,
}

async fn watch(server: &Server, time: Duration) -> Result<Watched, Failure> {
    let (begun, cut_before, memory) = (Instant::now(), cut_so_far(server).await?, server.memory()?);
    let mut watched = Watched { cut: None, grown: 0.0 };
    while begun.elapsed() < time {
        tokio::time::sleep(LOOKING).await;
        watched.grown = watched.grown.max(server.memory()? - memory);
        if watched.cut.is_none() && cut_so_far(server).await? > cut_before {
            watched.cut = Some(begun.elapsed());
        }
    }
    Ok(watched)
}

/// How many were cut so far; none where nobody counts them.
async fn cut_so_far(server: &Server) -> Result<f64, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let answer = connection.send(&request("GET", "/metrics", None, None)).await?;
    Ok(total(&String::from_utf8_lossy(&answer.body)))
}

/// Those of all kinds.
fn total(metrics: &str) -> f64 {
    metrics
        .lines()
        .filter(|line| line.starts_with(ENDED) && TOO_SLOW.iter().any(|reason| line.contains(reason)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_were_cut_are_counted_and_others_are_not() {
        let metrics = "# TYPE stoa_sockets_ended_total counter\n\
                       stoa_sockets_ended_total{end=\"socketio\",reason=\"queue_full\"} 2\n\
                       stoa_sockets_ended_total{end=\"websocket\",reason=\"stalled\"} 1\n\
                       stoa_sockets_ended_total{end=\"socketio\",reason=\"client_closed\"} 9\n\
                       stoa_sockets{end=\"socketio\"} 500\n";
        assert!((total(metrics) - 3.0).abs() < f64::EPSILON);
        assert!(total("").abs() < f64::EPSILON);
    }
}
