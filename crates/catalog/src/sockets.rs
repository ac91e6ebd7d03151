//! What is there of a product, told live to whoever watches it.

use serde::{Deserialize, Serialize};
use stoa_contracts::catalog::{ProductDeleted, ProductId, StockChanged, VariantId};
use stoa_kernel::{Refusal, Timestamp};
use stoa_platform::events::{Event, HandlerError, StoredEvent};
use stoa_realtime::{Call, Dialect, Done, Effect, Fault, Hearer, Said, Sockets, Topic};

use crate::{Catalogue, error::CatalogError};

/// What kind of topic a product's is.
const PRODUCT: &str = "product";

/// A product, as a word or as a field of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Watched {
    Plain(ProductId),
    Product {
        #[serde(rename = "productId")]
        product_id: ProductId,
    },
}

/// The answer to `track_inventory`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tracking {
    product_id: ProductId,
    quantity: i64,
}

/// `inventory_update`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryUpdate {
    product_id: ProductId,
    quantity: i64,
    details: InventoryDetails,
    timestamp: Timestamp,
}

/// What came or went, and why.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryDetails {
    change: i64,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant_id: Option<VariantId>,
}

impl Catalogue {
    /// What the catalogue says and hears on sockets.
    pub(crate) fn sockets(&self) -> Sockets {
        let (watch, permit) = (self.clone(), self.clone());
        Sockets::default()
            .on("track_inventory", move |call| {
                let catalogue = watch.clone();
                async move { catalogue.track(&call).await }
            })
            .on("untrack_inventory", |call| async move { untrack(&call).await })
            .permit(PRODUCT, move |_, topic| {
                let catalogue = permit.clone();
                async move {
                    let Ok(product) = topic.id().parse() else { return Ok(false) };
                    Ok(catalogue.stock_of(product).await?.is_some())
                }
            })
            .tell(StockChanged::TYPE, inventory_update)
            .act(ProductDeleted::TYPE, nobody_watches)
    }

    async fn track(&self, call: &Call) -> Result<Done, Fault> {
        let product_id = watched(call)?;
        let unknown = || Refusal::from(CatalogError::UnknownProduct);
        self.stock_of(product_id).await?.ok_or_else(unknown)?;
        call.peer().subscribe(Topic::of(PRODUCT, product_id), Dialect::Shop, None).await?;
        // Looked at once it is watched, so that no piece falls between the two.
        let quantity = self.stock_of(product_id).await?.ok_or_else(unknown)?;
        Done::with(&Tracking { product_id, quantity })
    }
}

async fn untrack(call: &Call) -> Result<Done, Fault> {
    call.peer().unsubscribe(&Topic::of(PRODUCT, watched(call)?)).await?;
    Ok(Done::plain())
}

fn watched(call: &Call) -> Result<ProductId, Fault> {
    let watched = call.read().map_err(|_| Fault::bad_payload("the id of a product is expected"))?;
    Ok(match watched {
        Watched::Plain(product_id) | Watched::Product { product_id } => product_id,
    })
}

fn inventory_update(event: &StoredEvent, hearer: &Hearer<'_>) -> Result<Option<Said>, HandlerError> {
    if hearer.dialect != Dialect::Shop {
        return Ok(None);
    }
    let StockChanged { product_id, variant_id, product_stock, change, reason, .. } = event.payload()?;
    let told = InventoryUpdate {
        product_id,
        quantity: product_stock,
        details: InventoryDetails { change, reason, variant_id },
        timestamp: event.at,
    };
    Said::new("inventory_update", &told).map(Some)
}

fn nobody_watches(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let ProductDeleted { product_id, .. } = event.payload()?;
    Ok(vec![Effect::Close(Topic::of(PRODUCT, product_id))])
}
