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
mod cart_views;
mod change_status;
mod charge_order;
mod complaint;
mod edit_cart;
mod error;
mod follow_order;
mod give_back;
mod guest_cart;
mod hear_notice;
mod hear_of_money;
mod invoice;
mod jobs;
mod order;
mod pay_later;
mod payment_views;
mod place_order;
mod provider;
mod refund_order;
mod routes;
mod scope;
mod settings;
mod settle_payment;
mod sockets;
mod status;
mod store;
mod sweep;
mod templates;
mod test_provider;
mod totals;
mod track_order;
pub mod verify;
mod views;

use std::sync::Arc;

use stoa_contracts::{
    accounts::Accounts, catalog::Catalog, notifications::Preferences, payments::PaymentProvider,
};
use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_platform::{
    Occasion, Platform,
    database::{DatabaseError, Migration},
    jobs::{self as queue, Handler, Schedule},
};

pub use address::Address;
pub use cart::{CartId, CartItemId, MOST_CODES, MOST_LINES, MOST_PIECES};
pub use guest_cart::RemoveAbandonedCarts;
pub use jobs::{Notice, NotifyBuyer, SweepOrders};
use provider::Providers;
pub use provider::intent_key;
pub use settings::{OrderingSettings, Shop};
pub use status::{OrderStatus, PaymentStatus};
pub use templates::TEMPLATES;
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
    test_provider::LEDGER,
    Migration::split(
        32,
        "wares",
        include_str!("../../../migrations/0032_wares.sqlite.sql"),
        include_str!("../../../migrations/0032_wares.postgres.sql"),
    ),
    Migration::split(
        33,
        "guest carts",
        include_str!("../../../migrations/0033_guest_carts.sqlite.sql"),
        include_str!("../../../migrations/0033_guest_carts.postgres.sql"),
    ),
    Migration::shared(34, "payments", include_str!("../../../migrations/0034_payments.sql")),
    test_provider::ATTEMPTS,
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

/// Those that are passed only where a payment takes more than one question: at a provider over the network, paid later,
/// refunded in parts, or told of by a notice.
pub const PAYMENT_FAILPOINTS: &[&str] = &[
    "payment.intent_made",
    "payment.intent_kept",
    "payment.attempt.before_commit",
    "payment.after_attempt",
    "payment.after_confirm",
    "payment.after_attempt_settled",
    "payment.refund.before_commit",
    "payment.after_refund_begun",
    "payment.notice.before_commit",
    "payment.after_notice",
];

/// The domain, cheap to clone.
#[derive(Clone)]
pub struct Ordering {
    platform: Platform,
    settings: Arc<OrderingSettings>,
    catalog: Arc<dyn Catalog>,
    accounts: Arc<dyn Accounts>,
    providers: Providers,
    preferences: Option<Arc<dyn Preferences>>,
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
        let providers = Providers::new(provider);
        Self {
            platform: platform.clone(),
            settings: Arc::new(settings),
            catalog,
            accounts,
            providers,
            preferences: None,
        }
    }

    /// Knows of a provider besides, that takes no new orders but still holds the money of older ones.
    #[must_use]
    pub fn with_former_provider(mut self, provider: Arc<dyn PaymentProvider>) -> Self {
        self.providers.add_former(provider);
        self
    }

    /// Asks whether a buyer wants a mail before it sends one; without, every buyer is written to.
    #[must_use]
    pub fn asking(mut self, preferences: Arc<dyn Preferences>) -> Self {
        self.preferences = Some(preferences);
        self
    }

    /// What it serves and does.
    pub fn module(&self) -> Module {
        Module {
            name: "ordering",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::routes(self.clone()),
            sockets: self.sockets(),
            job_handlers: vec![self.mail_handler(), self.sweep_handler(), self.abandoned_carts_handler()],
            schedules: vec![
                Schedule::of("sweep-orders", "* * * * *", SweepOrders {}),
                Schedule::of("remove-abandoned-carts", "41 * * * *", RemoveAbandonedCarts {}),
            ],
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

    fn abandoned_carts_handler(&self) -> Handler {
        let ordering = self.clone();
        Handler::of::<RemoveAbandonedCarts>(move |_: RemoveAbandonedCarts, context: queue::JobContext| {
            let ordering = ordering.clone();
            async move { ordering.remove_abandoned_carts(context.occasion()).await }
        })
    }

    /// Now, by `actor`.
    pub(crate) fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.platform.clock, &self.platform.random, actor)
    }

    /// Now, by a part of the system or by a party that it listens to.
    pub(crate) fn system_occasion(&self, name: &str) -> Occasion {
        Occasion::system(&self.platform.clock, &self.platform.random, name)
    }

    /// The same actor, a step later.
    pub(crate) fn later(&self, occasion: &Occasion) -> Occasion {
        Occasion { at: self.platform.clock.now(), ..occasion.clone() }
    }
}
