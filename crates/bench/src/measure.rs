//! Driving a server with many connections and counting what it costs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{client::Connection, failure::Failure, server::Server};

/// What a load cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl Cost {
    /// Server CPU per request in microseconds.
    pub(crate) fn micros(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.requests)
    }

    /// Requests per second.
    pub(crate) fn rate(self) -> f64 {
        count(self.requests) / self.wall.as_secs_f64()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few million are exact")]
fn count(requests: u64) -> f64 {
    requests.max(1) as f64
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} µs CPU, {:.0}/s", self.micros(), self.rate())
    }
}

/// Sends the same request over `connections` for so long, after a warm-up of a quarter of that.
pub(crate) async fn drive(
    server: &Server,
    connections: usize,
    time: Duration,
    request: Vec<u8>,
) -> Result<Cost, Failure> {
    let requests = std::iter::repeat_n(Arc::new(request), connections).collect();
    drive_each(server, requests, time, 200).await
}

/// The same with a connection for each of these requests, all of which are to be answered with `status`.
pub(crate) async fn drive_each(
    server: &Server,
    requests: Vec<Arc<Vec<u8>>>,
    time: Duration,
    status: u16,
) -> Result<Cost, Failure> {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for request in requests {
        let mut connection = Connection::open(server.address).await?;
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = connection.send(&request).await?;
                if answer.status != status {
                    return answer.expect(status).map(drop);
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(())
        }));
    }
    tokio::time::sleep(time / 4).await;
    let (begun, cpu, before) = (Instant::now(), server.cpu()?, done.load(Ordering::Relaxed));
    tokio::time::sleep(time).await;
    let cost = Cost {
        requests: done.load(Ordering::Relaxed) - before,
        wall: begun.elapsed(),
        cpu: server.cpu()?.saturating_sub(cpu),
    };
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    Ok(cost)
}
