//! Jobs: retried with backoff, kept when dead, run again when their worker dies; schedules that tick once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stoa_kernel::{Clock, ManualClock, Page, PageRequest, Position, Random};
use stoa_platform::{
    MIGRATIONS, Occasion,
    database::{Database, DatabaseError},
    each_engine,
    events::{self, Event, Follower, Followers, StartAt},
    jobs::{self, DeadLetter, Handler, Job, JobContext, JobFailure, JobId, JobRecord, JobState, Workers},
    traces,
};
use tokio::sync::Notify;

use crate::support::{Deposited, clock, deposited, make, number, until, within_patience};

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) to: String,
}

impl Job for Letter {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "letter";
}

/// One per name at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sync {
    pub(crate) name: String,
}

impl Job for Sync {
    const QUEUE: &'static str = "sync";
    const KIND: &'static str = "sync-users";

    fn key(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) hand: ManualClock,
    pub(crate) random: Random,
}

impl Desk {
    pub(crate) fn new(db: &stoa_platform::testing::TestDatabase) -> Self {
        Self { database: db.open(), hand: clock(), random: Random::seeded(5) }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.hand.clock()
    }

    fn occasion(&self) -> Occasion {
        Occasion::system(&self.clock(), &self.random, "test")
    }

    pub(crate) async fn queue(&self, job: impl Job + Clone + std::marker::Sync) -> Option<JobId> {
        let occasion = self.occasion();
        let queued = self.database.write(move |tx| jobs::enqueue(tx, &occasion, &job));
        queued.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
    }

    pub(crate) async fn run_due(&self, handlers: &[Handler]) -> usize {
        let clock = self.clock();
        let run = jobs::run_due(&self.database, &clock, &self.random, handlers);
        within_patience("the jobs", run).await.unwrap()
    }

    pub(crate) async fn waiting(&self) -> i64 {
        self.database.read(jobs::waiting).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
    }

    pub(crate) async fn dead(&self) -> Vec<DeadLetter> {
        let read = self.database.read(|c| jobs::dead_letters(c, &PageRequest::first(100)));
        read.await.unwrap_or_else(|e: DatabaseError| panic!("{e}")).entries
    }

    async fn retry(&self, id: JobId) -> bool {
        let occasion = self.occasion();
        let retried = self.database.write(move |tx| jobs::retry(tx, &occasion, id));
        retried.await.unwrap_or_else(|e: DatabaseError| panic!("{e}"))
    }

    pub(crate) async fn work(&self, handlers: Vec<Handler>) -> jobs::WorkersHandle {
        Workers::start(&self.database, &self.clock(), &self.random, handlers, vec![]).await.unwrap()
    }
}

pub(crate) fn letter(to: &str) -> Letter {
    Letter { to: to.into() }
}

/// Notes the recipients.
pub(crate) fn post() -> (Handler, Arc<Mutex<Vec<String>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sends = Arc::clone(&sent);
    let handler = Handler::of::<Letter>(move |letter: Letter, _: JobContext| {
        let sends = Arc::clone(&sends);
        async move {
            sends.lock().unwrap().push(letter.to);
            Ok(())
        }
    });
    (handler, sent)
}

/// Fails the first `failures` times; notes the attempts it was told.
fn failing(failures: u32) -> (Handler, Arc<Mutex<Vec<u32>>>) {
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&attempts);
    let handler = Handler::of::<Letter>(move |_: Letter, context: JobContext| {
        let noted = Arc::clone(&noted);
        async move {
            noted.lock().unwrap().push(context.attempt);
            let tries = u32::try_from(noted.lock().unwrap().len()).unwrap();
            if tries <= failures { Err(JobFailure::new("no stamps")) } else { Ok(()) }
        }
    });
    (handler, attempts)
}

/// The lease of a dead worker, the ninth of its kind.
const DIED_EIGHT_TIMES: &str = "UPDATE jobs SET attempts = 1, deaths = 8, locked_until = 0,
    locked_by = (SELECT id FROM jobs AS other WHERE other.id = jobs.id)";

