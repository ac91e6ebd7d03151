//! Killed at each named place that an order passes, from the first statement to the mail.

use std::os::unix::process::ExitStatusExt;

use stoa_platform::database::Engine;

use super::{on, shop::Shop};
use crate::node::tell;

/// Passed by every commit, at the start too; this many leave the first ones and the start behind.
const COMMITS: u32 = 60;
/// The others are passed by a few orders before.
const PASSAGES: u32 = 3;
const TRIES: u32 = 20;
/// How much longer the long form of the suite is.
const SOAK: u32 = 6;

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

/// Every place once; in the long form of the suite again and again, each time later.
fn deaths(engine: Engine) -> Vec<(&'static str, u32)> {
    let rounds = if std::env::var_os("STOA_SOAK").is_some() { SOAK } else { 1 };
    (0..rounds)
        .flat_map(|later| places(engine).into_iter().map(move |(name, passage)| (name, passage + later)))
        .collect()
}

/// The places of a payment that is paid later or given back in parts, and those that only Stripe makes it pass.
fn payment_places(at_stripe: bool) -> Vec<(&'static str, u32)> {
    let only_at_stripe = [
        "payment.intent_made",
        "payment.intent_kept",
        "payment.notice.before_commit",
        "payment.after_notice",
    ];
    let passed =
        stoa_ordering::PAYMENT_FAILPOINTS.iter().filter(|name| at_stripe || !only_at_stripe.contains(name));
    passed.map(|name| (*name, PASSAGES)).collect()
}

async fn die_at_every_place(engine: Engine) {
    let deaths = [deaths(engine), payment_places(false)].concat();
    die_at(Shop::open(engine).await, &deaths).await;
}

/// With Stripe as the provider: the places of an order and of its money.
async fn die_at_every_place_of_a_payment(engine: Engine) {
    let orders = stoa_ordering::FAILPOINTS.iter().map(|name| (*name, PASSAGES));
    let deaths: Vec<_> = orders.chain(payment_places(true)).collect();
    die_at(Shop::open_at_stripe(engine).await, &deaths).await;
}

async fn die_at(shop: Shop, deaths: &[(&'static str, u32)]) {
    let mut shop = shop;
    for &(place, passage) in deaths {
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
    tell(&format!("{} deaths, {} orders", deaths.len(), books.orders.len()));
}

mod crash_at_every_place_of_a_payment_at_stripe {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_at_every_place_of_a_payment(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_at_every_place_of_a_payment(Engine::Postgres));
    }
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
    let mut caught = Vec::new();
    // Jobs that write no mail pass there too.
    for _ in 0..TRIES {
        let mut node = shop.home.start_doomed("job.ran", PASSAGES).await;
        let shopping = shop.shoppers.go();
        shop.shoppers = shopping.broken_off().await;
        assert_eq!(node.ends().await.signal(), Some(9), "{}", node.last_words());
        shop.an_hour_passes().await;
        let jobs = shop.jobs().await;
        caught = shop.sent_mails().await.into_iter().filter(|mail| jobs.contains(&mail.id)).collect();
        if !caught.is_empty() {
            break;
        }
    }
    assert!(!caught.is_empty(), "it never died where it should");
    let node = shop.home.start().await;
    shop.recover(&node).await;
    shop.must_balance("after a mail").await;
    let mails = shop.sent_mails().await;
    for mail in caught {
        let same = mails.iter().filter(|other| other.subject == mail.subject && other.to == mail.to);
        assert_eq!(same.count(), 1, "{mail:?}");
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

/// The dead node had the places of its followers, and the next one takes them over after a while: until then orders are
/// paid and nobody has heard of it.
async fn die_with_the_followers_places(engine: Engine) {
    let mut shop = Shop::open(engine).await;
    for life in ["the first", "the second"] {
        let node = shop.home.start().await;
        shop.shoppers.choose().await;
        shop.recover(&node).await;
        shop.must_balance(&format!("in {life} life")).await;
        node.kill();
    }
}

mod crash_with_the_followers_places {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_with_the_followers_places(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_with_the_followers_places(Engine::Postgres));
    }
}
