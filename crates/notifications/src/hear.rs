//! From events to notifications: a follower that moves its place with its effect, so each happens once.

use serde_json::value::to_raw_value;
use stoa_contracts::{
    accounts::{PasswordChanged, TokenReused, UserDeleted},
    catalog::{LowStock, OutOfStock},
    chat::Mention,
    notifications::{Channel, NotificationCreated},
    ordering::{OrderStatusChanged, OrderTracked, PaymentDisputed, PaymentRefundFailed, PaymentRefunded},
};
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{self, Event, Follower, HandlerError, StartAt, StoredEvent},
    jobs,
};

use crate::{
    Notifications,
    stock_mail::MailStock,
    store::{announcements, notifications, preferences},
    told::{self, Shelf, Told},
};

/// How many people hear of a shelf or an order at most.
const MOST_HOLDERS: u32 = 500;

const HEARD: &[&str] = &[
    OrderStatusChanged::TYPE,
    OrderTracked::TYPE,
    PaymentRefunded::TYPE,
    PaymentRefundFailed::TYPE,
    PaymentDisputed::TYPE,
    LowStock::TYPE,
    OutOfStock::TYPE,
    PasswordChanged::TYPE,
    TokenReused::TYPE,
    Mention::TYPE,
    UserDeleted::TYPE,
];

impl Notifications {
    /// Notifications are reactions: nobody is told anew what happened before this was here. They do not wait for each
    /// other either.
    pub(crate) fn follower(&self) -> Follower {
        let room = self.clone();
        Follower::new("notifications", HEARD, StartAt::Head, move |tx, event| room.hear(tx, event))
            .order_free()
    }

    fn hear(&self, tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), HandlerError> {
        let told = match event.kind.as_str() {
            OrderStatusChanged::TYPE => told::of_status(&event.payload()?),
            OrderTracked::TYPE => Some(told::of_tracking(&event.payload()?)),
            PaymentRefunded::TYPE => Some(told::of_refund(&event.payload()?)),
            PasswordChanged::TYPE => Some(told::of_password(&event.payload()?)),
            TokenReused::TYPE => Some(told::of_reuse(&event.payload()?)),
            Mention::TYPE => Some(told::of_mention(&event.payload()?)),
            LowStock::TYPE => return Ok(self.tell_staff(tx, event, Shelf::low(&event.payload()?))?),
            OutOfStock::TYPE => return Ok(self.tell_staff(tx, event, Shelf::empty(&event.payload()?))?),
            PaymentRefundFailed::TYPE => {
                return Ok(self.tell_clerks(tx, event, &told::of_failed_refund(&event.payload()?))?);
            }
            PaymentDisputed::TYPE => {
                return Ok(self.tell_clerks(tx, event, &told::of_dispute(&event.payload()?))?);
            }
            UserDeleted::TYPE => {
                let deleted: UserDeleted = event.payload()?;
                return Ok(forget_user(tx, deleted.user_id)?);
            }
            _ => None,
        };
        if let Some((user, told)) = told
            && preferences::wants(tx, user, told.kind, Channel::InApp)?
        {
            keep(tx, &self.heard_now(), event, user, &told)?;
        }
        Ok(())
    }

    fn heard_now(&self) -> Occasion {
        Occasion::system(&self.0.platform.clock, &self.0.platform.random, "notifications")
    }

    /// Tells everybody who looks after products; those who want mail get a job each, which looks them up when it runs.
    fn tell_staff(&self, tx: &mut Tx<'_>, event: &StoredEvent, low: Shelf) -> Result<(), DatabaseError> {
        let Some(name) = self.name_of(tx, low)? else { return Ok(()) };
        let (occasion, told) = (self.heard_now(), low.told(&name));
        let holders = self.0.staff.holders(tx, "product", "update", MOST_HOLDERS)?;
        let without = |tx: &mut Tx<'_>, channel| preferences::unwilling(tx, &holders, low.kind, channel);
        let (no_list, no_mail) = (without(tx, Channel::InApp)?, without(tx, Channel::Mail)?);
        for user in &holders {
            if !no_list.contains(user) {
                keep(tx, &occasion, event, *user, &told)?;
            }
            if !no_mail.contains(user) {
                jobs::enqueue(tx, &occasion, &MailStock::of(*user, low))?;
            }
        }
        Ok(())
    }

    /// Tells everybody who looks after orders.
    fn tell_clerks(&self, tx: &mut Tx<'_>, event: &StoredEvent, told: &Told) -> Result<(), DatabaseError> {
        let occasion = self.heard_now();
        let holders = self.0.staff.holders(tx, "order", "update", MOST_HOLDERS)?;
        let unwilling = preferences::unwilling(tx, &holders, told.kind, Channel::InApp)?;
        for user in holders.iter().filter(|user| !unwilling.contains(user)) {
            keep(tx, &occasion, event, *user, told)?;
        }
        Ok(())
    }

    /// What is on a shelf; nothing when the product is gone.
    pub(crate) fn name_of(
        &self,
        connection: &mut stoa_platform::database::Connection<'_>,
        low: Shelf,
    ) -> Result<Option<String>, DatabaseError> {
        let found = self.0.catalog.sellables(connection, &[low.ware])?;
        Ok(found.into_iter().next().map(|ware| ware.name))
    }
}

/// Puts it into somebody's list and says so in the log, unless this event had put it there.
fn keep(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    event: &StoredEvent,
    user: UserId,
    told: &Told,
) -> Result<(), DatabaseError> {
    let id = occasion.id();
    let data = to_raw_value(&told.data)
        .map_err(|error| DatabaseError::Defect(format!("a notification cannot be written: {error}")))?;
    if !notifications::insert(tx, id, user, event.id, told, data.get(), occasion.at)? {
        return Ok(());
    }
    let Told { kind, title, message, .. } = told.clone();
    let created = NotificationCreated { notification_id: id, user_id: user, kind, title, message, data };
    events::append(tx, occasion, &created).map(drop)
}

/// Nothing of somebody who is gone stays.
fn forget_user(tx: &mut Tx<'_>, user: UserId) -> Result<(), DatabaseError> {
    notifications::forget_user(tx, user)?;
    announcements::forget_user(tx, user)?;
    preferences::forget_user(tx, user)
}
