//! What is asked of queues and limits for figures.

use std::sync::{Arc, Mutex};

use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError},
    each_engine,
    jobs::{self, Handler, JobContext, JobFailure, QueueState},
};

use crate::jobs::{Desk, Letter, Sync};

async fn state(database: &Database, desk_clock: stoa_kernel::Timestamp, queue: &'static str) -> QueueState {
    let read = database.read(move |connection| jobs::queue_state(connection, queue, desk_clock));
    read.await.unwrap_or_else(|error: DatabaseError| panic!("{error}"))
}

each_engine! { MIGRATIONS;
    async fn a_queue_tells_what_waits_runs_comes_later_and_is_dead(db: TestDatabase) {
        let desk = Desk::new(&db);
        let now = || desk.clock().now();
        for to in ["ann", "bob", "eve"] {
            desk.queue(Letter { to: to.into() }).await.unwrap();
        }
        desk.queue(Sync { name: "users".into() }).await.unwrap();
        let waiting = |waiting| QueueState { waiting, ..QueueState::default() };
        assert_eq!(state(&desk.database, now(), "emails").await, waiting(3));
        assert_eq!(state(&desk.database, now(), "sync").await, waiting(1));
        assert_eq!(state(&desk.database, now(), "nobody's").await, QueueState::default());

        let seen = Arc::new(Mutex::new(Vec::new()));
        let (database, clock, told) = (desk.database.clone(), desk.clock(), Arc::clone(&seen));
        let handler = Handler::of::<Letter>(move |letter: Letter, _: JobContext| {
            let (database, now, told) = (database.clone(), clock.now(), Arc::clone(&told));
            async move {
                let state = state(&database, now, "emails").await;
                told.lock().unwrap().push((state.running, state.waiting));
                match letter.to.as_str() {
                    "ann" => Ok(()),
                    "bob" => Err(JobFailure::new("not now")),
                    _ => Err(JobFailure::fatal("never")),
                }
            }
        });
        assert_eq!(desk.run_due(&[handler]).await, 3);
        assert_eq!(*seen.lock().unwrap(), [(1, 2), (1, 1), (1, 0)], "one runs, the others wait");
        let left = QueueState { waiting: 0, running: 0, later: 1, dead: 1 };
        assert_eq!(state(&desk.database, now(), "emails").await, left);
        assert_eq!(state(&desk.database, now(), "sync").await, waiting(1));
        desk.hand.advance(std::time::Duration::from_mins(1));
        let due = QueueState { waiting: 1, later: 0, ..left };
        assert_eq!(state(&desk.database, now(), "emails").await, due);
    }
}
