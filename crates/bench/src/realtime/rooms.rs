//! Being told in a room: a large one at full speed and in peace, and many small ones.

use super::{
    Column, Stage,
    crowd::{CONTENT, Crowd, Speech},
    latencies::Percentiles,
};
use crate::failure::Failure;

const SMALL_ROOMS: usize = 50;
const IN_A_SMALL_ROOM: usize = 10;
const ON_THE_WAY: u64 = 64;
const PER_SECOND: u32 = 20;

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    let (members, people) = (stage.sizes.members, &stage.contender.people);
    let server = stage.contender.start().await?;
    let door = stage.door(&server);
    let speech = Speech { content: CONTENT.to_owned(), on_the_way: ON_THE_WAY };

    let mut room = Crowd::gather(door, people, members, vec![stage.room("large", 0)]).await?;
    let cost = room.at_full_speed(&server, stage.time, &speech).await?;
    let aim = "≤ 1.1 µs";
    table.add(format!("a delivery in a room of {members}, at full speed"), cost, aim);
    let (cost, latencies) = room.in_peace(&server, stage.time, PER_SECOND).await?;
    let latencies = Percentiles::of(latencies)?;
    let what = format!("the same at {PER_SECOND} messages a second");
    table.add(what, format!("{cost}, {latencies}"), "≤ 12 µs, p99 ≤ 10 ms");
    drop(room);

    let rooms = (0..SMALL_ROOMS).map(|number| stage.room("small", number)).collect();
    let mut rooms = Crowd::gather(door, people, SMALL_ROOMS * IN_A_SMALL_ROOM, rooms).await?;
    let cost = rooms.at_full_speed(&server, stage.time, &speech).await?;
    let what =
        format!("a delivery in {SMALL_ROOMS} rooms of {IN_A_SMALL_ROOM}, at full speed, storing included");
    table.add(what, cost, "");
    Ok(())
}
