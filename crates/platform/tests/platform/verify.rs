//! What verifying says of the event log: nothing while it is whole, and each kind of damage by its name.

use stoa_platform::{
    MIGRATIONS,
    database::{Database, DatabaseError, Engine},
    each_engine,
    events::{self, Followers},
    verify::{MOST_TOLD, event_log_checks, verify},
};

use crate::support::{append, clock, deposited};

/// A log of 60 events on three accounts, each of versions 1 to 20.
async fn some_log(database: &Database) {
    let followers = Followers::start(database, &clock().clock(), vec![]).await.unwrap();
    for number in 1..=20 {
        for account in 1..=3 {
            append(database, deposited(account, number)).await;
        }
    }
    events::settle(database).await.unwrap();
    followers.drain().await;
}

async fn damage(database: &Database, sql: &'static str) {
    let done: Result<(), DatabaseError> = database.write(move |tx| tx.batch(sql)).await;
    done.unwrap();
}

/// The checks that are not content, each with what it says.
async fn complaints(database: &Database) -> Vec<(&'static str, Vec<String>)> {
    let later = clock().clock().now() + std::time::Duration::from_hours(24 * 365 * 10);
    let found = verify(database, later, event_log_checks()).await.unwrap();
    let unhappy = found.into_iter().filter(|findings| !findings.contradictions.is_empty());
    unhappy.map(|findings| (findings.check, findings.contradictions)).collect()
}

async fn names(database: &Database) -> Vec<&'static str> {
    complaints(database).await.into_iter().map(|(name, _)| name).collect()
}

each_engine! { MIGRATIONS;
    async fn a_whole_log_is_clean_and_so_is_an_empty_one(db: TestDatabase) {
        let database = db.open();
        assert_eq!(complaints(&database).await, []);
        some_log(&database).await;
        assert_eq!(complaints(&database).await, []);
        damage(&database, "DELETE FROM events WHERE pos <= 50").await;
        assert_eq!(complaints(&database).await, [], "what retention forgets is no damage");
    }

    async fn a_lost_event_leaves_a_hole(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        damage(&database, "DELETE FROM events WHERE pos IN (30, 31)").await;
        assert_eq!(complaints(&database).await, [("event-positions", vec!["after position 29 comes 32".into()])]);
    }

    async fn no_more_is_told_than_anybody_reads(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        damage(&database, "DELETE FROM events WHERE pos % 2 = 0 AND pos < 60").await;
        let found = verify(&database, clock().clock().now(), event_log_checks()).await.unwrap();
        assert!(found[0].more && found[0].contradictions.len() == MOST_TOLD);
    }

    async fn a_doubled_event_is_seen(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        damage(&database, "UPDATE events SET id = (SELECT id FROM events WHERE pos = 4) WHERE pos = 9").await;
        assert_eq!(complaints(&database).await, [("event-ids", vec!["positions 4 and 9 hold the same event".into()])]);
    }

    async fn versions_that_go_back_are_seen(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        damage(&database, "UPDATE events SET version = 99 WHERE pos = 4").await;
        assert_eq!(
            complaints(&database).await,
            [("event-versions", vec!["account:1 is at version 3 at position 7, after version 99".into()])]
        );
    }

    async fn a_follower_beyond_the_end_and_one_that_gave_up_are_seen(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        damage(&database, "INSERT INTO followers (name, pos) VALUES ('mailer', 61), ('counter', 60);
            INSERT INTO parked_events (follower, pos, aggregate, reason, parked_at) VALUES ('counter', 7, 'account:1', 'odd', 1)").await;
        assert_eq!(complaints(&database).await, [
            ("event-followers", vec!["mailer is at position 61, the log ends at 60".to_owned()]),
            ("event-parked", vec!["counter has parked position 7: odd".to_owned()]),
        ]);
    }

    async fn damage_that_only_a_sequenced_log_can_have_is_seen(db: TestDatabase) {
        let database = db.open();
        some_log(&database).await;
        if database.engine() == Engine::Sqlite {
            return;
        }
        damage(&database, "UPDATE event_log SET pos = 59").await;
        assert_eq!(names(&database).await, ["event-head"]);
        damage(&database, "UPDATE event_log SET pos = 60; UPDATE events SET pos = NULL WHERE pos = 60; UPDATE event_log SET pos = 59").await;
        assert_eq!(names(&database).await, ["event-numbering"]);
        damage(&database, "UPDATE events SET pos = 60 WHERE pos IS NULL; UPDATE event_log SET pos = 60;
            SELECT setval('events_ident_seq', 12)").await;
        assert_eq!(names(&database).await, ["event-sequence"]);
    }
}
