//! Notifications: what people are told, and how they want to be told it.
//!
//! They are made by following the event log, never by a call: an order that moves or a shelf that empties knows nothing
//! of who hears of it. An announcement is kept once for everybody; who has read it is a mark. Unread counts are counted
//! when they are asked for, so there is no number that could drift.

mod announce;
mod clean_up;
mod error;
mod hear;
mod mark;
mod notification;
mod preferences;
mod routes;
mod settings;
mod sockets;
mod stock_mail;
mod store;
mod told;

use std::sync::Arc;

use stoa_contracts::{
    accounts::{Accounts, Staff},
    catalog::Catalog,
};
use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_platform::{
    Occasion, Platform,
    database::{Database, Migration},
    mail::Template,
    mail_template,
};

pub use self::{error::NotificationError, settings::NotificationsSettings};

/// The tables of this domain.
pub const MIGRATIONS: &[Migration] =
    &[Migration::shared(40, "notifications", include_str!("../../../migrations/0040_notifications.sql"))];

/// The mails to whoever looks after the shelves.
pub const TEMPLATES: &[Template] = &[
    mail_template!("low_stock", "Few left: {{ product }}"),
    mail_template!("out_of_stock", "None left: {{ product }}"),
];

/// The domain, cheap to clone.
#[derive(Clone)]
pub struct Notifications(Arc<Room>);

struct Room {
    platform: Platform,
    settings: NotificationsSettings,
    accounts: Arc<dyn Accounts>,
    staff: Arc<dyn Staff>,
    catalog: Arc<dyn Catalog>,
}

impl Notifications {
    /// Notifications over users and a catalogue.
    pub fn new(
        platform: &Platform,
        settings: NotificationsSettings,
        accounts: Arc<dyn Accounts>,
        staff: Arc<dyn Staff>,
        catalog: Arc<dyn Catalog>,
    ) -> Self {
        Self(Arc::new(Room { platform: platform.clone(), settings, accounts, staff, catalog }))
    }

    /// What it serves, hears and does.
    pub fn module(&self) -> Module {
        Module {
            name: "notifications",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self.clone()),
            sockets: Self::sockets(),
            followers: vec![self.follower()],
            job_handlers: vec![self.stock_mail_handler(), self.clean_up_handler()],
            schedules: vec![Self::clean_up_schedule()],
            ..Module::default()
        }
    }

    fn database(&self) -> &Database {
        &self.0.platform.database
    }

    /// Now, by `actor`.
    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.0.platform.clock, &self.0.platform.random, actor)
    }
}
