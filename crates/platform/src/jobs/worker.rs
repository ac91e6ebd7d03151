//! Workers: each queue taken care of by one task, so many jobs of it at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use stoa_kernel::{Clock, Random};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    Handler, Schedule, StartError,
    measures::Watch,
    run::Bench,
    schedule::{install, run_schedules},
    store::Wanted,
};
use crate::database::{Database, DatabaseError, Signal};

/// How often a queue is looked at although nobody rang: jobs of other nodes and retries that come due.
const POLL: Duration = Duration::from_secs(1);

/// How many jobs run at once, and how long a worker may be silent before its jobs are given to another.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Jobs at once by queue.
    pub concurrency: BTreeMap<String, usize>,
    /// Jobs at once in queues that are not named.
    pub default_concurrency: usize,
    /// How long a job is a worker's without a sign of life; three signs are given in that time.
    pub lease: Duration,
    /// Who is told what they do.
    pub watch: Watch,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let concurrency = [("emails", 5), ("sync", 1), ("files", 2)];
        Self {
            concurrency: concurrency.map(|(queue, count)| (queue.to_owned(), count)).into(),
            default_concurrency: 4,
            lease: Duration::from_secs(30),
            watch: Watch::default(),
        }
    }
}

/// Starts workers.
pub struct Workers;

impl Workers {
    /// Starts a task for each queue that has a handler and one for the schedules, with the usual settings.
    pub async fn start(
        database: &Database,
        clock: &Clock,
        random: &Random,
        handlers: Vec<Handler>,
        schedules: Vec<Schedule>,
    ) -> Result<WorkersHandle, StartError> {
        Self::start_with(WorkerSettings::default(), database, clock, random, handlers, schedules).await
    }

    /// As [`Workers::start`], with other settings.
    pub async fn start_with(
        settings: WorkerSettings,
        database: &Database,
        clock: &Clock,
        random: &Random,
        handlers: Vec<Handler>,
        schedules: Vec<Schedule>,
    ) -> Result<WorkersHandle, StartError> {
        install(database, clock, &schedules).await?;
        let watch = settings.watch.clone();
        let bench = Bench { watch, ..bench(database, clock, random, settings.lease) };
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (queue, handlers) in by_queue(&handlers) {
            let slots =
                settings.concurrency.get(queue).copied().unwrap_or(settings.default_concurrency).max(1);
            tasks.spawn(
                QueueWorker { bench: bench.clone(), queue, handlers, slots, stop: stopped.clone() }.serve(),
            );
        }
        if !schedules.is_empty() {
            tasks.spawn(tick(bench, schedules, stopped));
        }
        Ok(WorkersHandle { tasks, stop })
    }
}

fn bench(database: &Database, clock: &Clock, random: &Random, lease: Duration) -> Bench {
    let watch = Watch::default();
    Bench { database: database.clone(), clock: clock.clone(), random: random.clone(), lease, watch }
}

/// Workers that run; dropped, they stop where they are and their jobs come back when the leases end.
pub struct WorkersHandle {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl WorkersHandle {
    /// Takes no new jobs, waits for those that run, then stops.
    pub async fn drain(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

type Handlers = BTreeMap<&'static str, Handler>;

fn by_queue(handlers: &[Handler]) -> BTreeMap<&'static str, Arc<Handlers>> {
    let mut queues: BTreeMap<&'static str, Handlers> = BTreeMap::new();
    for handler in handlers {
        queues.entry(handler.queue).or_default().insert(handler.kind, handler.clone());
    }
    queues.into_iter().map(|(queue, handlers)| (queue, Arc::new(handlers))).collect()
}

fn wanted(queue: &'static str, handlers: &Handlers) -> Wanted {
    Wanted { queue, kinds: handlers.keys().copied().collect() }
}

struct QueueWorker {
    bench: Bench,
    queue: &'static str,
    handlers: Arc<Handlers>,
    slots: usize,
    stop: watch::Receiver<bool>,
}

impl QueueWorker {
    async fn serve(mut self) {
        let wanted = wanted(self.queue, &self.handlers);
        let mut bell = self.bench.database.signals().listen(Signal::Jobs);
        let mut running = JoinSet::new();
        while !*self.stop.borrow_and_update() {
            bell.mark_unchanged();
            while running.try_join_next().is_some() {}
            let free = self.slots - running.len();
            if free > 0 {
                self.take(&wanted, free, &mut running).await;
            }
            tokio::select! {
                _ = running.join_next(), if !running.is_empty() => {}
                _ = bell.changed(), if running.len() < self.slots => {}
                () = sleep(POLL) => {}
                _ = self.stop.changed() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn take(&self, wanted: &Wanted, free: usize, running: &mut JoinSet<()>) {
        let most = u32::try_from(free).unwrap_or(u32::MAX);
        let claimed = match self.bench.claim(wanted, most).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(queue = self.queue, %error, "a queue waits for the database");
                return;
            }
        };
        for job in claimed {
            let (bench, handlers) = (self.bench.clone(), Arc::clone(&self.handlers));
            running.spawn(async move {
                if let Some(handler) = handlers.get(job.kind.as_str()) {
                    bench.run(handler, job).await;
                }
            });
        }
    }
}

async fn tick(bench: Bench, schedules: Vec<Schedule>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if let Err(error) = run_schedules(&bench.database, &bench.clock, &bench.random, &schedules).await {
            tracing::warn!(%error, "the schedules wait for the database");
        }
        tokio::select! {
            () = sleep(POLL) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Runs everything that is due now to its end, one job after another, without workers; answers how many runs that
/// were. What fails comes due later, by the clock. For tests and commands.
pub async fn run_due(
    database: &Database,
    clock: &Clock,
    random: &Random,
    handlers: &[Handler],
) -> Result<usize, DatabaseError> {
    let bench = bench(database, clock, random, WorkerSettings::default().lease);
    let queues = by_queue(handlers);
    let mut runs = 0;
    loop {
        let before = runs;
        for (queue, handlers) in &queues {
            for job in bench.claim(&wanted(queue, handlers), 1).await? {
                if let Some(handler) = handlers.get(job.kind.as_str()) {
                    bench.run(handler, job).await;
                    runs += 1;
                }
            }
        }
        if runs == before {
            return Ok(runs);
        }
    }
}
