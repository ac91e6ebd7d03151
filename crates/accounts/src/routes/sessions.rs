//! `/api/auth/sessions`: where somebody is signed in.

use axum::extract::State;
use serde::Serialize;
use stoa_http::{ListQuery, Outcome, PathParts, Reply, SignedIn, foreign_cursor};
use stoa_kernel::{SessionId, SortOrder, Timestamp};
use utoipa::ToSchema;

use crate::{
    Accounts,
    client::Client,
    devices,
    store::devices::{Device, Wanted},
};

/// A device somebody is signed in on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct SessionView {
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// What it called itself when it signed in.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    device: Option<String>,
    /// The network address it signed in from.
    address: String,
    /// When it signed in.
    created_at: Timestamp,
    /// When it last signed in, refreshed its tokens or had a socket open.
    last_used_at: Timestamp,
    /// When it ends unless it is used.
    expires_at: Timestamp,
}

impl SessionView {
    fn seen_from(current: SessionId, device: Device) -> Self {
        Self {
            current: device.id == current,
            id: device.id,
            device: device.user_agent,
            address: device.address,
            created_at: device.created_at,
            last_used_at: device.last_used_at,
            expires_at: device.expires_at,
        }
    }
}

/// Where one is signed in, the latest sign-in first.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "auth", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page of one's live sessions", body = Vec<SessionView>))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    SignedIn(actor): SignedIn,
    list: ListQuery,
) -> Outcome {
    let person = actor.require_user()?;
    let ((), order) = list.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let page = list.page;
    let after = match page.after() {
        Some(cursor) => {
            let at = cursor.number_in(devices::order_name(order)).ok_or_else(foreign_cursor)?;
            Some((at, cursor.id))
        }
        None => None,
    };
    let wanted = Wanted { user: person.user, now: accounts.clock().now(), order, after };
    let found = accounts.devices(wanted, page.clone()).await?;
    Reply::page(&found.map(|device| SessionView::seen_from(person.session, device)), &page)
}

/// Sign out one of one's devices.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", tag = "auth", params(("id" = SessionId, Path)), security(("bearer" = [])),
    responses((status = 204, description = "Signed out"))
)]
pub(crate) async fn end(
    State(accounts): State<Accounts>,
    SignedIn(actor): SignedIn,
    client: Client,
    PathParts(id): PathParts<SessionId>,
) -> Outcome {
    let person = actor.require_user()?.clone();
    accounts.sign_out_device(accounts.occasion(&actor), client, person, id).await?;
    Ok(Reply::no_content())
}
