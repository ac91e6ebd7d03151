//! The mail to somebody who looks after a shelf.

use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_contracts::{
    catalog::{ProductId, VariantId, Ware},
    notifications::{Channel, Kind},
};
use stoa_kernel::UserId;
use stoa_platform::{
    database::{Connection, DatabaseError},
    jobs::{Handler, Job, JobContext, JobFailure},
};

use crate::{Notifications, store::preferences, told::Shelf};

/// Tells somebody by mail that a shelf is low or empty. Whom and what are looked up when it is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MailStock {
    user: UserId,
    kind: Kind,
    product: ProductId,
    variant: Option<VariantId>,
    stock: i64,
}

impl Job for MailStock {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "mail-stock";
}

impl MailStock {
    pub(crate) fn of(user: UserId, Shelf { kind, ware, stock }: Shelf) -> Self {
        let (product, variant) = match ware {
            Ware::Variant(product, variant) => (product, Some(variant)),
            Ware::Product(product) => (product, None),
            // No shelf is of a package; its parts are.
            Ware::Package(package) => (package.uuid().into(), None),
        };
        Self { user, kind, product, variant, stock }
    }

    fn shelf(&self) -> Shelf {
        let ware =
            self.variant.map_or(Ware::Product(self.product), |variant| Ware::Variant(self.product, variant));
        Shelf { kind: self.kind, ware, stock: self.stock }
    }
}

impl Notifications {
    pub(crate) fn stock_mail_handler(&self) -> Handler {
        let room = self.clone();
        Handler::of::<MailStock>(move |job: MailStock, context: JobContext| {
            let room = room.clone();
            async move { room.mail_stock(job, context).await }
        })
    }

    async fn mail_stock(&self, job: MailStock, context: JobContext) -> Result<(), JobFailure> {
        let (room, wanted) = (self.clone(), job.clone());
        let looked_up = self.database().read(move |connection: &mut Connection<'_>| {
            if !preferences::wants(connection, wanted.user, wanted.kind, Channel::Mail)? {
                return Ok(None);
            }
            let contact = room.0.accounts.contact(connection, wanted.user)?;
            let product = room.name_of(connection, wanted.shelf())?;
            Ok::<_, DatabaseError>(contact.zip(product))
        });
        let Some((contact, product)) = looked_up.await? else { return Ok(()) };
        let letter = json!({"name": contact.name, "product": product, "stock": job.stock});
        let mailer = &self.0.platform.mailer;
        Ok(mailer.send(&context.id.to_string(), &contact.email, job.kind.as_str(), letter).await?)
    }
}
