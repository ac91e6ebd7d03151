//! What people do in the shop, a story for each domain. Together they make every call of a version, and are refused in
//! every way that a simple request can be.

mod accounts;
mod catalogue;
mod chat;
mod files;
mod insight;
mod notifications;
mod operations;
mod orders;
mod payments;
mod platform;
mod refusals;
mod v0;

use super::recorder::{Recorder, Version};

/// What nobody has as their id.
const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub(super) async fn tell(shop: &Recorder<'_>) {
    if shop.version == Version::V0 {
        return v0::tell(shop).await;
    }
    let admin = shop.admin().await;
    accounts::tell(shop, &admin).await;
    catalogue::tell(shop, &admin).await;
    orders::tell(shop, &admin).await;
    payments::tell(shop, &admin).await;
    notifications::tell(shop, &admin).await;
    chat::tell(shop, &admin).await;
    files::tell(shop, &admin).await;
    operations::tell(shop, &admin).await;
    insight::tell(&admin).await;
    platform::tell(shop, &admin).await;
    refusals::tell(shop, &admin).await;
    platform::is_used_up(shop).await;
}
