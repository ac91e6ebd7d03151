//! Carts, orders and their payments.
//!
//! An order is made in one transaction: the cart is emptied, stock taken, order, event and payment written. The charge
//! follows outside of any transaction, since a provider is asked over the network, and a second transaction settles what
//! came of it. Whatever stops in between is settled by a retry under the same idempotency key, or by the sweep. One rule
//! carries all of that: every step of a payment moves the order's version and is conditional on the state it starts
//! from, so whoever comes second finds it done.

mod address;
mod cancel_order;
mod cart;
mod change_status;
mod edit_cart;
mod error;
mod jobs;
mod order;
mod place_order;
mod provider;
mod routes;
mod settings;
mod settle_payment;
mod status;
mod store;
mod sweep;
mod templates;
mod test_provider;
mod totals;
mod track_order;
mod views;

use std::sync::Arc;

use stoa_contracts::{accounts::Accounts, catalog::Catalog};
use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_platform::{
    Occasion, Platform,
    database::{DatabaseError, Migration},
    jobs::{self as queue, Handler, Schedule},
};

pub use address::Address;
pub use cart::{CartId, CartItemId, MOST_LINES, MOST_PIECES};
pub use jobs::{Notice, NotifyBuyer, SweepOrders};
pub use provider::{Answer, ChargeOutcome, PaymentProvider, ProviderError, charge_key, refund_key};
pub use settings::OrderingSettings;
pub use status::{OrderStatus, PaymentStatus};
pub use templates::TEMPLATES;
use test_provider::TEST_PROVIDER_MIGRATION;
pub use test_provider::TestProvider;
pub use totals::Totals;

/// The tables of carts, orders and payments, and those of the `test` provider.
pub const MIGRATIONS: &[Migration] = &[
    Migration::split(
        30,
        "ordering",
        include_str!("../../../migrations/0030_ordering.sqlite.sql"),
        include_str!("../../../migrations/0030_ordering.postgres.sql"),
    ),
    TEST_PROVIDER_MIGRATION,
];

/// The places where a crash test can make a debug build die, in the order an order passes them.
pub const FAILPOINTS: &[&str] = &[
    "order.place.before_commit",
    "order.after_place",
    "order.after_charge",
    "order.settle.before_commit",
    "order.after_settle",
    "order.cancel.before_commit",
    "order.after_cancel",
    "order.after_refund",
    "order.refund.before_commit",
    "order.after_refund_settled",
];

/// The domain, cheap to clone.
#[derive(Clone)]
pub struct Ordering {
    platform: Platform,
    settings: Arc<OrderingSettings>,
    catalog: Arc<dyn Catalog>,
    accounts: Arc<dyn Accounts>,
    provider: Arc<dyn PaymentProvider>,
}

impl Ordering {
    /// Ordering over a catalogue, its users and a payment provider.
    pub fn new(
        platform: &Platform,
        settings: OrderingSettings,
        catalog: Arc<dyn Catalog>,
        accounts: Arc<dyn Accounts>,
        provider: Arc<dyn PaymentProvider>,
    ) -> Self {
        Self { platform: platform.clone(), settings: Arc::new(settings), catalog, accounts, provider }
    }

    /// What it serves and does.
    pub fn module(&self) -> Module {
        Module {
            name: "ordering",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::routes(self.clone()),
            job_handlers: vec![self.mail_handler(), self.sweep_handler()],
            schedules: vec![Schedule::of("sweep-orders", "* * * * *", SweepOrders {})],
            ..Module::default()
        }
    }

    /// Queues a sweep now, as at the start of a server that may have died between two steps.
    pub async fn queue_sweep(&self) -> Result<(), DatabaseError> {
        let occasion = Occasion::system(&self.platform.clock, &self.platform.random, "start");
        let queued = self.platform.database.write(move |tx| queue::enqueue(tx, &occasion, &SweepOrders {}));
        queued.await.map(drop)
    }

    fn mail_handler(&self) -> Handler {
        let ordering = self.clone();
        Handler::of::<NotifyBuyer>(move |job: NotifyBuyer, context| {
            let ordering = ordering.clone();
            async move { ordering.notify_buyer(job, context).await }
        })
    }

    fn sweep_handler(&self) -> Handler {
        let ordering = self.clone();
        Handler::of::<SweepOrders>(move |_: SweepOrders, context: queue::JobContext| {
            let ordering = ordering.clone();
            async move { ordering.sweep(context.occasion()).await }
        })
    }

    /// Now, by `actor`.
    pub(crate) fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.platform.clock, &self.platform.random, actor)
    }

    /// The same actor, a step later.
    pub(crate) fn later(&self, occasion: &Occasion) -> Occasion {
        Occasion { at: self.platform.clock.now(), ..occasion.clone() }
    }
}
