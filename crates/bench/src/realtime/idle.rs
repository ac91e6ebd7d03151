//! Sockets that are only there: how fast they come, and the memory they take.

use std::time::{Duration, Instant};

use super::{Column, Stage, crowd::Crowd};
use crate::failure::Failure;

/// Until what came with a start, or with the last of them, is done.
const SETTLING: Duration = Duration::from_secs(3);
/// They come first, so that what the first of all need is not counted.
const FIRST: usize = 50;
/// Files that a process has open besides its sockets.
const OTHER_FILES: usize = 200;

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Column<'_>) -> Result<(), Failure> {
    for wanted in &stage.sizes.sockets {
        let sockets = (*wanted).min(open_files()?.saturating_sub(OTHER_FILES));
        let server = stage.contender.start().await?;
        let (door, people) = (stage.door(&server), &stage.contender.people);
        let first = Crowd::gather(door, people, FIRST, Vec::new()).await?;
        tokio::time::sleep(SETTLING).await;
        let before = server.memory()?;
        let (begun, cpu) = (Instant::now(), server.cpu()?);
        let crowd = Crowd::gather(door, people, sockets, Vec::new()).await?;
        let (wall, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
        tokio::time::sleep(SETTLING).await;
        let grown = (server.memory()? - before) * 1_024.0;
        drop((first, crowd));
        let count = u32::try_from(sockets)?;
        let rate = f64::from(count) / wall.as_secs_f64();
        let short = if sockets < *wanted { " (no more files allowed)" } else { "" };
        table.add(
            format!("{sockets} sockets come and sign in{short}"),
            format!("{rate:.0}/s, {:.0?} CPU each", cpu / count),
            "≥ 8,000/s",
        );
        table.add(
            format!("memory of each of {sockets} idle sockets"),
            format!("{:.1} KiB", grown / f64::from(count)),
            "≤ 10 KiB",
        );
    }
    Ok(())
}

/// How many files this process may have open, and so the servers that it starts.
fn open_files() -> Result<usize, Failure> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    Ok(line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX))
}
