//! From saying something to hearing it at another socket: stored, put into the log, and delivered.

use std::time::{Duration, Instant};

use super::{
    Column, Stage,
    crowd::CONTENT,
    dialect::Heard,
    frames,
    latencies::{Percentiles, Stamps},
    session::{Credentials, Origin, Socket},
};
use crate::failure::Failure;

const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let server = stage.contender.start().await?;
    let [Some(sayer), Some(hearer)] = [0, 1].map(|number| stage.contender.people.get(number)) else {
        return Err(Failure::new("it takes two people to talk"));
    };
    let room = stage.room("latency", 0);
    let open = |token| Socket::open(stage.door(&server), Origin::default(), Credentials::of(token));
    let (mut sayer, mut hearer) = (open(sayer).await?, open(hearer).await?);
    sayer.join(&room).await?;
    hearer.join(&room).await?;
    let (stamps, mut latencies) = (Stamps::begin(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < stage.time {
        let said = frames::text(&stage.dialect.say(&room, &stamps.stamped(CONTENT), true))?;
        let hear = async {
            hearer.until(Heard::Message).await?;
            Ok(stamps.since(hearer.payload()))
        };
        let ((), latency) = tokio::try_join!(sayer.say(&said), hear)?;
        latencies.extend(latency);
        tokio::time::sleep(PAUSE).await;
    }
    table.add("a message from one socket to another, alone", Percentiles::of(latencies)?, "");
    Ok(())
}
