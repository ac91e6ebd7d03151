//! A shop under siege: its home, its goods, its shoppers, and the hour that passes after a crash.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use stoa_drivers::testing::StripeServer;
use stoa_kernel::Clock;
use stoa_platform::{
    database::{Connection, Database, DatabaseError, Engine},
    mail::{Mailer, SentMail},
    params,
};
use stoa_testing::json;
use uuid::Uuid;

use super::{
    books::{Books, Ledger},
    shoppers::{Goods, Shopper, Shoppers},
};
use crate::node::{Home, Node};

const PRODUCTS: usize = 6;
const SHOPPERS: usize = 6;
const STOCK: i64 = 1_000_000;
const HOUR: i64 = 3_600_000_000;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: usize = 12_000;

/// A shop whose node dies again and again.
pub(crate) struct Shop {
    pub(crate) home: Home,
    pub(crate) shoppers: Shoppers,
    goods: Goods,
    mails: PathBuf,
    stripe: Option<StripeServer>,
}

impl Shop {
    /// A fresh shop with its goods and its shoppers, and no node.
    pub(crate) async fn open(engine: Engine) -> Self {
        Self::build(Home::new(engine), None).await
    }

    /// The same, paid at Stripe, which tells it of payments and refunds.
    pub(crate) async fn open_at_stripe(engine: Engine) -> Self {
        let stripe = StripeServer::start();
        let home = Home::new(engine)
            .with("STRIPE_SECRET_KEY", StripeServer::SECRET_KEY)
            .with("STRIPE_WEBHOOK_SECRET", StripeServer::WEBHOOK_SECRET)
            .with("STRIPE_API_BASE", &stripe.address());
        stripe.tells(&format!("{}/api/payments/webhooks/stripe", home.address())).await;
        Self::build(home, Some(stripe)).await
    }

    async fn build(home: Home, stripe: Option<StripeServer>) -> Self {
        home.run(&["migrate"]);
        home.make_admin();
        let node = home.start().await;
        let goods = stock_up(&home).await;
        let mut shoppers = Vec::new();
        for number in 0..SHOPPERS {
            shoppers.push(Shopper::register(&home, number, (goods.clone(), stripe.is_some())).await);
        }
        let shop =
            Self { mails: home.data().join("mails"), shoppers: Shoppers(shoppers), goods, home, stripe };
        shop.settle().await;
        node.kill();
        shop
    }

    /// An hour passes while the node is down: leases and patience of the dead process have run out. Nothing else does
    /// this but time, and nobody wants to wait for it.
    pub(crate) async fn an_hour_passes(&self) {
        let database = self.home.open();
        self.wait_for_the_dead(&database).await;
        let passed = database.write(|tx| {
            tx.execute(
                "UPDATE idempotency_keys SET lease_until = lease_until - $1 WHERE NOT done",
                params![HOUR],
            )?;
            tx.execute("UPDATE payments SET due_at = due_at - $1 WHERE due_at IS NOT NULL", params![HOUR])?;
            tx.execute("UPDATE refunds SET due_at = due_at - $1 WHERE due_at IS NOT NULL", params![HOUR])?;
            tx.execute("UPDATE jobs SET run_at = run_at - $1", params![HOUR])?;
            tx.execute(
                "UPDATE jobs SET locked_until = locked_until - $1 WHERE locked_until IS NOT NULL",
                params![HOUR],
            )?;
            tx.execute("UPDATE schedules SET next_at = next_at - $1", params![HOUR])
        });
        passed.await.map_or_else(|error: DatabaseError| panic!("{error}"), drop);
    }

    /// PostgreSQL may still be busy with what the dead process sent it last.
    async fn wait_for_the_dead(&self, database: &Database) {
        if database.engine() == Engine::Sqlite {
            return;
        }
        let busy = "SELECT COUNT(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()";
        until("PostgreSQL forgets the dead process", || async {
            let busy = count(database, busy).await;
            if busy == 0 { Ok(()) } else { Err(format!("{busy} connections are busy")) }
        })
        .await;
    }

    /// Has every request that got no answer repeated until it gets one, then waits until nothing is left to do.
    pub(crate) async fn recover(&mut self, node: &Node) {
        let answered = self.shoppers.finish().await;
        assert!(answered, "the node died while it recovered: {}", node.last_words());
        self.settle().await;
    }

    /// Waits until nothing is left to do. What a follower makes of an event may be an event or a job again, so all is
    /// looked at in one moment, after every follower has had what is in the log then.
    pub(crate) async fn settle(&self) {
        let (database, anon) = (self.home.open(), self.home.anon());
        until("nothing is left to do", || async {
            let figures = anon.get("/metrics").await.expect(200).text;
            let left = read(&database, Left::read).await;
            if left.is_nothing() && all_have_heard(&figures, left.head) {
                return Ok(());
            }
            let followers = figures.lines().filter(|line| line.starts_with("stoa_follower_lag"));
            Err(format!("{left:?}, {}", followers.collect::<Vec<_>>().join(", ")))
        })
        .await;
    }