each_engine! { MIGRATIONS;
    async fn a_job_runs_once_and_is_gone(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (post, sent) = post();
        for to in ["ann", "bob", "cid"] {
            assert!(desk.queue(letter(to)).await.is_some());
            desk.hand.advance(Duration::from_millis(1));
        }
        assert_eq!(desk.waiting().await, 3);
        assert_eq!(desk.run_due(&[post]).await, 3);
        assert_eq!(*sent.lock().unwrap(), ["ann", "bob", "cid"]);
        assert_eq!(number(&desk.database, "SELECT COUNT(*) FROM jobs").await, 0);
    }

    async fn a_job_of_a_transaction_that_fails_is_never_queued(db: TestDatabase) {
        let desk = Desk::new(&db);
        let occasion = desk.occasion();
        let refused: Result<(), DatabaseError> = desk.database.write(move |tx| {
            jobs::enqueue(tx, &occasion, &letter("ann"))?;
            Err(DatabaseError::Check("no".into()))
        }).await;
        assert!(refused.is_err());
        assert_eq!(desk.waiting().await, 0);
    }

    async fn a_job_for_later_waits_for_its_time(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (post, sent) = post();
        let (occasion, later) = (desk.occasion(), desk.clock().now() + Duration::from_mins(10));
        desk.database.write(move |tx| jobs::enqueue_at(tx, &occasion, &letter("ann"), later)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        assert_eq!(desk.run_due(std::slice::from_ref(&post)).await, 0);
        desk.hand.advance(Duration::from_mins(10));
        assert_eq!(desk.run_due(&[post]).await, 1);
        assert_eq!(*sent.lock().unwrap(), ["ann"]);
    }

    async fn failures_are_retried_with_growing_pauses(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (handler, attempts) = failing(2);
        let handlers = [handler];
        desk.queue(letter("ann")).await;
        assert_eq!(desk.run_due(&handlers).await, 1);
        desk.hand.advance(Duration::from_millis(999));
        assert_eq!(desk.run_due(&handlers).await, 0, "not before a second has passed");
        desk.hand.advance(Duration::from_millis(101));
        assert_eq!(desk.run_due(&handlers).await, 1, "a second and a tenth at most");
        desk.hand.advance(Duration::from_millis(1_999));
        assert_eq!(desk.run_due(&handlers).await, 0, "twice as long the next time");
        desk.hand.advance(Duration::from_millis(201));
        assert_eq!(desk.run_due(&handlers).await, 1);
        assert_eq!(*attempts.lock().unwrap(), [1, 2, 3]);
        assert_eq!(desk.waiting().await, 0);
        assert!(desk.dead().await.is_empty());
    }

    async fn a_job_given_up_is_a_dead_letter_and_can_be_retried(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (handler, attempts) = failing(3);
        let handlers = [handler];
        let id = desk.queue(letter("ann")).await.unwrap();
        for _ in 0..5 {
            desk.run_due(&handlers).await;
            desk.hand.advance(Duration::from_mins(1));
        }
        assert_eq!(attempts.lock().unwrap().len(), 3, "three attempts and no more");
        assert_eq!(desk.waiting().await, 0);
        let dead = desk.dead().await;
        assert_eq!((dead[0].id, dead[0].attempts, dead[0].error.as_str()), (id, 3, "no stamps"));
        assert_eq!((dead[0].queue.as_str(), dead[0].kind.as_str()), ("emails", "letter"));
        assert_eq!(dead[0].payload, r#"{"to":"ann"}"#);
        assert!(desk.retry(id).await);
        assert!(!desk.retry(id).await, "it is no dead letter any more");
        assert_eq!(desk.run_due(&handlers).await, 1);
        assert!(desk.dead().await.is_empty());
        assert_eq!(*attempts.lock().unwrap(), [1, 2, 3, 1]);
    }

    async fn dead_letters_come_in_pages(db: TestDatabase) {
        let desk = Desk::new(&db);
        let handlers = [Handler::of::<Letter>(|_: Letter, _: JobContext| async { Err(JobFailure::fatal("unknown address")) })];
        for round in 0..5 {
            desk.queue(letter(&round.to_string())).await;
            desk.run_due(&handlers).await;
            desk.hand.advance(Duration::from_secs(u64::from(round != 2)));
        }
        let mut request = PageRequest { limit: 2, position: Position::Start, count: true };
        let mut seen = Vec::new();
        loop {
            let asked = request.clone();
            let page = desk.database.read(move |c| jobs::dead_letters(c, &asked)).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
            assert_eq!(page.total, Some(5));
            seen.extend(page.entries.iter().map(|dead| dead.payload.clone()));
            let Some(next) = page.next else { break };
            request.position = Position::After(next);
        }
        let mut expected: Vec<String> = (0..5).rev().map(|round| format!(r#"{{"to":"{round}"}}"#)).collect();
        assert_eq!(seen.len(), 5);
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
    }

    async fn a_fatal_failure_and_an_unreadable_payload_are_not_retried(db: TestDatabase) {
        let desk = Desk::new(&db);
        let tries = Arc::new(AtomicU32::new(0));
        let tried = Arc::clone(&tries);
        let handlers = [Handler::of::<Letter>(move |_: Letter, _: JobContext| {
            tried.fetch_add(1, Ordering::SeqCst);
            async { Err(JobFailure::fatal("unknown address")) }
        })];
        desk.queue(letter("ann")).await;
        desk.queue(letter("bob")).await;
        desk.database.write(|tx| tx.execute("UPDATE jobs SET payload = '{}' WHERE payload LIKE '%bob%'", &[])).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        desk.run_due(&handlers).await;
        desk.hand.advance(Duration::from_hours(1));
        assert_eq!(desk.run_due(&handlers).await, 0);
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        let mut reasons: Vec<String> = desk.dead().await.into_iter().map(|dead| dead.error).collect();
        reasons.sort();
        assert!(reasons[0].starts_with("the payload cannot be read: missing field `to`"), "{reasons:?}");
        assert_eq!(reasons[1], "unknown address");
    }

    async fn a_panic_is_a_failure_and_stops_no_worker(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (post, sent) = post();
        let panics = Handler::of::<Sync>(|_: Sync, _: JobContext| async { panic!("on purpose") });
        desk.queue(Sync { name: "a".into() }).await;
        desk.queue(letter("ann")).await;
        let workers = desk.work(vec![post, panics]).await;
        until("the letter is sent", || async { !sent.lock().unwrap().is_empty() }).await;
        until("the panic is noted", || async {
            number(&desk.database, "SELECT COUNT(*) FROM jobs WHERE last_error = 'the handler panicked'").await == 1
        }).await;
        workers.drain().await;
    }

    async fn a_key_is_queued_once_while_it_is_not_finished(db: TestDatabase) {
        let desk = Desk::new(&db);
        let fail = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&fail);
        let handlers = [Handler::of::<Sync>(move |_: Sync, _: JobContext| {
            let fails = fails.load(Ordering::SeqCst);
            async move { if fails { Err(JobFailure::fatal("no route")) } else { Ok(()) } }
        })];
        let sync = |name: &str| Sync { name: name.into() };
        assert!(desk.queue(sync("a")).await.is_some());
        assert!(desk.queue(sync("a")).await.is_none());
        assert!(desk.queue(sync("b")).await.is_some());
        assert_eq!(desk.run_due(&handlers).await, 2);
        assert!(desk.queue(sync("a")).await.is_some(), "the first is finished");
        fail.store(true, Ordering::SeqCst);
        desk.run_due(&handlers).await;
        let dead = desk.dead().await[0].id;
        assert!(desk.queue(sync("a")).await.is_some(), "a dead letter stands in nobody's way");
        assert!(!desk.retry(dead).await, "but is not revived beside a living one");
        fail.store(false, Ordering::SeqCst);
        desk.run_due(&handlers).await;
        assert!(desk.retry(dead).await);
    }

    async fn a_kind_without_a_handler_is_left_to_others(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (post, _) = post();
        desk.queue(Sync { name: "a".into() }).await;
        assert_eq!(desk.run_due(&[post]).await, 0);
        assert_eq!(number(&desk.database, "SELECT attempts FROM jobs").await, 0);
    }

    async fn a_job_whose_worker_died_comes_back_when_the_lease_ends(db: TestDatabase) {
        let desk = Desk::new(&db);
        desk.queue(letter("ann")).await;
        let (began, begins) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signal = Arc::clone(&began);
        let hangs = Handler::of::<Letter>(move |_: Letter, _: JobContext| {
            signal.notify_one();
            std::future::pending()
        });
        let workers = desk.work(vec![hangs]).await;
        within_patience("the job begins", began.notified()).await;
        drop(workers);
        drop(begins);
        let (post, sent) = post();
        let handlers = [post];
        desk.hand.advance(Duration::from_secs(29));
        assert_eq!(desk.run_due(&handlers).await, 0, "still leased");
        desk.hand.advance(Duration::from_secs(2));
        assert_eq!(desk.run_due(&handlers).await, 1);
        assert_eq!(*sent.lock().unwrap(), ["ann"]);
        assert_eq!(desk.waiting().await, 0);
    }

    async fn a_job_outlives_more_workers_than_it_has_attempts(db: TestDatabase) {
        let desk = Desk::new(&db);
        desk.queue(letter("ann")).await;
        // Each of these workers died with the job in its hands.
        make(&desk.database, DIED_EIGHT_TIMES).await;
        let (post, sent) = post();
        assert_eq!(desk.run_due(&[post]).await, 1);
        assert_eq!(*sent.lock().unwrap(), ["ann"]);
        assert_eq!(desk.waiting().await, 0);
    }

    async fn a_job_keeps_the_span_it_was_queued_in(db: TestDatabase) {
        const SPAN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let desk = Desk::new(&db);
        let followed = Follower::new("post", &[Deposited::TYPE], StartAt::Head, {
            let (clock, random) = (desk.clock(), desk.random.clone());
            move |tx, event| {
                let name = event.payload::<Deposited>()?.number.to_string();
                let occasion = Occasion::system(&clock, &random, "post");
                Ok(jobs::enqueue(tx, &occasion, &Sync { name }).map(drop)?)
            }
        });
        let running = Followers::start(&desk.database, &desk.clock(), vec![followed]).await.unwrap();
        for (number, trace) in [(1, Some(SPAN.to_owned())), (2, None)] {
            let occasion = Occasion { trace, ..desk.occasion() };
            let append = move |tx: &mut stoa_platform::database::Tx<'_>| events::append(tx, &occasion, &deposited(1, number));
            desk.database.write::<_, DatabaseError, _>(append).await.unwrap();
        }
        let occasion = traces::under(Some(SPAN), || desk.occasion());
        desk.database.write(move |tx| jobs::enqueue(tx, &occasion, &letter("ann"))).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        within_patience("the follower", events::settle(&desk.database)).await.unwrap();
        let kept = desk.database.read(|c| {
            c.query("SELECT key, trace FROM jobs ORDER BY key", &[], |row| Ok((row.read::<Option<String>>()?, row.read::<Option<String>>()?)))
        }).await.unwrap_or_else(|e: DatabaseError| panic!("{e}"));
        let of = |key: Option<&str>| kept.iter().find(|(kept, _)| kept.as_deref() == key).and_then(|(_, trace)| trace.as_deref());
        assert_eq!(kept.len(), 3);
        assert_eq!((of(Some("1")), of(Some("2")), of(None)), (Some(SPAN), None, Some(SPAN)));
        running.drain().await;
    }

    async fn deaths_of_workers_leave_a_job_all_its_attempts(db: TestDatabase) {
        let desk = Desk::new(&db);
        desk.queue(letter("ann")).await;
        make(&desk.database, DIED_EIGHT_TIMES).await;
        let (handler, attempts) = failing(2);
        for _ in 0..3 {
            assert_eq!(desk.run_due(std::slice::from_ref(&handler)).await, 1);
            desk.hand.advance(Duration::from_secs(10));
        }
        assert_eq!(*attempts.lock().unwrap(), [1, 2, 3]);
        assert!(desk.dead().await.is_empty());
    }

    async fn an_operator_sees_how_jobs_stand(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (handler, _) = failing(3);
        let dead = desk.queue(letter("ann")).await.unwrap();
        for _ in 0..3 {
            desk.run_due(std::slice::from_ref(&handler)).await;
            desk.hand.advance(Duration::from_secs(10));
        }
        let waiting = desk.queue(letter("bob")).await.unwrap();
        desk.hand.advance(Duration::from_millis(1));
        let running = desk.queue(Sync { name: "a".into() }).await.unwrap();
        let until = desk.clock().now() + Duration::from_secs(30);
        let leased = desk.database.write(move |tx| {
            let sql = "UPDATE jobs SET locked_until = $1, attempts = 1 WHERE kind = 'sync-users'";
            tx.execute(sql, stoa_platform::params![until])
        });
        let leased: Result<_, DatabaseError> = leased.await;
        leased.unwrap();
        let listed = |state: Option<JobState>, queue: Option<&'static str>, page: PageRequest| {
            let now = desk.clock().now();
            let read = desk.database.read(move |c| jobs::list(c, state, queue, now, &page));
            async move { read.await.unwrap_or_else(|e: DatabaseError| panic!("{e}")).unwrap() }
        };
        let first = || PageRequest::first(10);
        let ids = |page: &Page<JobRecord>| page.entries.iter().map(|job| job.id).collect::<Vec<_>>();
        assert_eq!(ids(&listed(None, None, first()).await), [running, waiting, dead]);
        assert_eq!(ids(&listed(Some(JobState::Dead), None, first()).await), [dead]);
        assert_eq!(ids(&listed(Some(JobState::Running), None, first()).await), [running]);
        assert_eq!(ids(&listed(Some(JobState::Waiting), None, first()).await), [waiting]);
        assert_eq!(ids(&listed(None, Some("emails"), first()).await), [waiting, dead]);
        for state in [None, Some(JobState::Dead)] {
            let mut seen = Vec::new();
            let mut page = listed(state, None, PageRequest { count: true, ..PageRequest::first(1) }).await;
            let total = page.total.unwrap();
            loop {
                seen.extend(ids(&page));
                let Some(cursor) = page.next else { break };
                page = listed(state, None, PageRequest { position: Position::After(cursor), ..PageRequest::first(1) }).await;
            }
            assert_eq!(seen.len(), usize::try_from(total).unwrap());
        }
        let (now, delete) = (desk.clock().now(), |id| desk.database.write(move |tx| jobs::delete_dead(tx, id)));
        let found: Result<_, DatabaseError> = desk.database.read(move |c| jobs::find(c, dead, now)).await;
        let found = found.unwrap().unwrap();
        assert_eq!((found.state, found.attempts, found.error.as_deref()), (JobState::Dead, 3, Some("no stamps")));
        let deleted: Result<_, DatabaseError> = delete(waiting).await;
        assert!(!deleted.unwrap(), "only what is dead");
        let deleted: Result<_, DatabaseError> = delete(dead).await;
        assert!(deleted.unwrap());
        assert!(desk.dead().await.is_empty());
    }

    async fn a_job_that_always_kills_its_worker_becomes_a_dead_letter(db: TestDatabase) {
        let desk = Desk::new(&db);
        desk.queue(letter("ann")).await;
        // Nine deaths may have been somebody else's fault.
        for _ in 0..10 {
            let began = Arc::new(Notify::new());
            let signal = Arc::clone(&began);
            let hangs = Handler::of::<Letter>(move |_: Letter, _: JobContext| {
                signal.notify_one();
                std::future::pending()
            });
            let workers = desk.work(vec![hangs]).await;
            within_patience("the job begins", began.notified()).await;
            drop(workers);
            desk.hand.advance(Duration::from_secs(31));
        }
        let (post, sent) = post();
        desk.run_due(&[post]).await;
        assert!(sent.lock().unwrap().is_empty());
        let dead = desk.dead().await;
        assert_eq!((dead[0].attempts, dead[0].error.as_str()), (1, "every worker that took it died"));
    }
}
