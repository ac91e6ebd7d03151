//! Workers: leases, concurrency, draining, and schedules that tick once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use stoa_kernel::Random;
use stoa_platform::{
    MIGRATIONS, each_engine,
    jobs::{self, Handler, JobContext, Schedule, StartError, WorkerSettings, Workers},
};
use tokio::sync::{Barrier, Notify};

use crate::{
    jobs::{Desk, Letter, Sync, letter, post},
    support::{number, until, within_patience},
};

each_engine! { MIGRATIONS;
    async fn a_running_job_keeps_its_lease(db: TestDatabase) {
        let desk = Desk::new(&db);
        desk.queue(letter("ann")).await;
        let release = Arc::new(Notify::new());
        let runs = Arc::new(AtomicU32::new(0));
        let (released, counted) = (Arc::clone(&release), Arc::clone(&runs));
        let slow = Handler::of::<Letter>(move |_: Letter, _: JobContext| {
            counted.fetch_add(1, Ordering::SeqCst);
            let released = Arc::clone(&released);
            async move { released.notified().await; Ok(()) }
        });
        let settings = WorkerSettings { lease: Duration::from_millis(30), ..WorkerSettings::default() };
        let workers = Workers::start_with(settings, &desk.database, &desk.clock(), &desk.random, vec![slow.clone()], vec![]).await.unwrap();
        until("it runs", || async { runs.load(Ordering::SeqCst) == 1 }).await;
        for _ in 0..5 {
            // The heart beats by the machine's time, the lease counts by the clock.
            let before = number(&desk.database, "SELECT locked_until FROM jobs").await;
            desk.hand.advance(Duration::from_millis(20));
            until("the lease is prolonged", || async { number(&desk.database, "SELECT locked_until FROM jobs").await > before }).await;
            assert_eq!(desk.run_due(std::slice::from_ref(&slow)).await, 0);
        }
        release.notify_one();
        until("it is done", || async { desk.waiting().await == 0 }).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        workers.drain().await;
    }

    async fn a_queue_runs_so_many_at_a_time(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let full = Arc::new(Barrier::new(3));
        let (running, peak, meet) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&full));
        let handler = Handler::of::<Letter>(move |_: Letter, _: JobContext| {
            let (running, peak, meet) = (Arc::clone(&running), Arc::clone(&peak), Arc::clone(&meet));
            async move {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Three at a time must be there, or nobody gets on.
                meet.wait().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let single = Arc::new(AtomicUsize::new(0));
        let alone = Arc::clone(&single);
        let one_by_one = Handler::of::<Sync>(move |_: Sync, _: JobContext| {
            let alone = Arc::clone(&alone);
            async move {
                assert_eq!(alone.fetch_add(1, Ordering::SeqCst), 0, "two at once in a queue of one");
                tokio::task::yield_now().await;
                alone.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
        for round in 0..12 {
            desk.queue(letter(&round.to_string())).await;
            desk.queue(Sync { name: round.to_string() }).await;
        }
        let concurrency = BTreeMap::from([("emails".to_owned(), 3), ("sync".to_owned(), 1)]);
        let settings = WorkerSettings { concurrency, ..WorkerSettings::default() };
        let workers = Workers::start_with(settings, &desk.database, &desk.clock(), &desk.random, vec![handler, one_by_one], vec![]).await.unwrap();
        until("all are done", || async { desk.waiting().await == 0 }).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert!(desk.dead().await.is_empty());
        assert_eq!(number(&desk.database, "SELECT COUNT(*) FROM jobs").await, 0);
        workers.drain().await;
    }

    async fn draining_waits_for_what_runs_and_takes_nothing_new(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (began, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (signal, released) = (Arc::clone(&began), Arc::clone(&release));
        let slow = Handler::of::<Sync>(move |_: Sync, _: JobContext| {
            let (signal, released) = (Arc::clone(&signal), Arc::clone(&released));
            async move { signal.notify_one(); released.notified().await; Ok(()) }
        });
        desk.queue(Sync { name: "first".into() }).await;
        desk.hand.advance(Duration::from_millis(1));
        desk.queue(Sync { name: "second".into() }).await;
        let workers = desk.work(vec![slow]).await;
        within_patience("the first begins", began.notified()).await;
        let draining = tokio::spawn(workers.drain());
        assert_eq!(desk.waiting().await, 2);
        release.notify_one();
        within_patience("the drain", draining).await.unwrap();
        assert_eq!(desk.waiting().await, 1, "the first is done, the second was not begun");
        assert_eq!(number(&desk.database, "SELECT attempts FROM jobs").await, 0);
    }

    async fn two_nodes_share_the_work(db: TestDatabase) {
        let desk = Desk::new(&db);
        let other = Desk { database: db.open(), hand: desk.hand.clone(), random: Random::seeded(6) };
        let (post, sent) = post();
        let (one, two) = (desk.work(vec![post.clone()]).await, other.work(vec![post]).await);
        for round in 0..100 {
            desk.queue(letter(&round.to_string())).await;
        }
        until("all are sent", || async { desk.waiting().await == 0 }).await;
        one.drain().await;
        two.drain().await;
        let mut sent = sent.lock().unwrap().clone();
        sent.sort();
        let mut expected: Vec<String> = (0..100).map(|round| round.to_string()).collect();
        expected.sort();
        assert_eq!(sent, expected, "each once");
    }

    async fn a_schedule_ticks_once_for_all_nodes(db: TestDatabase) {
        let desk = Desk::new(&db);
        let other = Desk { database: db.open(), hand: desk.hand.clone(), random: Random::seeded(6) };
        let schedules = vec![Schedule::of::<Letter>("hourly", "0 * * * *", letter("all"))];
        for desk in [&desk, &other] {
            let workers = Workers::start(&desk.database, &desk.clock(), &desk.random, vec![], schedules.clone()).await.unwrap();
            workers.drain().await;
        }
        assert_eq!(desk.waiting().await, 0);
        let tick = |desk: &Desk| {
            let (database, clock, random) = (desk.database.clone(), desk.clock(), desk.random.clone());
            let schedules = schedules.clone();
            tokio::spawn(async move { jobs::run_schedules(&database, &clock, &random, &schedules).await.unwrap() })
        };
        for hour in 1..=10 {
            desk.hand.advance(Duration::from_hours(1));
            let mut queued = 0;
            for node in [tick(&desk), tick(&other), tick(&desk), tick(&other)] {
                queued += node.await.unwrap();
            }
            assert_eq!(queued, 1);
            assert_eq!(desk.waiting().await, hour);
        }
        // Ticks missed while nobody ran come once.
        desk.hand.advance(Duration::from_hours(100));
        assert_eq!(tick(&desk).await.unwrap(), 1);
        assert_eq!(tick(&desk).await.unwrap(), 0);
        assert_eq!(desk.waiting().await, 11);
    }

    async fn workers_keep_the_schedule(db: TestDatabase) {
        let desk = Desk::new(&db);
        let (post, sent) = post();
        let schedules = vec![Schedule::of::<Letter>("minutely", "* * * * *", letter("all"))];
        let workers = Workers::start(&desk.database, &desk.clock(), &desk.random, vec![post], schedules).await.unwrap();
        desk.hand.advance(Duration::from_mins(1));
        until("the tick is there and run", || async { sent.lock().unwrap().len() == 1 }).await;
        workers.drain().await;
    }

    async fn a_wrong_cron_expression_stops_the_start(db: TestDatabase) {
        let desk = Desk::new(&db);
        let schedules = vec![Schedule::of::<Letter>("never", "0 0 31 2 *", letter("all"))];
        let refused = Workers::start(&desk.database, &desk.clock(), &desk.random, vec![], schedules).await;
        assert!(matches!(refused.err(), Some(StartError::Cron { name: "never", .. })));
    }
}