    /// Checks everything that must hold once all is settled: by these books, which know what shoppers were told, and by
    /// the product's own `stoa verify`.
    pub(crate) async fn must_balance(&self, when: &str) -> Books {
        let ledger = match &self.stripe {
            Some(stripe) => Some(Ledger::of_stripe(stripe).await),
            None => None,
        };
        let books = Books::read(&self.home.open(), self.sent_mails().await, ledger).await;
        let flaws = books.flaws(&self.goods.stock, &self.shoppers.told());
        assert!(flaws.is_empty(), "{when}, {} orders:\n{}", books.orders.len(), flaws.join("\n"));
        let (is_clean, findings) = self.home.tries(&["verify"]);
        assert!(is_clean, "{when}: stoa verify\n{findings}");
        books
    }

    /// The ids of the jobs that are not done.
    pub(crate) async fn jobs(&self) -> Vec<String> {
        let ids = |connection: &mut Connection<'_>| {
            connection.query("SELECT id FROM jobs", &[], |row| row.read::<Uuid>())
        };
        read(&self.home.open(), ids).await.iter().map(Uuid::to_string).collect()
    }

    /// The mails that were written so far.
    pub(crate) async fn sent_mails(&self) -> Vec<SentMail> {
        let clock = Clock::system();
        let mailer =
            Mailer::to_folder(&self.mails, "a@example.com", &stoa_server::wiring::templates(), clock);
        mailer.unwrap().list(usize::MAX).await.unwrap()
    }
}

async fn stock_up(home: &Home) -> Goods {
    let admin = home.admin().await;
    let mut stock = HashMap::new();
    let mut ids = Vec::new();
    for number in 0..PRODUCTS {
        let product = json!({
            "name": format!("Tea no. {number}"), "description": "Leaves", "price": 4.35 + 7.0 * f64::from(u8::try_from(number).unwrap()),
            "stock": STOCK, "category": "tea", "status": "ACTIVE",
        });
        let id: Uuid = admin.post("/api/products", product).await.expect(201).id().parse().unwrap();
        stock.insert(id, STOCK);
        ids.push(id);
    }
    Goods { ids, stock }
}

/// What is not done yet, and how long the log is.
#[derive(Debug)]
struct Left {
    payments: i64,
    refunds: i64,
    jobs: i64,
    unplaced: i64,
    head: i64,
}

impl Left {
    /// One statement, so that all of it is seen in one moment.
    fn read(connection: &mut Connection<'_>) -> Result<Self, DatabaseError> {
        let sql = "SELECT (SELECT COUNT(*) FROM payments WHERE state IN ('charging', 'voiding')),
                          (SELECT COUNT(*) FROM refunds WHERE state = 'pending'),
                          (SELECT COUNT(*) FROM jobs WHERE dead_at IS NULL),
                          (SELECT COUNT(*) FROM events WHERE pos IS NULL),
                          (SELECT COALESCE(MAX(pos), 0) FROM events)";
        let left = connection.find(sql, &[], |row| {
            Ok(Self {
                payments: row.read()?,
                refunds: row.read()?,
                jobs: row.read()?,
                unplaced: row.read()?,
                head: row.read()?,
            })
        })?;
        left.ok_or_else(|| DatabaseError::Defect("no row of counts".into()))
    }

    fn is_nothing(&self) -> bool {
        [self.payments, self.refunds, self.jobs, self.unplaced] == [0; 4]
    }
}

/// Whether every follower has had the log up to `head`, by the node's own figures.
fn all_have_heard(figures: &str, head: i64) -> bool {
    let mut lags = figures.lines().filter(|line| line.starts_with("stoa_follower_lag{")).peekable();
    let log = format!("stoa_events_head {head}");
    figures.lines().any(|line| line == log) && lags.peek().is_some() && lags.all(|line| line.ends_with(" 0"))
}

async fn until<F: Future<Output = Result<(), String>>>(what: &str, mut happened: impl FnMut() -> F) {
    let mut missing = String::new();
    for _ in 0..PATIENCE {
        match happened().await {
            Ok(()) => return,
            Err(still) => missing = still,
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("in vain: until {what}: {missing}");
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    read(database, move |connection| Ok(connection.find(sql, &[], |row| row.read())?.unwrap_or(0))).await
}

async fn read<T, F>(database: &Database, work: F) -> T
where
    T: Send + 'static,
    F: Fn(&mut Connection<'_>) -> Result<T, DatabaseError> + Send + 'static,
{
    database.read(work).await.unwrap_or_else(|error| panic!("{error}"))
}
