//! Telling whoever follows an order where it is.

use stoa_contracts::ordering::OrderId;
use stoa_kernel::{Actor, Refusal};

use crate::{
    Ordering,
    error::OrderError,
    status::OrderStatus,
    store::orders::{self, Scope},
};

impl Ordering {
    /// Where an order is, for somebody who may see it: their own, or anybody's for those who may change orders. Everybody
    /// else's is as unknown as one that never was.
    pub async fn status_of(&self, actor: &Actor, order: OrderId) -> Result<OrderStatus, Refusal> {
        let scope = Scope::granted(actor, "read")?;
        let found = self.platform.database.get(move |connection| orders::status(connection, scope, order));
        Ok(found.await.map_err(OrderError::from)?.ok_or(OrderError::UnknownOrder)?)
    }
}
