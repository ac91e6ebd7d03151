//! Killed at each named place that an order passes, from the first statement to the mail.

use std::os::unix::process::ExitStatusExt;

use stoa_platform::database::Engine;

use super::{on, shop::Shop};
use crate::node::tell;

/// Passed by every commit, at the start too; this many leave the first ones and the start behind.
const COMMITS: u32 = 60;
/// The others are passed by a few orders before.
const PASSAGES: u32 = 3;

/// The named places with the passage to die at.
fn places(engine: Engine) -> Vec<(&'static str, u32)> {
    let mut places: Vec<_> = stoa_ordering::FAILPOINTS.iter().map(|name| (*name, PASSAGES)).collect();
    places.extend([("job.claimed", PASSAGES), ("job.ran", PASSAGES)]);
    places.extend(match engine {
        Engine::Sqlite => vec![("sqlite.before_commit", COMMITS), ("sqlite.after_commit", COMMITS)],
        Engine::Postgres => vec![
            ("postgres.before_commit", COMMITS),
            ("postgres.after_commit", COMMITS),
            ("sequencer.numbered", COMMITS),
        ],
    });
    places
}

async fn die_at_every_place(engine: Engine) {
    let mut shop = Shop::open(engine).await;
    for (place, passage) in places(engine) {
        let mut node = shop.home.start_doomed(place, passage).await;
        let shopping = shop.shoppers.go();
        shop.shoppers = shopping.broken_off().await;
        assert_eq!(node.ends().await.signal(), Some(9), "{place}: {}", node.last_words());
        shop.an_hour_passes().await;

        let node = shop.home.start().await;
        shop.recover(&node).await;
        shop.must_balance(place).await;
        node.kill();
    }
    let books = shop.must_balance("at the end").await;
    tell(&format!("{} places, {} orders", places(engine).len(), books.orders.len()));
}

mod crash_at_every_place {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_at_every_place(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_at_every_place(Engine::Postgres));
    }
}

/// A mail is written and its job not yet ended: the next try must find that it is written.
async fn die_between_a_mail_and_the_end_of_its_job(engine: Engine) {
    let mut shop = Shop::open(engine).await;
    let mut node = shop.home.start_doomed("job.ran", 1).await;
    let shopping = shop.shoppers.go();
    shop.shoppers = shopping.broken_off().await;
    assert_eq!(node.ends().await.signal(), Some(9), "{}", node.last_words());
    shop.an_hour_passes().await;
    let written = shop.sent_mails().await;
    let _node = shop.home.start().await;
    shop.settle().await;
    let mails = shop.sent_mails().await;
    assert!(mails.len() > written.len(), "somebody's job was left");
    for mail in written {
        assert_eq!(
            mails.iter().filter(|other| other.subject == mail.subject && other.to == mail.to).count(),
            1,
            "{mail:?}"
        );
    }
}

mod crash_between_a_mail_and_the_end_of_its_job {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_between_a_mail_and_the_end_of_its_job(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_between_a_mail_and_the_end_of_its_job(Engine::Postgres));
    }
}
