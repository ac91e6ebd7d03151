//! Searching in a small shop and in a large one: what a search costs, and how long the slowest of a hundred take.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Arguments,
    client::{Connection, request},
    failure::Failure,
    scenarios::Report,
    server::Server,
};

const CONNECTIONS: usize = 8;

/// What is searched for, in the demo shop.
const QUESTIONS: [(&str, &str); 6] = [
    ("a rare word", "search?q=doll"),
    ("a rare product", "search?q=harbour+leather+radio+no+12"),
    ("a common word", "search?q=harbour"),
    ("two common words", "search?q=leather+boots"),
    ("a prefix", "search?q=har"),
    ("a typo", "search?q=harbuor"),
];

/// Lists that are filtered by words.
const FILTERS: [(&str, &str); 2] = [
    ("list filtered by a rare word", "?search=doll&sortBy=price"),
    ("list filtered by a common word", "?search=harbour&sortBy=price"),
];

pub(crate) async fn search(
    arguments: &Arguments,
    (name, data): (&str, &Path),
    report: &mut Report,
) -> Result<(), Failure> {
    let server = Server::start(&arguments.binary, data, &[("STOA_CACHE", "off")]).await?;
    for (what, path) in QUESTIONS.iter().chain(&FILTERS) {
        let separator = if path.starts_with('?') { "" } else { "/" };
        let asked = request("GET", &format!("/api/products{separator}{path}"), None, None);
        let figure = measured(&server, Duration::from_secs(arguments.seconds), asked).await?;
        report.add(format!("{what}, {name} products"), figure, "");
    }
    Ok(())
}

/// CPU of the server per request, requests per second, and the latency that 99 of 100 stay below.
async fn measured(server: &Server, time: Duration, asked: Vec<u8>) -> Result<String, Failure> {
    let asked = Arc::new(asked);
    let end = Instant::now() + time;
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (asked, mut connection) = (Arc::clone(&asked), Connection::open(server.address).await?);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let sent = Instant::now();
                connection.send(&asked).await?.expect(200)?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, Failure>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let (wall, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    latencies.sort_unstable();
    let count = u32::try_from(latencies.len().max(1)).unwrap_or(u32::MAX);
    let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    Ok(format!(
        "{:.0?} CPU, {:.0}/s, p99 {p99:.1?} at {CONNECTIONS} connections",
        cpu / count,
        f64::from(count) / wall.as_secs_f64()
    ))
}
