//! Killed at any moment, again and again, on one set of data.

use std::time::Duration;

use stoa_kernel::Random;
use stoa_platform::database::Engine;

use super::{on, shop::Shop};
use crate::node::tell;

/// How long shoppers are served before the node is killed, in milliseconds.
const SHORTEST: u64 = 50;
const LONGEST: u64 = 600;
/// So many times the books are closed and checked; in between, orders of the last round are still unsettled when the
/// next begins.
const CHECKS: u32 = 10;
/// How much longer the long form of the suite is.
const SOAK: u32 = 10;

fn rounds(engine: Engine) -> u32 {
    let rounds = match engine {
        Engine::Sqlite => 50,
        Engine::Postgres => 20,
    };
    if std::env::var_os("STOA_SOAK").is_some() { rounds * SOAK } else { rounds }
}

async fn die_at_random_moments(engine: Engine) {
    let random = Random::system();
    let mut shop = Shop::open(engine).await;
    let mut kept_waiting = 0;
    for round in 1..=rounds(engine) {
        let node = shop.home.start().await;
        let shopping = shop.shoppers.go();
        tokio::time::sleep(Duration::from_millis(SHORTEST + random.below(LONGEST - SHORTEST))).await;
        node.kill();
        shop.shoppers = shopping.broken_off().await;
        kept_waiting += shop.shoppers.unanswered();
        shop.an_hour_passes().await;
        if round % (rounds(engine) / CHECKS) == 0 {
            let node = shop.home.start().await;
            shop.recover(&node).await;
            shop.must_balance(&format!("after {round} kills")).await;
            node.kill();
        }
    }
    let orders = shop.must_balance("at the end").await.orders.len();
    let (told, declined) = (shop.shoppers.told(), shop.shoppers.declined());
    let cancelled = told.iter().filter(|told| told.cancelled).count();
    tell(&format!(
        "{} kills, {orders} orders, {} acknowledged, {cancelled} called off, {declined} declined, {kept_waiting} \
         purchases and cancellations under way when killed",
        rounds(engine),
        told.len(),
    ));
    // Otherwise the kills have not met what they were to meet.
    assert!(cancelled > 0 && declined > 0 && kept_waiting > 0);
}

mod crash_at_random_moments {
    use super::*;

    #[test]
    fn sqlite() {
        on(Engine::Sqlite, die_at_random_moments(Engine::Sqlite));
    }

    #[test]
    fn postgres() {
        on(Engine::Postgres, die_at_random_moments(Engine::Postgres));
    }
}
