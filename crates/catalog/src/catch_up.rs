//! Entering products that are older than the search into it, as a job after an upgrade. Until it is done they are listed
//! and sold as ever, and not found by their words.

use serde::{Deserialize, Serialize};
use stoa_platform::{
    database::{DatabaseError, Tx},
    jobs::{self, Handler, Job, JobContext, JobFailure},
};

use crate::{
    Catalogue,
    search::Entry,
    store::{imports, search},
};

/// Products to a transaction.
const SLICE: u32 = 1_000;

/// The job that enters them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct EnterProducts {}

impl Job for EnterProducts {
    const QUEUE: &'static str = "catalog";
    const KIND: &'static str = "enter-products";

    fn key(&self) -> Option<String> {
        Some(String::new())
    }
}

impl EnterProducts {
    pub(crate) fn handler(catalogue: &Catalogue) -> Handler {
        let catalogue = catalogue.clone();
        Handler::of(move |_: Self, _: JobContext| {
            let catalogue = catalogue.clone();
            async move {
                let mut entered = 0;
                loop {
                    let shop = catalogue.clone();
                    let some = catalogue.0.database.write(move |tx: &mut Tx<'_>| shop.enter_some(tx)).await?;
                    entered += some;
                    if some == 0 {
                        tracing::info!(products = entered, "entered older products into the search");
                        return Ok::<_, JobFailure>(());
                    }
                }
            }
        })
    }
}

impl Catalogue {
    /// Queues the job if there is something for it to do.
    pub async fn queue_catching_up(&self) -> Result<(), DatabaseError> {
        let occasion = stoa_platform::Occasion::system(&self.0.clock, &self.0.random, "start");
        let queue = move |tx: &mut Tx<'_>| {
            if search::backlog(tx, 1)?.is_empty() {
                return Ok(());
            }
            jobs::enqueue(tx, &occasion, &EnterProducts {}).map(drop)
        };
        self.0.database.write(queue).await
    }

    /// Enters some; answers how many were waiting.
    pub(crate) fn enter_some(&self, tx: &mut Tx<'_>) -> Result<usize, DatabaseError> {
        let waiting = search::backlog(tx, SLICE)?;
        if waiting.is_empty() {
            return Ok(0);
        }
        // Held, so that none is renamed between here and its entry.
        let products = imports::products_for_change(tx, &waiting, self.currency())?;
        let entered = search::entered(tx, &waiting)?;
        let (known, new): (Vec<Entry>, Vec<Entry>) =
            products.iter().map(Entry::of).partition(|entry| entered.contains_key(&entry.product.uuid()));
        search::insert(tx, &new)?;
        // An index that came later lacks those that are known.
        let known = known.iter().filter_map(|entry| Some((*entered.get(&entry.product.uuid())?, entry)));
        search::enter_prices(tx, &known.collect::<Vec<_>>())?;
        search::caught_up(tx, &waiting)?;
        self.forget_products(tx, []);
        Ok(waiting.len())
    }
}
